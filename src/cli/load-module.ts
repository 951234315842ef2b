import { resolve } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import { importModule } from "../base/import-module.js";
import { beforeExit } from "../capture/write-queue.js";
import type { ClassWeights, EvaluationData } from "../loss/evaluation-data.js";
import type { BatchLossFunction } from "../loss/loss-options.js";
import type { VariablesLoss } from "../loss/variables-evaluator.js";

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
  for (const name of ["loadModel", "loadLoss"]) {
    if (loaded[name] === undefined || typeof loaded[name] === "function") continue;
    throw new InvalidOptionError(where, `${name} to be a function`, withArticle(typeof loaded[name]));
  }
  return {
    dataName: loaded.dataName as string | undefined,
    classWeight: loaded.classWeight as ClassWeights | undefined,
    hasModel: loaded.loadModel !== undefined,
    hasLoss: loaded.loadLoss !== undefined,
    has: (name) => loaded[name] !== undefined,
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

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
