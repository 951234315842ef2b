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
  let square = 0;
  for (let i = 0; i < count; i++) square = Math.max(square, (xs[i] - x) ** 2 + (ys[i] - y) ** 2);
  const radius = Math.max(Math.sqrt(square), 1e-300);
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
  // Row by row, with the right side as last column.
  const width = size + 1;
  const system = new Float64Array(size * width);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < i; j++) {
      const value = cubed(u[i] - u[j], v[i] - v[j]);
      system[i * width + j] = value;
      system[j * width + i] = value;
    }
    system[i * width + size] = cubed(u[i], v[i]);
    for (let k = 0; k < terms.length; k++) {
      system[i * width + count + k] = terms[k][i];
      system[(count + k) * width + i] = terms[k][i];
    }
  }
  system[count * width + size] = 1;
  if (!eliminate(system, size)) return null;
  const weights = Float64Array.from({ length: count }, (_, i) => system[i * width + size]);
  const total = weights.reduce((sum, weight) => sum + Math.abs(weight), 0);
  // Neighbours that nearly lie on a conic leave huge weights of both signs.
  return total < LARGEST_TOTAL ? weights : null;
}

function cubed(x: number, y: number): number {
  const square = x * x + y * y;
  return square * Math.sqrt(square);
}

/**
 * Solves a small dense system in place by Gaussian elimination with row pivoting. Thousands of stencils are made
 * for one grid while workers wait, and a general matrix class takes three times as long for each.
 *
 * @param system - (size, size + 1) row-major, the right side as last column, which the solution replaces.
 * @returns false where the matrix is singular.
 */
function eliminate(system: Float64Array, size: number): boolean {
  const width = size + 1;
  for (let k = 0; k < size; k++) {
    let pivot = k;
    for (let i = k + 1; i < size; i++) {
      if (Math.abs(system[i * width + k]) > Math.abs(system[pivot * width + k])) pivot = i;
    }
    if (system[pivot * width + k] === 0) return false;
    if (pivot !== k) swapRows(system, width, k, pivot);
    const own = k * width;
    for (let i = k + 1; i < size; i++) {
      const row = i * width;
      const factor = system[row + k] / system[own + k];
      if (factor === 0) continue;
      for (let j = k + 1; j < width; j++) system[row + j] -= factor * system[own + j];
    }
  }
  for (let k = size - 1; k >= 0; k--) {
    let value = system[k * width + size];
    for (let j = k + 1; j < size; j++) value -= system[k * width + j] * system[j * width + size];
    system[k * width + size] = value / system[k * width + k];
  }
  return true;
}

function swapRows(system: Float64Array, width: number, a: number, b: number): void {
  for (let j = 0; j < width; j++) {
    const value = system[a * width + j];
    system[a * width + j] = system[b * width + j];
    system[b * width + j] = value;
  }
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
