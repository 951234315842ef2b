/** How a loss becomes a height over the plane, for three-dimensional tools. */
export interface HeightScale {
  /** Losses are clipped to [low, high] before their logarithm is taken. */
  readonly low: number;
  readonly high: number;
  /** Units of the plane for each factor of 10 in the loss. */
  readonly unitsPerDecade: number;
}

/** Height of the highest loss as a share of the plane's longer side. */
const HEIGHT_SHARE = 0.5;

/**
 * Returns a scale on which the losses given fill half the longer side of the plane.
 *
 * `low` is the least positive loss and `high` the largest finite one, or `clip` where that is lower: a loss
 * of 0 stands at `low`, one that is not finite at `high`. That is an approximation for looking at; the losses
 * themselves are exported beside it.
 *
 * @param extent - the longer side of the plane, in its own units.
 */
export function heightScale(
  losses: readonly ArrayLike<number>[],
  extent: number,
  clip: number = Number.POSITIVE_INFINITY,
): HeightScale {
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  for (const values of losses) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      if (!(value > 0 && value < Number.POSITIVE_INFINITY)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (high === 0) return { low: 1, high: 1, unitsPerDecade: 1 };
  const top = Math.max(low, Math.min(high, clip));
  const decades = Math.log10(top / low);
  return { low, high: top, unitsPerDecade: decades > 0 ? (HEIGHT_SHARE * extent) / decades : 1 };
}

/** log10 of a loss clipped to the scale; that of `high` where it is not finite. */
export function clippedLog(loss: number, { low, high }: HeightScale): number {
  const value = Number.isFinite(loss) ? Math.min(high, Math.max(low, loss)) : high;
  return Math.log10(value);
}

/** Height of a loss over the plane: 0 for `low` and what is below. */
export function heightOf(loss: number, scale: HeightScale): number {
  return scale.unitsPerDecade * (clippedLog(loss, scale) - Math.log10(scale.low));
}
