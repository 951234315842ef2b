import type { LossValue } from "./loss-evaluator.js";

/** θ* and one or two directions, all of θ's length. */
export interface PlaneVectors {
  readonly center: Float32Array;
  readonly vectors: readonly Float32Array[];
}

/** Computes losses at the points of one plane (or line), where that can be faster than points anywhere. */
export interface PlaneLoss {
  /** Whether something is kept for the plane; otherwise `evaluate` is the evaluator's own. */
  readonly isCached: boolean;
  /** Loss and metrics at `theta`, which is θ* + alpha·vectors[0] + beta·vectors[1]. */
  evaluate(theta: Float32Array, alpha: number, beta: number, signal?: AbortSignal): Promise<LossValue>;
  /** Frees what is kept for the plane. Idempotent. */
  dispose(): void;
}
