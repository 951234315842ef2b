import type { LandscapeWarning } from "../base/warning.js";

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

/** Loss and metrics of single samples at one point θ. */
export interface SampleValues {
  /** Loss of each sample; its mean over the whole set is the loss. */
  readonly loss: Float64Array;
  /** Metrics by name, sample by sample. */
  readonly metrics: Readonly<Record<string, Float64Array>>;
}

/** Computes the losses of some samples of an evaluation set, each by itself. */
export interface SampleEvaluator {
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
  open(rows: Int32Array | null, signal?: AbortSignal): Promise<SampleEvaluator>;
}

/** Which loss is computed: the compiled one with TF.js's clipping, or the exact log-softmax form. */
export type LossMode = "model" | "logits";

/** What computes losses, for provenance: the same engine gives bit-identical values. */
export interface EngineInfo {
  /** "tfjs" (the model's own ops), "tensorflow", "onnx", "function", … */
  readonly name: string;
  /** TF.js backend or library that does the work: "native", "wasm", "js", … */
  readonly backend: string;
  /** Samples per batch; 0 where the notion does not apply. */
  readonly batchSize: number;
  /** Threads per worker; 0 where the engine decides and does not say. */
  readonly threads: number;
}

/** What was asked of an engine: part of what a stored result is known by. */
export interface EngineRequest {
  /** "auto", or an engine by name. */
  readonly engine: string;
  /** null where they were left to be chosen. */
  readonly batchSize: number | null;
  readonly threads: number | null;
}

/** Loss and metrics at one point θ, over the whole evaluation set. */
export interface LossValue {
  /** Sample-weighted mean loss; may be NaN or infinite, and is then kept so. */
  readonly loss: number;
  /** Metrics by name, averaged over the whole set. */
  readonly metrics: Readonly<Record<string, number>>;
  /**
   * Share of samples whose probability the compiled loss clips, at either end (a perfect sample then counts
   * 1.19e-7), or null where it does not clip.
   */
  readonly clippedShare: number | null;
  /**
   * Share of samples whose loss is capped (at 16.118 by a crossentropy), which makes false plateaus, or null
   * where the loss does not clip. Not given by every evaluator.
   */
  readonly cappedShare?: number | null;
}

/**
 * Computes the loss at any θ. The seam between what a loss is (a TF.js model and its data, a worker
 * pool, a closed form in a test) and what is made of it (surfaces, fidelity, curvature).
 */
export interface LossEvaluator {
  readonly engine: EngineInfo;
  readonly lossMode: LossMode;
  /** What was asked for, where that leaves a choice: "auto". Not given by every evaluator. */
  readonly request?: EngineRequest;
  /** How many evaluations are to run at once, each with a θ of its own; it may change. Default 1. */
  readonly concurrency?: number;
  /** Length of θ. */
  readonly parameterCount: number;
  /** What the user should know of the choice of engine. Not given by every evaluator. */
  readonly warnings?: readonly LandscapeWarning[];
  /** Names of the metrics that `evaluate` returns. */
  readonly metricNames: readonly string[];
  /** Number of samples in the evaluation set. */
  readonly samples: number;
  /** sha-256 (hex) over the evaluation data, or the user's `dataId`. */
  readonly dataDigest: string;
  /** sha-256 (hex) over the model's architecture, compiled loss and metrics (not its weights). */
  readonly modelDigest: string;

  /**
   * Evaluates loss and metrics at `theta` (parameterCount, layout order).
   * `theta` may be reused by the caller as soon as the promise settles.
   *
   * @param name - what the point is called in errors.
   */
  evaluate(theta: Float32Array, signal?: AbortSignal, name?: string): Promise<LossValue>;

  /**
   * Prepares for many points of one plane; the evaluator must outlive it. Values differ from those of
   * `evaluate` by rounding only, and are bit-identical for the same plane. Not offered by every evaluator.
   */
  openPlane?(plane: PlaneVectors, signal?: AbortSignal): Promise<PlaneLoss>;

  /** Single samples of the evaluation set, for estimates from a part of it. Not offered by every evaluator. */
  readonly perSample?: SampleAccess;

  /** Puts the model's own weights back bit for bit and frees what the evaluator holds. Idempotent. */
  dispose(): void;
}
