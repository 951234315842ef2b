import type { SampleAccess } from "../model/sample-evaluator.js";
import { quantileStrata, type StratifiedSample, stratifiedSample } from "./stratified-sample.js";

/** A drawn subsample, and the samples that were evaluated to draw it. */
export interface DrawnSubsample {
  readonly sample: StratifiedSample;
  readonly evaluations: number;
}

/** Rows that a stratum should hold at least. */
const LEAST_ROWS = 8;
/** Strata of the loss. */
const LOSS_STRATA = 10;

/**
 * Draws a subsample stratified by class, or by the loss at θ* where targets are no classes (or too many).
 *
 * @param center - θ* (parameterCount), at which all samples are then evaluated.
 */
export async function drawSubsample(
  access: SampleAccess,
  center: Float32Array,
  size: number,
  seed: number,
  signal?: AbortSignal,
): Promise<DrawnSubsample> {
  const classes = await access.classes(signal);
  if (classes !== null) {
    const count = new Set(classes).size;
    if (count > 1 && count * LEAST_ROWS <= size) {
      return { sample: stratifiedSample(classes, size, seed), evaluations: 0 };
    }
  }
  const all = await access.open(null, signal);
  try {
    const { loss } = await all.evaluate(center, signal);
    const count = Math.max(1, Math.min(LOSS_STRATA, Math.floor(size / LEAST_ROWS)));
    return {
      sample: stratifiedSample(quantileStrata(loss, count), size, seed),
      evaluations: all.samples,
    };
  } finally {
    all.dispose();
  }
}
