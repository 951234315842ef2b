import type { LossValue } from "../model/loss-evaluator.js";
import type { SampleValues } from "../model/sample-evaluator.js";

/** A point of an approximate surface as it has been evaluated: on the subsample, on all samples, or both. */
export interface ApproximatedPoint {
  /** Flat index j·W + i; −1 for θ* where it is no point of the grid. */
  readonly index: number;
  /** Over all samples, or null where that was not evaluated. */
  readonly value: LossValue | null;
  /** On the subsample, sample by sample, or null where that was not evaluated now. */
  readonly samples: SampleValues | null;
  /** Weights with values for which there is no loss, as a policy found them; then the value is NaN. */
  readonly undefinedWeights: readonly string[];
}
