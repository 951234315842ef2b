import type { LandscapeWarning } from "../base/warning.js";
import type { Stoppable } from "../base/work.js";
import type { SlicePoints } from "../directions/slice-map.js";
import type { EvaluationData } from "./evaluation-data.js";
import type { BatchNormPolicyName } from "./slice-loss.js";

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
  /** "webgpu" or "cuda" where a device was asked for and is no processor; absent otherwise. */
  readonly device?: string;
  /**
   * How far losses of the device were allowed to be from those of the processor, relative, where both were compared:
   * at the model's weights and at the corners of a plane, before it was chosen. Only with `device`.
   */
  readonly deviceTolerance?: number;
}

/** What was asked of an engine: part of what a stored result is known by. */
export interface EngineRequest {
  /** "auto", or an engine by name. */
  readonly engine: string;
  /** null where they were left to be chosen. */
  readonly batchSize: number | null;
  readonly threads: number | null;
  /** Absent where none was asked for, or the processor. */
  readonly device?: string;
}

/** The set on which batch norm's statistics are computed anew. */
export interface CalibrationFacts {
  /** sha-256 (hex) or name of the calibration set. */
  readonly dataDigest: string;
  /** Samples used. */
  readonly samples: number;
}

/** What an evaluator is, as plain data: it does not change while the evaluator lives. */
export interface EvaluatorFacts {
  readonly engine: EngineInfo;
  /** What was asked for, where that leaves a choice: "auto". Not given by every evaluator. */
  readonly request?: EngineRequest | undefined;
  readonly lossMode: LossMode;
  /** Length of θ. */
  readonly parameterCount: number;
  /** Names of the metrics that `evaluate` returns. */
  readonly metricNames: readonly string[];
  /** Number of samples in the evaluation set. */
  readonly samples: number;
  /** sha-256 (hex) over the evaluation data, or the user's `dataId`. */
  readonly dataDigest: string;
  /** sha-256 (hex) over the model's architecture, compiled loss and metrics (not its weights). */
  readonly modelDigest: string;
  /** How samples are weighted in the loss: "class weights 0: 1, 1: 5". Absent where they all count the same. */
  readonly weights?: string | undefined;
  /** What batch norm "recalibrate" uses; null or absent where it cannot be asked for. */
  readonly calibration?: CalibrationFacts | null | undefined;
  /** What the user should know of the choice of engine. */
  readonly warnings?: readonly LandscapeWarning[] | undefined;
  /** Seconds per sample by engine, as measured for the choice; empty where nothing was to be chosen. */
  readonly measured?: Readonly<Record<string, number>> | undefined;
  /** Worker processes that are kept running; absent where this process evaluates. */
  readonly workers?: number | undefined;
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
  /** Weights whose values leave no loss (a negative variance), where that was found; the loss is then NaN. */
  readonly undefinedWeights?: readonly string[] | undefined;
}

/** Whether a metric is an accuracy, a share of 1. */
export function isAccuracy(name: string): boolean {
  return /(^|_|[a-z])acc(uracy)?$/i.test(name);
}

/** How one point is evaluated. */
export interface PointEvaluation extends Stoppable {
  /** What the point is called in errors. Default "theta" or its coordinates. */
  readonly name?: string | undefined;
}

/** How the loss at a θ is evaluated. */
export interface ThetaEvaluation extends PointEvaluation {
  /** "recalibrate" computes batch norm's statistics anew first; otherwise they are those of θ. Default none. */
  readonly batchNorm?: BatchNormPolicyName | undefined;
}

/** How the points of a slice are evaluated. */
export interface SliceEvaluation extends Stoppable {
  /** What becomes of batch norm's statistics at each point. Default: they move with the other weights. */
  readonly batchNorm?: BatchNormPolicyName | undefined;
  /**
   * Points that are to be evaluated, roughly: from 16 on, work that the points of a plane share is done once where
   * that helps. Values then differ from those of `evaluate` by rounding, and are bit-identical for the same
   * plane. Default 0.
   */
  readonly points?: number | undefined;
}

/** Computes losses at the points of one slice. */
export interface SliceLoss {
  /** Whether work that the points share was done once. */
  readonly isPrepared: boolean;
  /** Loss and metrics at a point. Only the coordinates travel to a worker process. */
  evaluate(alpha: number, beta: number, how?: PointEvaluation): Promise<LossValue>;
  /**
   * Writes θ at a point into `out` (parameterCount), with the statistics that "keep" or "interpolate" give it;
   * those of "recalibrate" are computed where θ is evaluated.
   *
   * @returns names of weights whose values leave no loss there; it is NaN then.
   */
  writeInto(out: Float32Array, alpha: number, beta: number): readonly string[];
  /** Frees what is kept for the slice. Idempotent. */
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
  /** Returns the class of each sample, or null where the targets are no classes. */
  classes(signal?: AbortSignal): Promise<Int32Array | null>;
  /** Losses and metrics at `theta` (parameterCount, layout order), in the order of the rows asked for. */
  losses(theta: Float32Array, how?: ThetaEvaluation): Promise<SampleValues>;
  /**
   * The same at a point of a slice of the same evaluator, with its treatment of batch norm, where only coordinates
   * travel to a worker process. Default, and null where the slice is no such one: `losses` at what the slice writes.
   */
  lossesOn?(
    slice: SliceLoss,
    alpha: number,
    beta: number,
    how?: PointEvaluation,
  ): Promise<SampleValues> | null;
  /** Frees what is held for these samples. Idempotent. */
  dispose(): void;
}

/** What another evaluation set changes beside the data. */
export interface OtherDataOptions {
  /** What the data are called, instead of a digest of their values. Default a sha-256. */
  readonly dataId?: string | undefined;
  /** Engine, batch size and threads of an earlier evaluation on these data. Default those of this evaluator. */
  readonly reuse?: Pick<EngineInfo, "name" | "batchSize" | "threads" | "device"> | undefined;
  /** Export of the set-up module that gives the data in each worker process. Default none. */
  readonly dataExport?: string | undefined;
  /** Stops the reading of the data. Default none. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Computes the loss at any θ. The seam between what a loss is (a TF.js model and its data, worker processes, a
 * closed form in a test) and what is made of it (surfaces, fidelity, curvature). Facts, `evaluate` and `dispose`
 * make an evaluator; the rest is what some can do better.
 */
export interface LossEvaluator {
  readonly facts: EvaluatorFacts;
  /** How many evaluations are to be under way at once; it may change. Default 1. */
  readonly concurrency?: number;

  /**
   * Evaluates loss and metrics at `theta` (parameterCount, layout order).
   * `theta` may be reused by the caller as soon as the promise settles.
   */
  evaluate(theta: Float32Array, how?: ThetaEvaluation): Promise<LossValue>;

  /**
   * Prepares for the points of one slice; the evaluator must outlive it. See `openSlice` for evaluators without
   * it: those know nothing of batch norm.
   */
  openSlice?(slice: SlicePoints, how?: SliceEvaluation): Promise<SliceLoss>;

  /**
   * Opens some samples of the evaluation set, each to be evaluated by itself; the evaluator must outlive them.
   *
   * @param rows - positions of the samples in the evaluation set, increasing; null means all of them.
   */
  openSamples?(rows: Int32Array | null, signal?: AbortSignal): Promise<SampleEvaluator>;

  /**
   * Opens an evaluator of the same model on other data. It shares processes and calibration set with this one;
   * either may be disposed first.
   */
  withData?(data: EvaluationData, options?: OtherDataOptions): Promise<LossEvaluator>;

  /** Puts the model's own weights back bit for bit and frees what the evaluator holds. Idempotent. */
  dispose(): void;
}

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
  /** Whether the engine has taken another form for them than for whole sets. Default false. */
  readonly isForFew?: boolean | undefined;
  /** Evaluates at `theta` (parameterCount, layout order), in the order of the rows asked for. */
  evaluate(theta: Float32Array, signal?: AbortSignal): Promise<SampleValues>;
  /** Frees what is held for these samples. Idempotent. */
  dispose(): void;
}

/** How single samples are opened. */
export interface RowOptions extends Stoppable {
  /**
   * Whether they are evaluated for themselves, so that an engine may take a form that is faster for so few. Default
   * false: the form of whole sets, by which these are checked.
   */
  readonly isSubsample?: boolean | undefined;
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
  open(rows: Int32Array | null, how?: RowOptions): Promise<RowEvaluator>;
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

/** Something that work uses, and that is freed once it is closed and no work is under way. */
export interface SharedUse {
  isClosed(): boolean;
  /** Runs work that uses it; what was begun before `close` still finds it. */
  run<T>(work: () => Promise<T>): Promise<T>;
  close(): void;
}

/** @param free - frees it; called once. */
export function createSharedUse(free: () => void): SharedUse {
  let pending = 0;
  let isClosed = false;
  let isFreed = false;
  const freeIfIdle = (): void => {
    if (!isClosed || isFreed || pending > 0) return;
    isFreed = true;
    free();
  };
  return {
    isClosed: () => isClosed,
    async run(work) {
      pending++;
      try {
        return await work();
      } finally {
        pending--;
        freeIfIdle();
      }
    },
    close() {
      isClosed = true;
      freeIfIdle();
    },
  };
}
