import { InvalidOptionError } from "../errors.js";
import { quantile } from "../math/quantile.js";
import { levelSetWidth, originOf } from "./level-set-width.js";
import type { LineSlice } from "./line-slice.js";
import { curveValues } from "./seed-band.js";

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
