import type { EvaluatorFacts, LossValue, SampleValues } from "./loss-evaluator.js";

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

/** Computes the losses of some samples of an evaluation set, each by itself. */
export interface RowEvaluator {
  readonly samples: number;
  /** Evaluates at `theta` (parameterCount, layout order), in the order of the rows asked for. */
  evaluate(theta: Float32Array, signal?: AbortSignal): Promise<SampleValues>;
  /** Frees what is held for these samples. Idempotent. */
  dispose(): void;
}

/** Single samples of an evaluation set: what statistics over a part of it need. */
export interface SampleAccess {
  /** Returns the class of each sample, or null where the targets are no classes. */
  classes(signal?: AbortSignal): Promise<Int32Array | null>;
  /**
   * Opens some samples; the evaluator must outlive them.
   *
   * @param rows - positions of the samples in the evaluation set, increasing; null means all of them.
   */
  open(rows: Int32Array | null, signal?: AbortSignal): Promise<RowEvaluator>;
}

/**
 * Computes losses in this process: what every engine gives, and what a `LossEvaluator` is made of. It takes θ as it
 * is and knows nothing of batch norm or slices.
 */
export interface EngineEvaluator extends EvaluatorFacts {
  evaluate(theta: Float32Array, signal?: AbortSignal): Promise<LossValue>;
  /**
   * Prepares for many points of one plane; the evaluator must outlive it. Values differ from those of
   * `evaluate` by rounding only, and are bit-identical for the same plane. Not offered by every engine.
   */
  openPlane?(plane: PlaneVectors, signal?: AbortSignal): Promise<PlaneLoss>;
  /** Single samples of the evaluation set. Not offered by every engine. */
  readonly perSample?: SampleAccess;
  /** Puts the model's own weights back bit for bit and frees what the evaluator holds. Idempotent. */
  dispose(): void;
}
