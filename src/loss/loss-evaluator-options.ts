import type { TaskRunner } from "../jobs/task-runner.js";
import type { EngineEvaluatorOptions } from "./engine/engine-options.js";
import type { EvaluationData } from "./evaluation-data.js";

/** On what batch norm "recalibrate" computes its statistics. */
export interface CalibrationOptions {
  /** The calibration set; its targets are not used. Default the evaluation set. */
  readonly data?: EvaluationData | undefined;
  /** Uses only the first so many samples. Default 1024. */
  readonly sampleLimit?: number | undefined;
  /** Samples per forward pass. Default all of them at once, which gives the statistics of the whole set. */
  readonly batchSize?: number | undefined;
}

/** Options of {@link createLossEvaluator}. */
export interface LossEvaluatorOptions extends EngineEvaluatorOptions {
  /**
   * Worker processes: a number, or "auto", one for each processor as far as memory allows. Default none: this
   * process evaluates.
   */
  readonly workers?: number | "auto" | undefined;
  /**
   * Path of a module that each worker imports before it makes the model: it registers layers of your own, and
   * may export `loadModel()`, which then gives the compiled model, and `lossFunction`. Default none.
   */
  readonly setup?: string | undefined;
  /**
   * Export of the set-up module that gives the data in each worker, in place of `data`: for data sets that
   * are too large to be copied to the disk. Default none.
   */
  readonly dataExport?: string | undefined;
  /** What runs the worker processes, in place of `workers`; it stays the caller's. Default one of its own. */
  readonly runner?: TaskRunner | undefined;
  /**
   * On what batch norm "recalibrate" computes its statistics; null: it cannot be asked for. Default the first 1024
   * samples of the evaluation set, where θ has such statistics.
   */
  readonly calibration?: CalibrationOptions | null | undefined;
}
