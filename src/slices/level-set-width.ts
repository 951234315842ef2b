import { InvalidOptionError } from "../errors.js";

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
