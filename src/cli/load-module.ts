import { resolve } from "node:path";
import * as tf from "@tensorflow/tfjs";
import type { CreateSweepFigures } from "../analysis/sweep-report.js";
import { EvaluationError, InvalidDataError, InvalidOptionError, messageOf } from "../base/errors.js";
import { importModule } from "../base/import-module.js";
import { defined } from "../base/json.js";
import { beforeExit } from "../capture/write-queue.js";
import { checkGaussNewton } from "../curvature/create-curvature.js";
import {
  type ClassWeights,
  type EvaluationData,
  isBatchDataset,
  refuseTooMany,
} from "../loss/evaluation-data.js";
import type { BatchLossFunction, ModelLossOptions } from "../loss/loss-options.js";
import type { VariablesLoss } from "../loss/variables-evaluator.js";
import type { Run } from "../store/run/run.js";
import { trainedModel } from "../store/run/trained-model.js";
import type { EvaluationCommandOptions, LossCommandOptions } from "./evaluation-options.js";

/** The functions of a data module that give an evaluation set. */
export type DataExport = "loadData" | "loadTestData" | "loadValidationData";

/** A user's data module: the evaluation sets and, where run.json cannot say it, the model. */
export interface DataModule {
  /** A short name of the evaluation set for captions, e.g. "2,000 training images of MNIST". */
  readonly dataName: string | undefined;
  /** Weights in the loss by class, as `fit` takes them: `{ 0: 1, 1: 5 }`. */
  readonly classWeight: ClassWeights | undefined;
  /** Whether it exports `loadModel`, for models with custom layers, losses or metrics. */
  readonly hasModel: boolean;
  /** Whether it exports this set: "loadTestData" is held out, "loadValidationData" is for `jump`. */
  has(name: DataExport): boolean;
  /** Whether the function of a set may make use of an argument: one that cannot gives the same set for all. */
  takesArgument(name: DataExport): boolean;
  /**
   * The set that one of its functions gives: `{ xs, ys }` or a `tf.data.Dataset`.
   *
   * @throws {InvalidDataError} if the function throws.
   */
  load(name: DataExport): Promise<EvaluationData>;
  /**
   * The compiled model that its `loadModel` gives; null if it exports none.
   *
   * @throws {InvalidDataError} if that throws or gives something else than a model.
   */
  loadModel(): Promise<tf.LayersModel | null>;
  /** Whether it exports `loadLoss`. */
  readonly hasLoss: boolean;
  /**
   * The loss that its `loadLoss` gives, a function: of a run recorded from variables, `(weights, xs, ys)`; of a model,
   * `(model, xs, ys)` in place of the compiled loss. null if it exports none.
   *
   * @throws {InvalidDataError} if that throws or gives no function.
   */
  loadLoss(): Promise<VariablesLoss | BatchLossFunction | null>;
}

/**
 * Loads a user's JavaScript or TypeScript module by path.
 *
 * @param argument - what its functions that give data are called with: the settings of a sweep. Default nothing.
 * @throws {InvalidOptionError} if it cannot be loaded, or has no `loadData`.
 */
export async function loadDataModule(path: string, argument?: object): Promise<DataModule> {
  const where = `--data ${path}`;
  const loaded = await importFile(resolve(path), where);
  if (typeof loaded.loadData !== "function") {
    const names = Object.keys(loaded).join(", ") || "nothing";
    throw new InvalidOptionError(where, "an exported function loadData()", `exports ${names}`);
  }
  for (const name of ["loadTestData", "loadValidationData", "loadModel", "loadLoss"]) {
    if (loaded[name] === undefined || typeof loaded[name] === "function") continue;
    throw new InvalidOptionError(where, `${name} to be a function`, withArticle(typeof loaded[name]));
  }
  return {
    dataName: loaded.dataName as string | undefined,
    classWeight: loaded.classWeight as ClassWeights | undefined,
    hasModel: loaded.loadModel !== undefined,
    hasLoss: loaded.loadLoss !== undefined,
    has: (name) => loaded[name] !== undefined,
    takesArgument: (name) => takesArgument(loaded[name]),
    async load(name) {
      const load = loaded[name] as
        | ((argument?: object) => EvaluationData | Promise<EvaluationData>)
        | undefined;
      if (load === undefined) throw new InvalidOptionError(where, `an exported function ${name}()`, "none");
      try {
        return await settled(() => load(argument));
      } catch (cause) {
        throw new InvalidDataError(`${where}: ${name}()`, "data", `an error: ${messageOf(cause)}`, { cause });
      }
    },
    async loadModel() {
      if (loaded.loadModel === undefined) return null;
      return modelFrom(loaded.loadModel as () => unknown, `${where}: loadModel()`);
    },
    async loadLoss() {
      if (loaded.loadLoss === undefined) return null;
      return lossFrom(loaded.loadLoss as () => unknown, `${where}: loadLoss()`);
    },
  };
}

/** Whether a function may make use of an argument; default values and rest parameters are none of its `length`. */
function takesArgument(value: unknown): boolean {
  if (typeof value !== "function" || value.length > 0) return true;
  const text = String(value);
  return !/^[^(]*\(\s*\)/.test(text) || /\barguments\b|\[native code\]/.test(text);
}

/**
 * Loads the function by which a sweep's module makes figures of its own; null if it exports none.
 *
 * @throws {InvalidOptionError} if `createFigures` is something else than a function.
 */
export async function loadSweepFigures(path: string): Promise<CreateSweepFigures | null> {
  const loaded = await importFile(resolve(path), path);
  const inner = loaded.default as { readonly createFigures?: unknown } | null | undefined;
  const createFigures = loaded.createFigures ?? inner?.createFigures;
  if (createFigures === undefined) return null;
  if (typeof createFigures !== "function")
    throw new InvalidOptionError(path, "createFigures to be a function", withArticle(typeof createFigures));
  return (runs, task) => settled(() => (createFigures as CreateSweepFigures)(runs, task));
}

async function modelFrom(load: () => unknown, where: string): Promise<tf.LayersModel> {
  let model: unknown;
  try {
    model = await settled(load);
  } catch (cause) {
    throw new InvalidDataError(where, "a compiled tf.LayersModel", `an error: ${messageOf(cause)}`, {
      cause,
    });
  }
  if (model instanceof tf.LayersModel) return model;
  const got = model === null || model === undefined ? String(model) : withArticle(typeof model);
  throw new InvalidDataError(where, "a compiled tf.LayersModel of the same copy of @tensorflow/tfjs", got);
}

async function lossFrom(load: () => unknown, where: string): Promise<VariablesLoss | BatchLossFunction> {
  let loss: unknown;
  try {
    loss = await settled(load);
  } catch (cause) {
    throw new InvalidDataError(where, "a loss function", `an error: ${messageOf(cause)}`, { cause });
  }
  if (typeof loss === "function") return loss as VariablesLoss | BatchLossFunction;
  const got = loss === null || loss === undefined ? String(loss) : withArticle(typeof loss);
  throw new InvalidDataError(where, "a function (weights, xs, ys) => loss", got);
}

async function importFile(file: string, where: string): Promise<Record<string, unknown>> {
  try {
    return await settled(() => importModule(file));
  } catch (cause) {
    throw new InvalidOptionError(where, "a module that loads", `an error: ${messageOf(cause)}`, { cause });
  }
}

/** What `load` gives; an error where it promises something and nothing is left that could keep the promise. */
async function settled<T>(load: () => T | Promise<T>): Promise<T> {
  let callOff = (): void => {};
  const never = new Promise<never>((_, reject) => {
    callOff = beforeExit(async () => reject(new Error("its promise never settles")));
  });
  try {
    return await Promise.race([load(), never]);
  } finally {
    callOff();
  }
}

function withArticle(type: string): string {
  return `${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`;
}

/**
 * Returns the compiled model that a run's losses are those of: the module's, or the run's own with trained weights; null
 * where the run was recorded from variables and the module gives none. Where the module gives the loss, the model's own
 * is not needed, and may be a function that the manifest cannot hold.
 */
export async function modelOfRun(
  run: Run,
  module: DataModule,
  options: EvaluationCommandOptions,
): Promise<tf.LayersModel | null> {
  const own = await module.loadModel();
  if (own !== null) return own;
  const { manifest } = run;
  if (manifest.model === null) {
    checkVariables(module, options);
    return null;
  }
  if (!module.hasLoss) return trainedModel(run);
  const model = await trainedModel(run, { ...manifest, loss: "meanSquaredError", metrics: null });
  // What targets such a loss takes, only the function knows.
  model.compile({ optimizer: model.optimizer, loss: (_yTrue: tf.Tensor, yPred: tf.Tensor) => yPred });
  return model;
}

/** Refuses what a run without a model cannot have, before any data is read. */
export function checkVariables(
  { hasLoss, classWeight }: DataModule,
  { data, workers, redis, spool, engine = "auto", device, loss, batchNorm }: EvaluationCommandOptions,
): void {
  if (!hasLoss) {
    throw new InvalidOptionError(
      `--data ${data}`,
      "an exported function loadLoss(), since the run was recorded from variables and has no model",
      "none",
      { hint: "it returns (weights, xs, ys) => loss; or export loadModel()" },
    );
  }
  const refused = (name: string, got: string): never => {
    throw new InvalidOptionError(name, "none for a run of variables, whose loss is a function", got);
  };
  if (workers !== undefined) refused("--workers", String(workers));
  if (redis !== undefined) refused("--redis", "an address");
  if (spool !== undefined) refused("--spool", spool);
  if (engine !== "auto") refused("--engine", engine);
  if (device !== undefined) refused("--device", device);
  if (loss === "logits") refused("--loss", loss);
  if (batchNorm !== undefined) refused("--batch-norm", batchNorm);
  if (classWeight !== undefined) refused("classWeight", "weights (weigh in the loss function)");
}

/** How the loss of a model is computed, as module and options say it. */
export async function lossOf(
  module: DataModule,
  { loss, keepNonFiniteData, samples, regularization }: Omit<LossCommandOptions, "data">,
): Promise<ModelAndData["loss"]> {
  const lossFunction = await module.loadLoss();
  const nonFiniteData = keepNonFiniteData === true ? ("keep" as const) : undefined;
  return {
    loss,
    ...(lossFunction === null ? {} : { lossFunction: lossFunction as BatchLossFunction }),
    classWeight: module.classWeight,
    nonFiniteData,
    ...defined({ sampleLimit: samples, includeRegularization: regularization }),
  };
}

/** Refuses Gauss-Newton products of a loss that has none, before any data is read. */
export async function checkLoss(
  model: tf.LayersModel | null,
  module: DataModule,
  options: LossCommandOptions,
): Promise<void> {
  if (options.gaussNewton !== true || model === null) return;
  try {
    checkGaussNewton(model, await lossOf(module, options));
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    const hint = module.hasLoss ? {} : { hint: "add --loss logits" };
    throw new InvalidOptionError("--gauss-newton", error.expected, error.got, { ...hint, cause: error });
  }
}

/**
 * Refuses more samples than there are in tensors; how many a data set of batches has shows when it is read.
 *
 * @param option - as the command line names it.
 */
export function checkSampleCount(option: string, wanted: number | undefined, data: EvaluationData): void {
  if (wanted === undefined || isBatchDataset(data)) return;
  const [given] = [data.xs].flat() as readonly (tf.Tensor | Readonly<Record<string, tf.Tensor>>)[];
  const first = given !== undefined && "shape" in given ? given : Object.values(given ?? {})[0];
  refuseTooMany(option, wanted, (first as tf.Tensor | undefined)?.shape[0] ?? wanted);
}

/** A model with data, for what needs more than its losses. */
export interface ModelAndData {
  readonly model: tf.LayersModel;
  /** Whether the data module gives the model or the loss, so that whoever computes needs it. */
  readonly isOfModule: boolean;
  readonly data: EvaluationData;
  readonly dataName: string | undefined;
  /** How its loss is computed on them. */
  readonly loss: Pick<
    ModelLossOptions,
    "loss" | "lossFunction" | "classWeight" | "nonFiniteData" | "sampleLimit" | "includeRegularization"
  >;
}
