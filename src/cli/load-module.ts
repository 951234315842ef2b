import { resolve } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import { importModule } from "../base/import-module.js";
import { beforeExit } from "../capture/write-queue.js";
import type { ClassWeights, EvaluationData } from "../loss/evaluation-data.js";

/** What a user's data module gives: the evaluation set and, where run.json cannot say it, the model. */
export interface DataModule {
  /** The evaluation set: `{ xs, ys }` or a `tf.data.Dataset`. */
  readonly loadData: () => EvaluationData | Promise<EvaluationData>;
  /** The compiled model, for models with custom layers, losses or metrics. Optional. */
  readonly loadModel?: () => tf.LayersModel | Promise<tf.LayersModel>;
  /** A held-out set, for `jump` and commands with `--test`. Optional. */
  readonly loadTestData?: () => EvaluationData | Promise<EvaluationData>;
  /** A set to choose settings by, for `jump`. Optional. */
  readonly loadValidationData?: () => EvaluationData | Promise<EvaluationData>;
  /** Weights in the loss by class, as `fit` takes them: `{ 0: 1, 1: 5 }`. Optional. */
  readonly classWeight?: ClassWeights;
  /** A short name of the evaluation set for captions, e.g. "2,000 training images of MNIST". Optional. */
  readonly dataName?: string;
}

/**
 * Loads a user's JavaScript or TypeScript module by path.
 *
 * @throws {InvalidOptionError} if it cannot be loaded, or has no `loadData`.
 */
export async function loadDataModule(path: string): Promise<DataModule> {
  const where = `--data ${path}`;
  const loaded = await importFile(resolve(path), where);
  if (typeof loaded.loadData !== "function") {
    const names = Object.keys(loaded).join(", ") || "nothing";
    throw new InvalidOptionError(where, "an exported function loadData()", `exports ${names}`);
  }
  if (loaded.loadModel !== undefined && typeof loaded.loadModel !== "function") {
    throw new InvalidOptionError(where, "loadModel to be a function", withArticle(typeof loaded.loadModel));
  }
  return loaded as unknown as DataModule;
}

/** Calls a module's `loadData` (or one of the others) and says where an error came from. */
export async function loadEvaluationData(
  module: DataModule,
  path: string,
  name: "loadData" | "loadTestData" | "loadValidationData" = "loadData",
): Promise<EvaluationData> {
  const where = `--data ${path}: ${name}()`;
  const load = module[name];
  if (load === undefined)
    throw new InvalidOptionError(`--data ${path}`, `an exported function ${name}()`, "none");
  try {
    return await settled(load);
  } catch (cause) {
    throw new InvalidDataError(where, "data", `an error: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Returns the model that a module's `loadModel` gives, or null if it exports none.
 *
 * @throws {InvalidDataError} if it throws or gives something else than a model.
 */
export async function loadUserModel(module: DataModule, path: string): Promise<tf.LayersModel | null> {
  if (module.loadModel === undefined) return null;
  const where = `--data ${path}: loadModel()`;
  let model: unknown;
  try {
    model = await settled(module.loadModel);
  } catch (cause) {
    throw new InvalidDataError(where, "a compiled tf.LayersModel", `an error: ${messageOf(cause)}`, {
      cause,
    });
  }
  if (model instanceof tf.LayersModel) return model;
  const got = model === null || model === undefined ? String(model) : withArticle(typeof model);
  throw new InvalidDataError(where, "a compiled tf.LayersModel of the same copy of @tensorflow/tfjs", got);
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
