import type * as tf from "@tensorflow/tfjs";
import { assignWeights } from "../../model/bound-weights.js";
import { modelFromManifest } from "../../model/model-from-manifest.js";
import { isFinitePoint, type Run } from "./run.js";

/**
 * Rebuilds the model of a run with the weights that it ended with, or began with where the last ones cannot be read or
 * have diverged; zeros where neither can be had. Engines are compared with the model's own ops at these weights before
 * one is chosen: at zeros most mistakes are hidden.
 *
 * @param manifest - what the model is made from. Default that of the run.
 * @throws as {@link modelFromManifest}.
 */
export async function trainedModel(
  run: Pick<Run, "manifest" | "layout" | "snapshots" | "readTheta">,
  manifest: Parameters<typeof modelFromManifest>[0] = run.manifest,
): Promise<tf.LayersModel> {
  const model = await modelFromManifest(manifest);
  const last = run.snapshots.length - 1;
  for (const index of last < 0 ? [] : new Set([last, 0])) {
    try {
      const theta = await run.readTheta(index);
      if (!isFinitePoint(theta)) continue;
      assignWeights(model, run.layout, theta);
      break;
    } catch {
      // A damaged snapshot is an error of the command that needs it: this is only a place for a comparison.
    }
  }
  return model;
}
