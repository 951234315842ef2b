import type * as tf from "@tensorflow/tfjs";
import { EvaluationError, LandscapeError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import { createUniform } from "../math/random.js";
import { disposeOptimizer } from "../model/describe-training.js";
import { innermostLayers } from "../model/layout-of-model.js";
import { type Compiled, modelFromManifest } from "../model/model-from-manifest.js";
import type { JumpSource } from "./jump-source.js";
import type { OptimizerDescription } from "./retrain-optimizer.js";

/**
 * Makes another model of the same architecture, loss and metrics, its optimizer at the start, its weights 0.
 *
 * @param compiled - Loss and metrics of the original, where that is of this process: they may be functions,
 * which no description can hold. null: those that the description names.
 * @throws {@link EvaluationError} if it cannot be rebuilt.
 */
export async function copyModel(
  { facts, layout }: Pick<JumpSource, "facts" | "layout">,
  optimizer: OptimizerDescription,
  compiled: Compiled | null,
): Promise<tf.LayersModel> {
  try {
    return await modelFromManifest({ ...facts, layout, optimizer }, compiled);
  } catch (cause) {
    if (!(cause instanceof LandscapeError)) throw cause;
    const hint = "register layers of your own with tf.serialization.registerClass, and use one process";
    throw new EvaluationError("copy of the model", cause.expected, cause.got, { cause, hint });
  }
}

/** Frees a copy with its optimizer. */
export function disposeCopy(copy: tf.LayersModel): void {
  disposeOptimizer(copy.optimizer);
  copy.dispose();
}

/** Layers whose `seed` field TF.js reads at every call. */
const SEEDED = ["Dropout", "SpatialDropout1D"];

/** Layers of TF.js that draw from Math.random while they train, whatever is set. */
const UNSEEDED = ["GaussianNoise", "GaussianDropout", "AlphaDropout", "RandomWidth", "RandomHeight"];

/**
 * Returns a function that gives every dropout layer of a model a new seed, to be called before each update:
 * masks then follow from `seed`. A layer with a seed of its own keeps that (TF.js then drops the same units at
 * every update).
 */
export function createDropoutSeeder(model: tf.LayersModel, seed: number): () => void {
  const layers = innermostLayers(model).filter(
    (layer) => SEEDED.includes(layer.getClassName()) && hasNoSeed(layer),
  );
  const next = createUniform(seed, "jump", "dropout");
  return () => {
    // TF.js takes a seed of 0 as none.
    for (const layer of layers) Object.assign(layer, { seed: 1 + Math.floor(next() * (2 ** 31 - 2)) });
  };
}

/** Says which layers make a retraining differ from the next with the same seed; none for most models. */
export function randomLayerWarnings(model: tf.LayersModel): LandscapeWarning[] {
  const names = innermostLayers(model)
    .filter(isUnseeded)
    .map((layer) => layer.name);
  if (names.length === 0) return [];
  const message =
    `${names.join(", ")}: TensorFlow.js draws their random numbers from Math.random, so that ` +
    "jumps of equal seed differ from process to process";
  return [{ code: "unseeded-layers", message }];
}

function isUnseeded(layer: tf.layers.Layer): boolean {
  if (UNSEEDED.includes(layer.getClassName())) return true;
  if (SEEDED.includes(layer.getClassName())) return false;
  const { dropout, recurrentDropout } = layer.getConfig();
  return [dropout, recurrentDropout].some((rate) => typeof rate === "number" && rate > 0);
}

function hasNoSeed(layer: tf.layers.Layer): boolean {
  const { seed } = layer as { seed?: number | null };
  return seed === undefined || seed === null;
}
