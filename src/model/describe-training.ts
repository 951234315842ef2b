import type * as tf from "@tensorflow/tfjs";
import type { JsonValue } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { RunManifest } from "./manifest.js";
import { describeOptimizer } from "./optimizer.js";

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
    const reason = error instanceof Error ? error.message : String(error);
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
