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
  /** Whether `evaluate` looks at `theta`, and not at the coordinates alone. Default true. */
  readonly needsTheta?: boolean;
  /**
   * Loss and metrics at `theta`, which is θ* + alpha·vectors[0] + beta·vectors[1].
   *
   * @param name - what the point is called in errors.
   */
  evaluate(
    theta: Float32Array,
    alpha: number,
    beta: number,
    signal?: AbortSignal,
    name?: string,
  ): Promise<LossValue>;
  /** Frees what is kept for the plane. Idempotent. */
  dispose(): void;
}
