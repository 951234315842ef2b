import type { Approximation } from "../surface/approximation.js";
import type { LandscapeWarning } from "../warning.js";

/** Returns what the reader of an approximate surface should know beside its caption. */
export function approximationWarnings(approximation: Approximation): LandscapeWarning[] {
  const { error, errorOn95, range, tolerance, sampleEvaluations, exactSampleEvaluations } = approximation;
  const warnings: LandscapeWarning[] = [];
  const unknown = error.reduce((count, value) => count + (value === Number.POSITIVE_INFINITY ? 1 : 0), 0);
  if (unknown > 0) {
    const message = `the error is not known at ${unknown} of ${error.length} grid points, which lie beside values that are not finite`;
    warnings.push({ code: "unknown-error", message });
  }
  if (errorOn95 > tolerance * range && errorOn95 > 0 && Number.isFinite(errorOn95)) {
    const reached = percent(errorOn95 / range);
    const spent = percent(sampleEvaluations / exactSampleEvaluations);
    const message = `the error is up to ${reached} of the loss range, not ${percent(tolerance)} as asked for, after ${spent} of the sample evaluations of an exact surface; a larger budget makes it smaller`;
    warnings.push({ code: "tolerance-not-reached", message });
  }
  return warnings;
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${Number((100 * share).toPrecision(2))} %` : "an unknown share";
}
