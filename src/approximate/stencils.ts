import { localWeights } from "./local-weights.js";

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
