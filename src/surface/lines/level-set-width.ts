import { InvalidOptionError } from "../../base/errors.js";
import type { LandscapeWarning } from "../../base/warning.js";
import type { LossEvaluator } from "../../loss/loss-evaluator.js";
import { quantile } from "../../math/statistics.js";
import type { Surface } from "../surface.js";

/** The stretch around α = 0 in which the loss stays below a level. */
export interface LevelSetWidth {
  /** right − left: a lower bound where a side is open; NaN where the loss is NaN before it is left. */
  readonly width: number;
  readonly left: number;
  readonly right: number;
  /** The loss never rises so far before the range ends, on one side or both. */
  readonly isOpen: boolean;
}

/**
 * Returns the width of the connected level set {α : L(α) < L(0) + rise} that holds α = 0, on a
 * filter-normalized line: how far the weights can move, in units of their filters, before the loss has risen
 * so much. Crossings are interpolated linearly between neighbouring points.
 *
 * A width compares networks only on filter-normalized directions, and for the same rise and data.
 *
 * @param alpha - coordinates (W), increasing, 0 among them.
 * @param loss - losses (W).
 * @param rise - in units of the loss, more than 0.
 * @throws {@link InvalidOptionError} if 0 is not on the line or the rise is not positive.
 * @see Li et al. 2018, section 5: widths of filter-normalized curves compare the sharpness of minimizers.
 * @example const { width } = levelSetWidth(slice.alpha, slice.curves[0].surface.loss, 0.5);
 */
export function levelSetWidth(alpha: Float64Array, loss: Float64Array, rise: number): LevelSetWidth {
  const origin = originOf(alpha);
  if (!(rise > 0 && Number.isFinite(rise))) {
    throw new InvalidOptionError("rise", "a finite number above 0", String(rise));
  }
  const level = loss[origin] + rise;
  const left = crossing(alpha, loss, origin, -1, level);
  const right = crossing(alpha, loss, origin, 1, level);
  return {
    width: right.at - left.at,
    left: left.at,
    right: right.at,
    isOpen: left.isOpen || right.isOpen,
  };
}

/** Index of α = 0. */
export function originOf(alpha: Float64Array): number {
  const origin = alpha.indexOf(0);
  if (origin >= 0) return origin;
  throw new InvalidOptionError(
    "alpha",
    "0 among the coordinates",
    `${alpha[0]} to ${alpha[alpha.length - 1]}`,
  );
}

function crossing(
  alpha: Float64Array,
  loss: Float64Array,
  origin: number,
  step: 1 | -1,
  level: number,
): { readonly at: number; readonly isOpen: boolean } {
  for (let i = origin; ; i += step) {
    const next = i + step;
    if (Number.isNaN(loss[i])) return { at: Number.NaN, isOpen: false };
    if (next < 0 || next >= alpha.length) return { at: alpha[i], isOpen: true };
    if (Number.isNaN(loss[next])) return { at: Number.NaN, isOpen: false };
    if (loss[next] < level) continue;
    // An infinite loss is crossed at once.
    const share = loss[next] === Number.POSITIVE_INFINITY ? 0 : (level - loss[i]) / (loss[next] - loss[i]);
    return { at: alpha[i] + share * (alpha[next] - alpha[i]), isOpen: false };
  }
}

/** An evaluation set by name: "train", "test". */
export interface EvaluationSet {
  readonly name: string;
  readonly evaluator: LossEvaluator;
}

/** Losses and metrics along one line, on one evaluation set. */
export interface LineCurve {
  /** Name of the evaluation set. */
  readonly set: string;
  /** Seed of the direction, or null where it is not random. */
  readonly seed: number | null;
  /** Values along α: a surface with beta = [0]. */
  readonly surface: Surface;
}

/** A place on the line that has a name: a model. */
export interface LineMark {
  readonly alpha: number;
  readonly name: string;
}

/** A one-dimensional slice: one line or several through the same point, on one evaluation set or several. */
export interface LineSlice {
  /** "models": between two models; "random": along random directions. */
  readonly kind: string;
  /** What α is, for the axis: "from A (0) to B (1)". */
  readonly axis: string;
  /** Coordinates (W), increasing, the same for every curve. */
  readonly alpha: Float64Array;
  /** Set by set, and within a set seed by seed. */
  readonly curves: readonly LineCurve[];
  readonly marks: readonly LineMark[];
  /** What was done with batch norm's moving statistics at each point. */
  readonly batchNorm: string;
  readonly warnings: readonly LandscapeWarning[];
}

/** Options of {@link seedBand}. */
export interface SeedBandOptions {
  /** Lower and upper quantile of the band. Default [0.25, 0.75]; [0, 1] is the whole range. */
  readonly quantiles?: readonly [number, number];
}

/** Median and band of a quantity over seeds, at each α (W). */
export interface SeedBand {
  readonly alpha: Float64Array;
  readonly median: Float64Array;
  readonly low: Float64Array;
  readonly high: Float64Array;
  /** Number of seeds. */
  readonly seeds: number;
}

/**
 * Returns the median over seeds, with a band between two quantiles, of the loss or a metric on one evaluation
 * set. Where the value of any seed is NaN, so are median and band.
 *
 * @param quantity - "loss" or the name of a metric.
 * @throws {@link InvalidOptionError} if the slice has no such set or metric, or quantiles are no increasing shares.
 */
export function seedBand(
  slice: LineSlice,
  set: string,
  quantity = "loss",
  { quantiles = [0.25, 0.75] }: SeedBandOptions = {},
): SeedBand {
  const [from, to] = quantiles;
  if (!(from >= 0 && from <= to && to <= 1)) {
    throw new InvalidOptionError("quantiles", "two increasing shares of 1", JSON.stringify(quantiles));
  }
  const curves = curveValues(slice, set, quantity);
  const at = (q: number) =>
    Float64Array.from(slice.alpha, (_, i) =>
      quantile(
        curves.map((values) => values[i]),
        q,
      ),
    );
  return { alpha: slice.alpha, median: at(0.5), low: at(from), high: at(to), seeds: curves.length };
}

/** Values (W) of each curve of a set: the loss, or a metric. */
export function curveValues(slice: LineSlice, set: string, quantity: string): Float64Array[] {
  const curves = slice.curves.filter((curve) => curve.set === set);
  if (curves.length === 0) {
    const names = [...new Set(slice.curves.map((curve) => curve.set))].join(", ");
    throw new InvalidOptionError("set", `one of ${names}`, JSON.stringify(set));
  }
  return curves.map(({ surface }) => {
    const values = quantity === "loss" ? surface.loss : surface.metrics[quantity];
    if (values !== undefined) return values;
    const names = ["loss", ...Object.keys(surface.metrics)].join(", ");
    throw new InvalidOptionError("quantity", `one of ${names}`, JSON.stringify(quantity));
  });
}

/** Widths of a level set over seeds. */
export interface LevelSetWidths {
  readonly rise: number;
  /** Median and quartiles over seeds; NaN where the width of any seed is. */
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly bySeed: Float64Array;
  /** Number of seeds whose loss does not rise so far within the range: their widths are lower bounds. */
  readonly open: number;
}

/**
 * Returns the width of the level set {α : L(α) < L(0) + rise} around 0 on each line of a slice, with median and
 * quartiles over the seeds; see `levelSetWidth`.
 *
 * @throws {@link InvalidOptionError} for an unknown set, a rise that is not positive, or a line without α = 0.
 */
export function levelSetWidths(slice: LineSlice, set: string, rise: number): LevelSetWidths {
  const widths = curveValues(slice, set, "loss").map((loss) => levelSetWidth(slice.alpha, loss, rise));
  const bySeed = Float64Array.from(widths, ({ width }) => width);
  return {
    rise,
    median: quantile(bySeed, 0.5),
    low: quantile(bySeed, 0.25),
    high: quantile(bySeed, 0.75),
    bySeed,
    open: widths.filter(({ isOpen }) => isOpen).length,
  };
}

/**
 * Returns a rise of the loss that suits several slices at once: 1, 2 or 5 times a power of ten, at most half of
 * what the loss of the flattest of them rises to both ends of the range, so that most of its widths are closed.
 *
 * @returns null if the median loss of one of them does not rise, or is not finite.
 * @throws {@link InvalidOptionError} for an unknown set or a line without α = 0.
 */
export function commonRise(slices: readonly LineSlice[], set: string): number | null {
  const rises = slices.map((slice) => {
    const origin = originOf(slice.alpha);
    const toEnds = curveValues(slice, set, "loss").map((loss) => {
      const ends = [loss[0] as number, loss[loss.length - 1] as number];
      return Math.min(...ends) - (loss[origin] as number);
    });
    return quantile(toEnds, 0.5);
  });
  if (rises.length === 0) throw new InvalidOptionError("slices", "at least one slice", "none");
  const most = Math.min(...rises) / 2;
  if (!(most > 0 && Number.isFinite(most))) return null;
  const power = 10 ** Math.floor(Math.log10(most));
  const mantissa = [5, 2, 1].find((value) => value * power <= most) ?? 1;
  return Number((mantissa * power).toPrecision(1));
}

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
 * @example const { mean } = meanLossRise(slice, "train", 0.5);
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
