import type { LossValue } from "../model/loss-evaluator.js";

/** A grid point that has been evaluated. */
export interface EvaluatedPoint {
  /** Flat index j·W + i, or {@link CENTER_INDEX} for θ* itself, on the grid or not. */
  readonly index: number;
  readonly value: LossValue;
  /** Weights with values for which there is no loss, as a policy found them; then the value is NaN. */
  readonly undefinedWeights: readonly string[];
}

/** Index of θ* itself. */
export const CENTER_INDEX = -1;
