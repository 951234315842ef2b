import { InvalidOptionError } from "../errors.js";

/** A literal range of coordinates: `points` of them from `from` to `to`, both included. */
export interface AxisRange {
  readonly from: number;
  readonly to: number;
  readonly points: number;
}

/**
 * Returns the coordinates of a literal range; both ends are exact, and so is 0 where the range steps on it.
 *
 * @throws {@link InvalidOptionError} if the range is empty, upside down, not finite or of less than 2 points.
 */
export function axisFromRange(where: string, { from, to, points }: AxisRange): Float64Array {
  if (!Number.isFinite(from) || !Number.isFinite(to) || from >= to) {
    throw new InvalidOptionError(where, "two finite numbers, the smaller first", `${from} to ${to}`);
  }
  checkPoints(where, points, 2);
  const last = points - 1;
  const tolerance = (to - from) * 1e-12;
  return Float64Array.from({ length: points }, (_, i) => {
    const value = (from * (last - i) + to * i) / last;
    return Math.abs(value) < tolerance ? 0 : value;
  });
}

/**
 * Returns coordinates (i − i₀)·h, with 0 exactly at i₀, that cover [low, high] with the smallest step h.
 *
 * @param low - at most 0.
 * @param high - at least 0.
 */
export function axisAroundZero(low: number, high: number, points: number): Float64Array {
  let origin = 0;
  let step = Number.POSITIVE_INFINITY;
  for (let i = 0; i < points; i++) {
    const needed = Math.max(stepToReach(-low, i), stepToReach(high, points - 1 - i));
    if (needed < step) {
      step = needed;
      origin = i;
    }
  }
  return Float64Array.from({ length: points }, (_, i) => (i - origin) * step);
}

/** The step with which `steps` steps reach `distance`; (i − i₀)·h is never rounded to less than it. */
function stepToReach(distance: number, steps: number): number {
  if (distance === 0) return 0;
  if (steps === 0) return Number.POSITIVE_INFINITY;
  const step = distance / steps;
  return step * steps >= distance ? step : step * (1 + Number.EPSILON);
}

/** Points of an axis at most: no picture shows more, and a mistyped number must not take all memory. */
const MOST_POINTS = 100_000;

/** Checks a number of grid points. */
export function checkPoints(where: string, points: number, least: number): void {
  if (Number.isInteger(points) && points >= least && points <= MOST_POINTS) return;
  const bound = points > MOST_POINTS ? `at most ${MOST_POINTS}` : `at least ${least}`;
  throw new InvalidOptionError(where, `a whole number of points, ${bound}`, String(points));
}
