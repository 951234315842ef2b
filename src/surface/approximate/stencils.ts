import { LuDecomposition, Matrix } from "ml-matrix";

/** Places on a plane. */
export interface Places {
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}

/** Neighbours from which polynomials of degree 2 are fitted exactly; fewer take lower degrees. */
const FOR_DEGREE_2 = 10;
const FOR_DEGREE_1 = 4;

/**
 * Returns the weights w with which Σ w·f(neighbour) interpolates a smooth f at a place: the polyharmonic spline
 * r³ with polynomials of degree 2 (exact for quadratics), of lower degree where neighbours are few or lie badly.
 *
 * The weights add up to 1 and depend on places only. Cost: O(k³).
 *
 * @param x - the place; `y` likewise. Coordinates are steps of the grid.
 * @param places - the k neighbours.
 * @see Fornberg and Flyer, A Primer on Radial Basis Functions, section 5.
 */
export function localWeights(x: number, y: number, places: Places): Float64Array {
  const { x: xs, y: ys } = places;
  const count = xs.length;
  const radius = Math.max(
    ...Array.from({ length: count }, (_, i) => Math.hypot(xs[i] - x, ys[i] - y)),
    1e-300,
  );
  const u = Array.from({ length: count }, (_, i) => (xs[i] - x) / radius);
  const v = Array.from({ length: count }, (_, i) => (ys[i] - y) / radius);
  const isLine = v.every((value) => value === v[0]);
  const degrees = count >= FOR_DEGREE_2 ? [2, 1] : count >= FOR_DEGREE_1 ? [1] : [];
  for (const degree of degrees) {
    const weights = solveWeights(u, v, monomials(u, v, degree, isLine));
    if (weights !== null) return weights;
  }
  return inverseDistances(u, v);
}

/** Values of the monomials at each neighbour, one array for each; at the place itself only the first is not 0. */
function monomials(u: readonly number[], v: readonly number[], degree: number, isLine: boolean): number[][] {
  const terms: ((a: number, b: number) => number)[] = [() => 1, (a) => a];
  if (!isLine) terms.push((_, b) => b);
  if (degree === 2) terms.push((a) => a * a);
  if (degree === 2 && !isLine)
    terms.push(
      (a, b) => a * b,
      (_, b) => b * b,
    );
  return terms.map((term) => u.map((value, i) => term(value, v[i])));
}

function solveWeights(u: readonly number[], v: readonly number[], terms: number[][]): Float64Array | null {
  const count = u.length;
  const size = count + terms.length;
  if (terms.length > count) return null;
  const matrix = Matrix.zeros(size, size);
  const right = Matrix.zeros(size, 1);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < i; j++) {
      const value = Math.hypot(u[i] - u[j], v[i] - v[j]) ** 3;
      matrix.set(i, j, value);
      matrix.set(j, i, value);
    }
    right.set(i, 0, Math.hypot(u[i], v[i]) ** 3);
  }
  terms.forEach((values, k) => {
    values.forEach((value, i) => {
      matrix.set(i, count + k, value);
      matrix.set(count + k, i, value);
    });
  });
  right.set(count, 0, 1);
  const decomposition = new LuDecomposition(matrix);
  if (decomposition.isSingular()) return null;
  const weights = Float64Array.from(decomposition.solve(right).getColumn(0).slice(0, count));
  const total = weights.reduce((sum, weight) => sum + Math.abs(weight), 0);
  // Neighbours that nearly lie on a conic leave huge weights of both signs.
  return total < LARGEST_TOTAL ? weights : null;
}

/** Largest Σ|w| of a spline that is used: errors of the values are multiplied by it. */
const LARGEST_TOTAL = 30;

function inverseDistances(u: readonly number[], v: readonly number[]): Float64Array {
  const inverse = Float64Array.from(u, (value, i) => 1 / Math.max(Math.hypot(value, v[i]), 1e-9) ** 2);
  const total = inverse.reduce((sum, weight) => sum + weight, 0);
  return inverse.map((weight) => weight / total);
}

/** The neighbours that a value is interpolated from. */
export interface Stencil {
  /** Flat grid indices, nearest first. */
  readonly points: Int32Array;
  /** Weight of each. */
  readonly weights: Float64Array;
  /** Distance to the nearest, in steps of the grid. */
  readonly distance: number;
}

/** Neighbours of a stencil. */
const NEIGHBOURS = 24;

/** Finds the stencils of grid points among changing sets of points; weights are kept while neighbours are. */
export interface Stencils {
  /** Returns the stencil of a point among others, itself left out; null if there are none. */
  of(point: number, among: readonly number[]): Stencil | null;
  /** The same without the others that are less than twice as far as the nearest. */
  coarse(point: number, among: readonly number[]): Stencil | null;
  /** Returns the nearest of some points, itself left out, nearest first. */
  nearest(point: number, among: ArrayLike<number>, count: number): Int32Array;
  /** Distance of two points in steps of the grid. */
  distance(a: number, b: number): number;
}

/** Stencils that are remembered for each point: among exact and among all points, near and coarse. */
const REMEMBERED = 4;

/** Creates a finder of stencils for a grid of this width. */
export function createStencils(width: number): Stencils {
  const known = new Map<number, { readonly key: string; readonly weights: Float64Array }[]>();
  const column = (point: number) => point % width;
  const row = (point: number) => Math.floor(point / width);
  const distance = (a: number, b: number) => Math.hypot(column(a) - column(b), row(a) - row(b));

  const nearest = (point: number, among: ArrayLike<number>, count: number): Int32Array => {
    const [x, y] = [column(point), row(point)];
    const found = new Int32Array(count);
    const squares = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
    let filled = 0;
    for (let i = 0; i < among.length; i++) {
      const other = among[i];
      const square = (column(other) - x) ** 2 + (row(other) - y) ** 2;
      if (other === point || square > squares[count - 1]) continue;
      // Of two at one distance the lower index comes first, whatever the order in which they were added.
      if (square === squares[count - 1] && other > found[count - 1]) continue;
      let place = Math.min(filled, count - 1);
      while (
        place > 0 &&
        (squares[place - 1] > square || (squares[place - 1] === square && found[place - 1] > other))
      ) {
        squares[place] = squares[place - 1];
        found[place] = found[place - 1];
        place--;
      }
      squares[place] = square;
      found[place] = other;
      filled = Math.min(filled + 1, count);
    }
    return found.slice(0, filled);
  };

  const of = (point: number, among: readonly number[]): Stencil | null => {
    const points = nearest(point, among, NEIGHBOURS);
    if (points.length === 0) return null;
    const key = points.join();
    const remembered = known.get(point) ?? [];
    let found = remembered.find((entry) => entry.key === key);
    if (found === undefined) {
      const places = { x: Array.from(points, column), y: Array.from(points, row) };
      found = { key, weights: localWeights(column(point), row(point), places) };
      known.set(point, [found, ...remembered.slice(0, REMEMBERED - 1)]);
    }
    return { points, weights: found.weights, distance: distance(point, points[0]) };
  };

  return {
    nearest,
    distance,
    of,
    coarse(point, among) {
      const [closest] = nearest(point, among, 1);
      if (closest === undefined) return null;
      const least = 2 * distance(point, closest);
      return of(
        point,
        among.filter((other) => distance(point, other) >= least),
      );
    },
  };
}
