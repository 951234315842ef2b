import type { BackendChoice } from "../../backend/current-backend.js";
import type { WireError } from "../../base/errors.js";
import type { MixtureForm } from "../../directions/mixture.js";
import type { BatchNormPolicyName } from "../batch-norm-policy.js";
import type { LossEvaluatorOptions } from "../create-loss-evaluator.js";
import type { EvaluatorFacts, LossValue, SampleValues, SliceEvaluation } from "../loss-evaluator.js";
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
  readonly options: Omit<LossEvaluatorOptions, "signal" | "lossFunction">;
  /** Whether the loss is the set-up module's `lossFunction`. */
  readonly hasLossFunction: boolean;
  /** Calibration set of its own; null: that of `options.calibration`, on the evaluation set. */
  readonly calibration: SpooledData | null;
  /** Digest of the model that is to come out. */
  readonly modelDigest: string;
}

/** A slice in a file: θ* and its vectors, or the models that are mixed, one after another. */
export interface SliceFile {
  readonly id: number;
  readonly file: string;
  readonly form: "plane" | MixtureForm;
  /** Vectors in the file. */
  readonly count: number;
  readonly how: Pick<SliceEvaluation, "batchNorm" | "points">;
}

/** Some samples of the evaluation set: positions, increasing; null means all of them. */
export interface SampleRows {
  readonly id: number;
  readonly rows: Int32Array | null;
}

/** Seconds of work whose answers a worker sends in one message, where it has more to do. */
export const SECONDS_A_MESSAGE = 0.02;

/** What a worker is asked to compute. */
export type WorkerWork =
  | {
      readonly kind: "theta";
      readonly theta: Float32Array;
      readonly batchNorm?: BatchNormPolicyName | undefined;
    }
  | { readonly kind: "open"; readonly slice: SliceFile }
  | { readonly kind: "point"; readonly slice: SliceFile; readonly alpha: number; readonly beta: number }
  | { readonly kind: "classes"; readonly samples: SampleRows }
  | {
      readonly kind: "samples";
      readonly samples: SampleRows;
      readonly theta: Float32Array;
      readonly batchNorm?: BatchNormPolicyName | undefined;
    };

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
  /** Forgets a slice, or some samples: both are numbered by one count. */
  | { readonly type: "close"; readonly id: number };

/** A value or values of single samples; whether work is shared on a slice that was opened; classes. */
export type WorkerResult =
  | LossValue
  | SampleValues
  | { readonly isPrepared: boolean }
  | { readonly classes: Int32Array | null };

/** What became of a task, and what computing it took. */
export type WorkerAnswer = { readonly id: number; readonly seconds: number } & (
  | { readonly result: WorkerResult }
  | { readonly error: WireError }
);

/** From a worker to the parent. */
export type WorkerReply =
  | { readonly type: "ready"; readonly facts: EvaluatorFacts }
  | { readonly type: "failed"; readonly error: WireError }
  | { readonly type: "answers"; readonly answers: readonly WorkerAnswer[] };
