import type { LossEvaluator, LossValue } from "../model/loss-evaluator.js";
import type { LandscapeWarning } from "../warning.js";
import type { PlaneVectors } from "./plane-evaluation.js";

/** Computes losses at the points of one plane (or line) faster than points anywhere. */
export interface PlaneLoss {
  /** Whether the first layer's outputs are kept and combined; otherwise `evaluate` is the evaluator's own. */
  readonly isCached: boolean;
  /** Loss and metrics at `theta`, which is θ* + alpha·d₀ + beta·d₁. */
  evaluate(theta: Float32Array, alpha: number, beta: number, signal?: AbortSignal): Promise<LossValue>;
  /** Frees what is kept for the plane. Idempotent. */
  dispose(): void;
}

/** A loss evaluator over one of the engines. */
export interface EngineEvaluator extends LossEvaluator {
  /** What the caller should know: an engine that was passed over, and why. */
  readonly warnings: readonly LandscapeWarning[];
  /** Seconds per sample by engine, as measured for the choice. */
  readonly measured: Readonly<Record<string, number>>;
  /** Prepares for many points of one plane; the evaluator must outlive it. */
  openPlane(plane: PlaneVectors): Promise<PlaneLoss>;
}
