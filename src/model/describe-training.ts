import * as tf from "@tensorflow/tfjs";
import { EvaluationError, messageOf } from "../base/errors.js";
import type { JsonValue } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { RunManifest } from "./manifest.js";

/** What optimizers have beyond their public type: TF.js keeps `learningRate` protected in every class. */
interface HasLearningRate {
  learningRate?: unknown;
  setLearningRate?: (rate: number) => void;
}

/**
 * Returns the learning rate an optimizer would use for its next update, NaN where it has none.
 *
 * Every class of TF.js keeps the nominal rate in `learningRate`; what Adamax's `decay` makes of it is not
 * included.
 */
export function readLearningRate(optimizer: tf.Optimizer | null | undefined): number {
  const rate = (optimizer as HasLearningRate | null | undefined)?.learningRate;
  return typeof rate === "number" ? rate : Number.NaN;
}

/**
 * Sets the learning rate that an optimizer uses from its next update on; tells whether it has one.
 *
 * SGD and Momentum multiply gradients by a kept scalar, which `setLearningRate` replaces; all other
 * classes read the field at each update. The number of tensors stays the same.
 */
export function changeLearningRate(optimizer: tf.Optimizer, rate: number): boolean {
  const target = optimizer as HasLearningRate;
  if (typeof target.learningRate !== "number") return false;
  if (target.learningRate === rate) return true;
  if (typeof target.setLearningRate === "function") target.setLearningRate(rate);
  else target.learningRate = rate;
  return true;
}

/** Returns an optimizer's class name and settings for the manifest, null where there is none. */
export function describeOptimizer(optimizer: tf.Optimizer | null | undefined): RunManifest["optimizer"] {
  if (optimizer === null || optimizer === undefined) return null;
  return { className: optimizer.getClassName(), config: plainJson(optimizer.getConfig()) };
}

/** Returns a configuration as plain data, as `JSON.stringify` sees it. */
function plainJson(value: unknown): JsonValue {
  return JSON.parse(JSON.stringify(value ?? null)) as JsonValue;
}

/** What an optimizer class of TF.js can do and its type does not say. */
interface OptimizerClass {
  readonly className: string;
  fromConfig(cls: unknown, config: unknown): tf.Optimizer;
}

const OPTIMIZERS: readonly unknown[] = [
  tf.SGDOptimizer,
  tf.MomentumOptimizer,
  tf.RMSPropOptimizer,
  tf.AdamOptimizer,
  tf.AdadeltaOptimizer,
  tf.AdamaxOptimizer,
  tf.AdagradOptimizer,
];

/**
 * Makes the optimizer that a manifest describes, in its initial state; plain SGD where it describes none
 * (a loss does not depend on it).
 *
 * @throws {@link EvaluationError} if the class is not TF.js's own, or its settings are no numbers.
 */
export function optimizerFromManifest(optimizer: RunManifest["optimizer"]): tf.Optimizer {
  if (optimizer === null) return tf.train.sgd(0);
  const known = (OPTIMIZERS as readonly OptimizerClass[]).find(
    ({ className }) => className === optimizer.className,
  );
  if (known !== undefined) {
    const { config } = optimizer;
    const rate = (config as { readonly learningRate?: unknown } | null)?.learningRate;
    if (typeof rate !== "number") {
      const got = JSON.stringify(config) ?? "nothing";
      throw new EvaluationError("run.json: optimizer", "a configuration with a learningRate", got);
    }
    for (const [name, value] of Object.entries(config as object)) {
      if (value === null || /number|boolean/.test(typeof value)) continue;
      const where = `run.json: optimizer: ${name}`;
      throw new EvaluationError(where, "a number", JSON.stringify(value).slice(0, 60));
    }
    try {
      return known.fromConfig(known, config);
    } catch (cause) {
      const got = JSON.stringify(config).slice(0, 200);
      throw new EvaluationError("run.json: optimizer", `settings of ${known.className}`, got, { cause });
    }
  }
  throw new EvaluationError("run.json: optimizer", "one of TensorFlow.js's own", optimizer.className, {
    hint: "export a function loadModel() from the data module that returns the compiled model",
  });
}

/** Frees an optimizer's tensors, also those that TF.js's own `dispose` forgets (Momentum's rate). */
export function disposeOptimizer(optimizer: tf.Optimizer): void {
  optimizer.dispose();
  for (const field of Object.values(optimizer)) if (field instanceof tf.Tensor) field.dispose();
}

/** What the manifest says of the model and of how it is trained. */
export interface TrainingFacts extends Pick<RunManifest, "model" | "optimizer" | "loss" | "metrics" | "fit"> {
  readonly warnings: readonly LandscapeWarning[];
}

/** What `fit` tells its callbacks; missing or null where it does not know. */
export interface FitParameters {
  readonly [name: string]: unknown;
}

/**
 * Returns what a compiled model says of itself: topology, optimizer with settings, loss and metrics.
 *
 * A function given as loss or metric has no name that others could use and is written down as "custom". A
 * layer of the user's own without a configuration makes the topology null, with a warning.
 *
 * @param params - The parameters that `fit` hands to its callbacks.
 */
export function describeTraining(model: tf.LayersModel, params: FitParameters = {}): TrainingFacts {
  const { topology, warnings } = describeTopology(model);
  return {
    model: topology,
    optimizer: describeOptimizer(model.optimizer),
    loss: nameFunctions(model.loss),
    metrics: nameFunctions(model.metrics),
    fit: describeFit(params),
    warnings,
  };
}

function describeTopology(model: tf.LayersModel): { topology: JsonValue; warnings: LandscapeWarning[] } {
  try {
    return { topology: JSON.parse(model.toJSON() as string) as JsonValue, warnings: [] };
  } catch (error) {
    const reason = messageOf(error);
    const message = `The run's manifest has no model topology: ${reason}; it cannot be rebuilt from the run alone.`;
    return { topology: null, warnings: [{ code: "no-topology", message }] };
  }
}

/** Loss or metrics as given to `compile` (a name, a list, a map by output), with functions as "custom". */
function nameFunctions(value: unknown): JsonValue {
  if (value === undefined || value === null) return null;
  if (typeof value === "function") return "custom";
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(nameFunctions);
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, nameFunctions(entry)]));
}

/**
 * Returns what is known of a call of `fit` as plain data, without its verbosity: numbers, strings, truth values, and
 * lists and maps of them. Everything else (functions, tensors, data sets) is left out.
 */
export function describeFit(params: FitParameters = {}): { readonly [key: string]: JsonValue } {
  const entries = Object.entries(params).flatMap(([name, value]): [string, JsonValue][] => {
    const plain = name === "verbose" ? undefined : plainData(value);
    return plain === undefined ? [] : [[name, plain]];
  });
  return Object.fromEntries(entries);
}

function plainData(value: unknown): JsonValue | undefined {
  if (["number", "string", "boolean"].includes(typeof value)) return value as JsonValue;
  if (typeof value !== "object" || value === null) return undefined;
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
  if (!isPlain) return undefined;
  const parts = Object.entries(value).map(([name, entry]) => [name, plainData(entry)] as const);
  if (parts.some(([, entry]) => entry === undefined)) return undefined;
  return Array.isArray(value)
    ? parts.map(([, entry]) => entry as JsonValue)
    : (Object.fromEntries(parts) as { [key: string]: JsonValue });
}
