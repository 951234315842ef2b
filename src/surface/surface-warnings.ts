import type { LandscapeWarning } from "../warning.js";

/** What a surface's values say of themselves. */
export interface SurfaceFacts {
  readonly nonFinite: number;
  readonly points: number;
  /** Largest share of samples whose loss is capped, or null where that is not known. */
  readonly cappedShare: number | null;
}

/** Returns what the reader of a surface should know. */
export function surfaceWarnings({ nonFinite, points, cappedShare }: SurfaceFacts): LandscapeWarning[] {
  const warnings: LandscapeWarning[] = [];
  if (nonFinite > 0) {
    const message = `the loss is not finite at ${nonFinite} of ${points} grid points; they are shown as gaps`;
    warnings.push({ code: "non-finite-loss", message });
  }
  if (cappedShare !== null && cappedShare > 0) {
    const percent = (100 * cappedShare).toPrecision(2);
    const message =
      `the compiled loss caps up to ${percent} % of the samples at a grid point (at 16.118, a false plateau); ` +
      'loss: "logits" shows the true height';
    warnings.push({ code: "capped-loss", message });
  }
  return warnings;
}
