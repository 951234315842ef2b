import * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../errors.js";
import { layoutOfModel } from "../params/layout-of-model.js";
import { matchLayout } from "../params/match-layout.js";
import type { RunManifest } from "../store/manifest.js";
import type { JsonValue } from "../store/provenance.js";
import { disposeOptimizer, optimizerFromManifest } from "./optimizer-from-manifest.js";
import { zeroInitialized } from "./topology.js";

const HINT = "export a function loadModel() from the data module that returns the compiled model";

/**
 * Rebuilds the model of a run from its manifest: topology, compiled loss, metrics and optimizer. Its weights
 * are zeros, to be replaced by a snapshot's.
 *
 * @throws {@link EvaluationError} where the manifest cannot say it all: a custom loop, layers, losses or
 * metrics of the user's own, or a run that holds only some of the weights.
 */
export async function modelFromManifest(
  manifest: Pick<RunManifest, "model" | "optimizer" | "loss" | "metrics" | "layout">,
): Promise<tf.LayersModel> {
  if (manifest.model === null) throw cannot("model", "a topology", "null (a custom loop)");
  if (manifest.loss === null) throw cannot("loss", "a compiled loss", "null");
  if (hasCustom(manifest.loss)) throw cannot("loss", "losses of TensorFlow.js by name", "a custom function");
  if (hasCustom(manifest.metrics)) {
    throw cannot("metrics", "metrics of TensorFlow.js by name", "a custom function");
  }
  const model = await rebuilt(manifest.model);
  try {
    checkComplete(model, manifest);
    compile(model, manifest);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

async function rebuilt(topology: JsonValue): Promise<tf.LayersModel> {
  try {
    const config = { modelTopology: zeroInitialized(topology) };
    return await tf.models.modelFromJSON(config as unknown as Parameters<typeof tf.models.modelFromJSON>[0]);
  } catch (cause) {
    throw cannot("model", "layers of TensorFlow.js", messageOf(cause), cause);
  }
}

function compile(model: tf.LayersModel, manifest: Pick<RunManifest, "optimizer" | "loss" | "metrics">): void {
  const loss = forOutputs(manifest.loss, model) as string | string[];
  const metrics = forOutputs(manifest.metrics, model) as string[] | null;
  const optimizer = optimizerFromManifest(manifest.optimizer);
  try {
    model.compile(metrics === null ? { optimizer, loss } : { optimizer, loss, metrics });
  } catch (cause) {
    disposeOptimizer(optimizer);
    throw cannot("loss and metrics", "names that TensorFlow.js knows", messageOf(cause), cause);
  }
}

/** Losses and metrics by output are a plain object; everything else is taken as it is. */
function forOutputs(value: JsonValue, model: tf.LayersModel): JsonValue {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const unknown = Object.keys(value).find((name) => !model.outputNames.includes(name));
  if (unknown === undefined) return value;
  throw cannot("loss and metrics", `entries for outputs ${model.outputNames.join(", ")}`, unknown);
}

/** A run captured with a selection of weights lacks the values of the others. */
function checkComplete(model: tf.LayersModel, { layout }: Pick<RunManifest, "layout">): void {
  const all = layoutOfModel(model).parameterCount;
  if (all !== layout.parameterCount) {
    throw cannot("layout", `all ${all} weights of the model`, String(layout.parameterCount));
  }
  matchLayout(layout, layoutOfModel(model), "run.json: layout");
}

function hasCustom(value: JsonValue): boolean {
  if (typeof value !== "object" || value === null) return value === "custom";
  return Object.values(value).some(hasCustom);
}

function cannot(field: string, expected: string, got: string, cause?: unknown): EvaluationError {
  const where = `run.json: ${field}`;
  return new EvaluationError(
    where,
    expected,
    got,
    cause === undefined ? { hint: HINT } : { hint: HINT, cause },
  );
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
