import { InvalidOptionError } from "../errors.js";
import { quantile } from "../math/quantile.js";
import { originOf } from "./level-set-width.js";
import type { LineSlice } from "./line-slice.js";
import { curveValues } from "./seed-band.js";

/** Rise of the loss at a distance from θ*, over seeds. */
export interface MeanLossRise {
  readonly radius: number;
  /** Mean over seeds. */
  readonly mean: number;
  /** Quartiles over seeds. */
  readonly low: number;
  readonly high: number;
  /** Rise of each seed: the mean of both sides, or the one that the range has. */
  readonly bySeed: Float64Array;
}

/**
 * Returns how much the loss rises, on average, a step of `radius` away from θ* along random lines:
 * mean over seeds of ½·[L(r) + L(−r)] − L(0), with the quartiles over seeds as a band. Between points the loss
 * is interpolated linearly.
 *
 * On filter-normalized directions a radius of r is a relative change of every filter by r, so that it is a
 * random (average-case) counterpart of a worst-case sharpness.
 *
 * @param radius - more than 0, inside the range on one side at least.
 * @throws {@link InvalidOptionError} for another radius, an unknown set, or a line without α = 0.
 * @see Li et al. 2018, section 4 (filter normalization) and figure 14 (several seeds); the average over random
 * perturbations as in Neyshabur et al. 2017, section 2.2.
 */
export function meanLossRise(slice: LineSlice, set: string, radius: number): MeanLossRise {
  const { alpha } = slice;
  const last = alpha[alpha.length - 1];
  if (!(radius > 0 && (radius <= last || -radius >= alpha[0]))) {
    throw new InvalidOptionError("radius", `a number above 0 within ${alpha[0]} to ${last}`, String(radius));
  }
  const origin = originOf(alpha);
  const sides = [radius, -radius].filter((a) => a >= alpha[0] && a <= last);
  const bySeed = Float64Array.from(curveValues(slice, set, "loss"), (loss) => {
    const risen = sides.map((side) => interpolated(alpha, loss, side) - loss[origin]);
    return risen.reduce((sum, value) => sum + value, 0) / sides.length;
  });
  return {
    radius,
    mean: bySeed.reduce((sum, value) => sum + value, 0) / bySeed.length,
    low: quantile(bySeed, 0.25),
    high: quantile(bySeed, 0.75),
    bySeed,
  };
}

function interpolated(alpha: Float64Array, values: Float64Array, at: number): number {
  const exact = alpha.indexOf(at);
  if (exact >= 0) return values[exact];
  const next = alpha.findIndex((value) => value > at);
  const share = (at - alpha[next - 1]) / (alpha[next] - alpha[next - 1]);
  return values[next - 1] * (1 - share) + values[next] * share;
}
