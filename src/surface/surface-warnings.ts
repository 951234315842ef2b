import type { LandscapeWarning } from "../warning.js";
import type { PartialSurface } from "./surface.js";

/** What a surface's values say of themselves. */
export interface SurfaceFacts {
  readonly nonFinite: number;
  readonly points: number;
  /** Largest share of samples whose loss is capped, or null where that is not known. */
  readonly cappedShare: number | null;
  /** Where only some points were evaluated. */
  readonly partial?: PartialSurface | undefined;
}

/** Returns what the reader of a surface should know. */
export function surfaceWarnings({
  nonFinite,
  points,
  cappedShare,
  partial,
}: SurfaceFacts): LandscapeWarning[] {
  const warnings: LandscapeWarning[] = [];
  if (partial !== undefined) {
    const known = partial.evaluated.reduce((sum, one) => sum + one, 0);
    const message =
      `only ${known} of ${points} grid points are evaluated (stopped after ${partial.budget}); pictures ` +
      "interpolate between them";
    warnings.push({ code: "partial-surface", message });
  }
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
