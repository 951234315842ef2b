import type { BackendChoice } from "../../backend/current-backend.js";
import type { MixtureForm } from "../../directions/mixture.js";
import type { EvaluatorFacts, LossValue, SampleValues, SliceEvaluation } from "../loss-evaluator.js";
import type { LossEvaluatorOptions } from "../loss-options.js";
import type { BatchNormPolicyName } from "../slice-loss.js";
import type { ModelRecipe } from "./model-recipe.js";
import type { SpooledData } from "./spooled-data.js";

/** Everything that a process needs before its first point, and the first evaluation set. */
export interface LossOrder {
  readonly backend: BackendChoice;
  /** Module that is imported first. */
  readonly setup: string | null;
  readonly model: ModelRecipe;
  readonly options: Omit<
    LossEvaluatorOptions,
    "signal" | "lossFunction" | "workers" | "setup" | "dataExport"
  >;
  /** Calibration set of its own; null: that of `options.calibration`, on the evaluation set. */
  readonly calibration: SpooledData | null;
  /** Whether the loss is the set-up module's `lossFunction`. */
  readonly hasLossFunction: boolean;
  /** Digest of the model that is to come out. */
  readonly modelDigest: string;
  readonly set: EvaluationSetOrder;
}

/** An evaluation set: from files, or from an export of the set-up module. */
export interface EvaluationSetOrder {
  readonly data: SpooledData | null;
  readonly dataExport: string | null;
  /** What it changes in the options. */
  readonly options: Pick<LossEvaluatorOptions, "dataId" | "reuse">;
}

/** Another evaluation set: its order, as JSON in a file, since it travels with every task. */
export interface SetFile {
  readonly id: number;
  readonly file: string;
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

/** On what a task is done; null: the set of the order. */
interface OnSet {
  readonly set: SetFile | null;
}

/** A θ and how its statistics are treated. */
interface AtTheta {
  readonly theta: Float32Array;
  readonly batchNorm: BatchNormPolicyName | undefined;
}

/** What a process with a model computes. */
export type LossOperations = {
  /** sha-256 of the bits of two losses, which tells machines apart that differ in any. */
  readonly probe: (input: null) => string;
  readonly openSet: (input: OnSet) => EvaluatorFacts;
  readonly evaluate: (input: OnSet & AtTheta) => LossValue;
  readonly openSlice: (input: OnSet & { readonly slice: SliceFile }) => { readonly isPrepared: boolean };
  readonly point: (
    input: OnSet & { readonly slice: SliceFile; readonly alpha: number; readonly beta: number },
  ) => LossValue;
  readonly classes: (input: OnSet & { readonly samples: SampleRows }) => Int32Array | null;
  readonly losses: (input: OnSet & AtTheta & { readonly samples: SampleRows }) => SampleValues;
  readonly lossesOn: (
    input: OnSet & {
      readonly samples: SampleRows;
      readonly slice: SliceFile;
      readonly alpha: number;
      readonly beta: number;
    },
  ) => SampleValues;
};

/** Keys of what processes keep, as they are forgotten. */
export const keyOf = {
  set: ({ id }: SetFile) => `set ${id}`,
  slice: ({ id }: SliceFile) => `slice ${id}`,
  samples: ({ id }: SampleRows) => `samples ${id}`,
};
