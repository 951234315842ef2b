import type * as tf from "@tensorflow/tfjs";
import { EvaluationError, LandscapeError } from "../errors.js";
import { modelFromManifest } from "../model/model-from-manifest.js";
import { disposeOptimizer, optimizerFromManifest } from "../model/optimizer-from-manifest.js";
import type { JumpSource } from "./jump-source.js";
import type { OptimizerDescription } from "./retrain-optimizer.js";

/** Loss and metrics as given to `compile`, functions included. */
export type Compiled = Pick<tf.LayersModel, "loss" | "metrics">;

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
    if (compiled === null) return await modelFromManifest({ ...facts, layout, optimizer });
    // A loss by name makes the model complete; the original's own takes its place.
    const stand = { ...facts, loss: "meanSquaredError", metrics: null };
    const copy = await modelFromManifest({ ...stand, layout, optimizer: null });
    disposeOptimizer(copy.optimizer);
    const { loss, metrics } = compiled;
    copy.compile({ optimizer: optimizerFromManifest(optimizer), loss, ...(metrics ? { metrics } : {}) });
    return copy;
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
