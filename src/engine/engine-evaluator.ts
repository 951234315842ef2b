import type { LossEvaluator } from "../model/loss-evaluator.js";
import type { PlaneLoss, PlaneVectors } from "../model/plane-loss.js";
import type { LandscapeWarning } from "../warning.js";

/** A loss evaluator over one of the engines. */
export interface EngineEvaluator extends LossEvaluator {
  /** What the caller should know: an engine that was passed over, and why. */
  readonly warnings: readonly LandscapeWarning[];
  /** Seconds per sample by engine, as measured for the choice. */
  readonly measured: Readonly<Record<string, number>>;
  openPlane(plane: PlaneVectors, signal?: AbortSignal): Promise<PlaneLoss>;
}
