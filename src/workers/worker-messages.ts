import type { BackendChoice } from "../backend/backend-info.js";
import type { EngineEvaluatorOptions } from "../engine/engine-options.js";
import type { EngineInfo, LossMode, LossValue } from "../model/loss-evaluator.js";
import type { LandscapeWarning } from "../warning.js";
import type { WireError } from "../wire-error.js";
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

/** What a worker is asked to compute. */
export type WorkerWork =
  | { readonly kind: "theta"; readonly theta: Float32Array }
  | { readonly kind: "open"; readonly plane: PlaneFile }
  | { readonly kind: "point"; readonly plane: PlaneFile; readonly alpha: number; readonly beta: number };

/** From the parent to a worker. */
export type WorkerRequest =
  | { readonly type: "start"; readonly order: WorkerOrder }
  | { readonly type: "work"; readonly id: number; readonly work: WorkerWork }
  | { readonly type: "abort"; readonly id: number }
  | { readonly type: "close"; readonly plane: number };

/** A value, or whether a plane that was opened is kept. */
export type WorkerResult = LossValue | { readonly isCached: boolean };

/** From a worker to the parent. */
export type WorkerReply =
  | { readonly type: "ready"; readonly facts: WorkerFacts }
  | { readonly type: "failed"; readonly error: WireError }
  | { readonly type: "done"; readonly id: number; readonly result: WorkerResult }
  | { readonly type: "error"; readonly id: number; readonly error: WireError };
