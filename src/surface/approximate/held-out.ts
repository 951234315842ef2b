import type { Stencils } from "./stencils.js";

/** How far predictions of known points from the other known points were off. */
export interface HeldOut {
  readonly points: readonly number[];
  /** |value − prediction| of each. */
  readonly residuals: readonly number[];
  /** Distance of each to the nearest of the others. */
  readonly distances: readonly number[];
  /** Root mean square of all residuals. */
  readonly overall: number;
  /** Power of the distance with which the residuals grow, from 0 (rough) to 2 (smooth). */
  readonly order: number;
  /** Share of the error overall that is assumed everywhere, beside that of the neighbours. */
  readonly common: number;
  /** Position of each point in the lists. */
  readonly places: ReadonlyMap<number, number>;
}

/** Held-out points that speak for a place. */
const NEAREST = 6;
/** Shares of the error overall among which the likeliest is taken: a few neighbours may agree by chance. */
const COMMON_SHARES = [0.05, 0.2, 0.5, 1, 2];
/** An error grows and falls with the distance, but no further than by these factors. */
const [LEAST_FACTOR, LARGEST_FACTOR] = [0.25, 9];
/** Largest power of the distance; that of a smooth function would be 3 and more. */
const LARGEST_ORDER = 2;

/** A residual: of which point, how large, and how far from the nearest point that it was predicted from. */
export interface Residual {
  readonly point: number;
  readonly residual: number;
  readonly distance: number;
}

/**
 * Gathers residuals.
 *
 * @param coarse - those of some of the points when their nearest neighbours are left out too.
 */
export function heldOut(
  entries: readonly Residual[],
  coarse: readonly Residual[],
  stencils: Stencils,
): HeldOut {
  const residuals = entries.map(({ residual }) => residual);
  const places = new Map(entries.map(({ point }, place) => [point, place]));
  const held = {
    points: entries.map(({ point }) => point),
    residuals,
    distances: entries.map(({ distance }) => distance),
    overall: rootMeanSquare(residuals),
    order: orderOf(entries, coarse, places),
    common: 0,
    places,
  };
  return { ...held, common: likeliestShare(held, stencils) };
}

/** The share with which normal residuals of the sizes expected are likeliest to be those found. */
function likeliestShare(held: HeldOut, stencils: Stencils): number {
  const { points, residuals, distances, overall } = held;
  if (overall === 0) return COMMON_SHARES[0];
  const local = points.map((point, i) => localError(point, distances[i], held, stencils));
  const surprise = COMMON_SHARES.map((share) =>
    residuals.reduce((sum, residual, i) => {
      const expected = Math.hypot(local[i], share * overall);
      return sum + Math.log(expected) + (residual / expected) ** 2 / 2;
    }, 0),
  );
  return COMMON_SHARES[surprise.indexOf(Math.min(...surprise))];
}

/** How fast residuals grow from fine to coarse neighbours. */
function orderOf(
  entries: readonly Residual[],
  coarse: readonly Residual[],
  places: ReadonlyMap<number, number>,
): number {
  const pairs = coarse.flatMap((wide) => {
    const place = places.get(wide.point);
    return place === undefined ? [] : [{ wide, near: entries[place] }];
  });
  const growth =
    rootMeanSquare(pairs.map(({ wide }) => wide.residual)) /
    rootMeanSquare(pairs.map(({ near }) => near.residual));
  const steps = pairs.map(({ wide, near }) => Math.log(wide.distance / near.distance));
  const stretch = steps.reduce((sum, step) => sum + step, 0) / steps.length;
  const order = Math.log(growth) / stretch;
  return order > 0 ? Math.min(LARGEST_ORDER, order) : 0;
}

function rootMeanSquare(values: readonly number[]): number {
  if (values.length === 0) return 0;
  return Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
}

/**
 * Estimates the size of the interpolation error at a place from the nearest held-out points, the place itself
 * left out: the root mean square of their residuals, each scaled by the ratio of distances.
 *
 * @param distance - distance of the place to the nearest known point.
 * @returns infinity where nothing is held out.
 */
export function localError(point: number, distance: number, held: HeldOut, stencils: Stencils): number {
  const near = stencils.nearest(point, held.points, NEAREST);
  if (near.length === 0) return Number.POSITIVE_INFINITY;
  let squares = 0;
  for (const other of near) {
    const place = held.places.get(other) as number;
    const ratio = (distance / held.distances[place]) ** held.order;
    const factor = Math.min(LARGEST_FACTOR, Math.max(LEAST_FACTOR, ratio));
    squares += (held.residuals[place] * factor) ** 2;
  }
  return Math.hypot(Math.sqrt(squares / near.length), held.common * held.overall);
}

/**
 * Returns the factor by which errors must be multiplied to bound 97.5 % of the residuals with the same
 * number in the next ones (split conformal prediction), at least 1; the largest ratio where there are fewer
 * than 40, and more than that below 20.
 *
 * @param ratios - residual / estimated error of points that nobody chose for their error.
 */
export function calibrationFactor(ratios: readonly number[]): number {
  const sorted = ratios.filter((ratio) => !Number.isNaN(ratio)).sort((a, b) => a - b);
  const count = sorted.length;
  if (count === 0) return FEW;
  const rank = Math.min(count, Math.ceil(0.975 * (count + 1)));
  const few = count < 20 ? 1 + (FEW - 1) * (1 - count / 20) : 1;
  return Math.max(1, sorted[rank - 1]) * few;
}

/** Factor where nothing is known of the error's scale. */
const FEW = 2;

/** Values differ by rounding between engines and orders of summation by this much, relatively. */
const ROUNDING = 2e-6;

/** A residual as a multiple of the error that was expected, rounding left out. */
export function ratio(residual: number, expected: number, value: number): number {
  const beyond = residual - rounding(value);
  if (beyond <= 0) return 0;
  return expected === 0 ? Number.POSITIVE_INFINITY : beyond / expected;
}

/** The error that rounding alone makes. */
export function rounding(value: number): number {
  return ROUNDING * Math.abs(value);
}
