import type { BackendChoice } from "../../backend/current-backend.js";
import type { WireError } from "../../base/errors.js";
import type { LandscapeWarning } from "../../base/warning.js";
import type { EngineEvaluatorOptions } from "../engine/engine-options.js";
import type { EngineInfo, LossMode, LossValue, SampleValues } from "../loss-evaluator.js";
import type { ModelRecipe } from "./model-recipe.js";
import type { SpooledData } from "./spooled-data.js";

/** Everything that a worker process needs before its first point. */
export interface WorkerOrder {
  readonly backend: BackendChoice;
  readonly threads: number;
  /** Module that is imported first, and the export that gives the data where they are not spooled. */
  readonly setup: { readonly file: string; readonly dataExport: string | null } | null;
  readonly model: ModelRecipe;
  readonly data: SpooledData | null;
  readonly options: Omit<EngineEvaluatorOptions, "signal" | "lossFunction">;
  /** Whether the loss is the set-up module's `lossFunction`. */
  readonly hasLossFunction: boolean;
  /** Digest of the model that is to come out; null: any. */
  readonly modelDigest: string;
}

/** What a worker's evaluator says of itself. */
export interface WorkerFacts {
  readonly engine: EngineInfo;
  readonly lossMode: LossMode;
  readonly parameterCount: number;
  readonly metricNames: readonly string[];
  readonly samples: number;
  readonly dataDigest: string;
  readonly modelDigest: string;
  readonly warnings: readonly LandscapeWarning[];
  readonly measured: Readonly<Record<string, number>>;
}

/** A plane in a file: θ* and its vectors one after another. */
export interface PlaneFile {
  readonly id: number;
  readonly file: string;
  readonly vectors: number;
}

/** Some samples of the evaluation set: positions, increasing; null means all of them. */
export interface SampleRows {
  readonly id: number;
  readonly rows: Int32Array | null;
}

/** How a worker recalibrates: on the first samples of the evaluation set. */
export interface Calibration {
  readonly sampleLimit?: number;
  readonly batchSize?: number;
}

/** Seconds of work whose answers a worker sends in one message, where it has more to do. */
export const SECONDS_A_MESSAGE = 0.02;

/** What a worker is asked to compute. */
export type WorkerWork =
  | { readonly kind: "theta"; readonly theta: Float32Array }
  | { readonly kind: "open"; readonly plane: PlaneFile }
  | { readonly kind: "point"; readonly plane: PlaneFile; readonly alpha: number; readonly beta: number }
  | { readonly kind: "classes" }
  | { readonly kind: "samples"; readonly samples: SampleRows; readonly theta: Float32Array }
  | { readonly kind: "calibration"; readonly calibration: Calibration }
  | { readonly kind: "recalibrate"; readonly calibration: Calibration; readonly theta: Float32Array };

/** One thing to compute; its answer comes under the same number. */
export interface WorkerTask {
  readonly id: number;
  readonly work: WorkerWork;
}

/** From the parent to a worker. */
export type WorkerRequest =
  | { readonly type: "start"; readonly order: WorkerOrder }
  | { readonly type: "work"; readonly tasks: readonly WorkerTask[] }
  | { readonly type: "abort"; readonly id: number }
  /** Forgets a plane, or some samples: both are numbered by one count. */
  | { readonly type: "close"; readonly plane: number };

/** A value or values of single samples; whether a plane that was opened is kept; classes; what was recalibrated. */
export type WorkerResult =
  | LossValue
  | SampleValues
  | { readonly isCached: boolean }
  | { readonly classes: Int32Array | null }
  | { readonly dataDigest: string; readonly samples: number }
  | { readonly theta: Float32Array };

/** What became of a task, and what computing it took. */
export type WorkerAnswer = { readonly id: number; readonly seconds: number } & (
  | { readonly result: WorkerResult }
  | { readonly error: WireError }
);

/** From a worker to the parent. */
export type WorkerReply =
  | { readonly type: "ready"; readonly facts: WorkerFacts }
  | { readonly type: "failed"; readonly error: WireError }
  | { readonly type: "answers"; readonly answers: readonly WorkerAnswer[] };
