import type { LandscapeWarning } from "../warning.js";
import type { PlaneLoss, PlaneVectors } from "./plane-loss.js";
import type { SampleAccess } from "./sample-evaluator.js";

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
