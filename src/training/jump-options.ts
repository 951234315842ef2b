import type * as tf from "@tensorflow/tfjs";
import { InvalidOptionError } from "../base/errors.js";
import { refuseRenamed } from "../base/option-names.js";
import { type NormalizeOptions, resolveNormalizeOptions } from "../directions/normalize.js";
import type { TaskRunner } from "../jobs/task-runner.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import type { LossMode } from "../loss/loss-evaluator.js";
import { checkSeed } from "../math/random.js";
import type { SnapshotInfo } from "../store/run/run.js";
import {
  describeRetrainOptimizer,
  type OptimizerDescription,
  type RetrainOptimizerName,
} from "./retrain-optimizer.js";

/** One jump: a direction by its seed, and how far. */
export interface Jump {
  /** Seed of the direction, of the order of batches and of dropout. */
  readonly seed: number;
  /** s of θ_0 = θ* + s·d, in units of the direction. */
  readonly distance: number;
  /** Absolute path of its run directory. */
  readonly directory: string;
  /** Name of its run. */
  readonly name: string;
}

/** A jump and what became of it. */
export interface JumpRun extends Jump {
  /** Whether it was trained now or found complete from an earlier call. */
  readonly status: "made" | "found";
  /**
   * The state just after the jump, then one after each epoch (epochs + 1). `logs` holds the exact loss and
   * metrics in evaluation mode: `loss` of the training set, `val_loss` and `test_loss` where there are such
   * sets, metrics likewise (`acc`, `val_acc`, `test_acc`).
   */
  readonly states: readonly SnapshotInfo[];
}

/** Name of a jump's folder: "seed-0_step-0.25". */
export function jumpFolder(seed: number, distance: number): string {
  return `seed-${seed}_step-${distance}`;
}

/** What jumps retrain and are judged on. */
export interface JumpData {
  /** The set that the network is retrained on, labels included. */
  readonly train: EvaluationData;
  /** A set that is only evaluated: `val_loss`, … in the logs. Default none. */
  readonly validation?: EvaluationData;
  /** A set that is only evaluated: `test_loss`, … in the logs. Default none. */
  readonly test?: EvaluationData;
}

/** Options of {@link jumpAndRetrain}. The defaults are those of Horoi et al. 2022. */
export interface JumpOptions extends NormalizeOptions {
  /** Folder for the runs, one folder in it for each jump; made with its parents. Required. */
  readonly directory: string;
  /** One random direction and one order of batches for each; 0 is a seed. Default 0, 1, 2, 3. */
  readonly seeds?: readonly number[];
  /** How far each jump θ* + s·d goes: s, above 0. Default 0.25, 0.5, 0.75, 1. */
  readonly distances?: readonly number[];
  /** Epochs of retraining. Default 40. */
  readonly epochs?: number;
  /** Samples per update. Default 32, as in `model.fit`. */
  readonly batchSize?: number;
  /** By name, or an optimizer whose class and settings are taken; always restarted. Default "momentum". */
  readonly optimizer?: RetrainOptimizerName | tf.Optimizer;
  /** Learning rate of an optimizer by name. Default 0.001. */
  readonly learningRate?: number;
  /** Momentum of "momentum" (default 0.9) or "rmsprop" (default 0). */
  readonly momentum?: number;
  /** Added to the gradient of every trainable weight w as weightDecay·w, as PyTorch does. Default 1e-4. */
  readonly weightDecay?: number;
  /** How the losses of the states are computed (training always uses the compiled loss). Default "model". */
  readonly loss?: LossMode;
  /** What the optimum is called, for the names of the runs. Default: the model's name. */
  readonly name?: string;
  /** Processes that retrain; 1 works in this one. The results do not depend on it. Default 1. */
  readonly workers?: number;
  /**
   * What runs the processes that retrain, such as workers on other machines (`createQueueRunner`), with one thread in each; the
   * runs come into `directory`. Default processes of this machine.
   */
  readonly runner?: TaskRunner | undefined;
  /**
   * Module that these processes import first: it registers custom layers, and gives losses and metrics that are functions by
   * `loadModel()`. Default none.
   */
  readonly setup?: string | undefined;
  /** Replaces runs that were made from something else, or are damaged. Default false: such a run is an error. */
  readonly overwrite?: boolean;
  /** Stops between two updates; jumps that are complete are kept. Default none. */
  readonly signal?: AbortSignal | undefined;
  /** Told after each jump: how many are there of how many, and the one that was just made or found. */
  readonly onProgress?: (done: number, total: number, run: JumpRun) => void;
}

/** What a jump is made with: plain data, the same in every process. */
export interface JumpRecipe {
  readonly seeds: readonly number[];
  readonly distances: readonly number[];
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: OptimizerDescription;
  readonly weightDecay: number;
  readonly loss: LossMode;
  readonly direction: Required<NormalizeOptions>;
}

/**
 * Checks options and fills in the defaults.
 *
 * @throws {@link InvalidOptionError} naming the first option that cannot be used.
 */
export function resolveJumpRecipe(options: JumpOptions): JumpRecipe {
  refuseRenamed(options, "jump");
  const { seeds = [0, 1, 2, 3], distances = [0.25, 0.5, 0.75, 1] } = options;
  const { loss = "model", weightDecay = 1e-4 } = options;
  if (typeof options.directory !== "string" || options.directory === "") {
    throw new InvalidOptionError("directory", "a path", JSON.stringify(options.directory) ?? "none");
  }
  checkList("seeds", seeds);
  for (const seed of seeds) checkSeed(seed);
  checkList("distances", distances);
  for (const distance of distances) {
    if (Number.isFinite(distance) && distance > 0) continue;
    throw new InvalidOptionError("distances", "numbers above 0", String(distance));
  }
  if (loss !== "model" && loss !== "logits") {
    throw new InvalidOptionError("loss", '"model" or "logits"', JSON.stringify(loss));
  }
  if (!(Number.isFinite(weightDecay) && weightDecay >= 0)) {
    throw new InvalidOptionError("weightDecay", "a number of at least 0", String(weightDecay));
  }
  return {
    seeds: [...seeds],
    distances: [...distances],
    epochs: checkedCount("epochs", options.epochs ?? 40),
    batchSize: checkedCount("batchSize", options.batchSize ?? 32),
    optimizer: describeRetrainOptimizer(options),
    weightDecay,
    loss,
    direction: resolveNormalizeOptions(options),
  };
}

/** @throws {@link InvalidOptionError} if `value` is no integer of at least 1. */
export function checkedCount(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidOptionError(name, "an integer of at least 1", String(value));
}

function checkList(name: string, values: readonly number[]): void {
  if (!Array.isArray(values) || values.length === 0) {
    throw new InvalidOptionError(name, "a list of at least one number", JSON.stringify(values));
  }
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice !== undefined) throw new InvalidOptionError(name, "each number once", `${twice} twice`);
}
