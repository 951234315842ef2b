import type * as tf from "@tensorflow/tfjs";
import { EvaluationError, LandscapeError } from "../../base/errors.js";
import { readRawFile, writeRawFile } from "../../jobs/job-folder.js";
import { assignWeights, readWeights } from "../../model/bound-weights.js";
import { describeTraining } from "../../model/describe-training.js";
import type { ParameterLayout } from "../../model/layout.js";
import { layoutOfModel } from "../../model/layout-of-model.js";
import type { RunManifest } from "../../model/manifest.js";
import { modelFromManifest } from "../../model/model-from-manifest.js";

/** How a worker process makes the model: plain data, to be sent to it. */
export interface ModelRecipe {
  /** Topology, losses and metrics by name; null: from the set-up module's `loadModel()`. */
  readonly manifest: Pick<RunManifest, "model" | "optimizer" | "loss" | "metrics"> | null;
  /** All weights. */
  readonly layout: ParameterLayout;
  readonly weightsFile: string;
}

const HINT =
  "give `setup`, a module that exports loadModel(), or evaluate in this process with createLossEvaluator, without workers";

/**
 * Describes a model for worker processes and writes its weights into a file.
 *
 * @param isMadeBySetup - the workers get the model from their set-up module.
 * @throws {@link EvaluationError} naming what a description cannot carry: a function of the user's own.
 */
export async function describeModel(
  model: tf.LayersModel,
  weightsFile: string,
  isMadeBySetup: boolean,
): Promise<ModelRecipe> {
  const layout = layoutOfModel(model);
  const manifest = isMadeBySetup ? null : manifestOf(model);
  await writeRawFile(weightsFile, [await readWeights(model, layout)]);
  return { manifest, layout, weightsFile };
}

function manifestOf(model: tf.LayersModel): NonNullable<ModelRecipe["manifest"]> {
  const { model: topology, loss, metrics } = describeTraining(model);
  if (topology === null) throw cannot("model", "layers with a configuration", "one without");
  if (hasCustom(loss)) throw cannot("loss", "losses of TensorFlow.js by name", "a function of your own");
  if (hasCustom(metrics)) {
    throw cannot("metrics", "metrics of TensorFlow.js by name", "a function of your own");
  }
  // A loss does not depend on the optimizer.
  return { model: topology, optimizer: null, loss, metrics };
}

function hasCustom(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return value === "custom";
  return Object.values(value).some(hasCustom);
}

/**
 * Makes a model from its description, weights included.
 *
 * @param setup - exports of the set-up module.
 * @throws {@link EvaluationError} if it cannot be made here: a layer that is not registered.
 */
export async function buildModel(
  { manifest, layout, weightsFile }: ModelRecipe,
  setup: Readonly<Record<string, unknown>>,
): Promise<tf.LayersModel> {
  const model =
    manifest === null
      ? ((await (setup.loadModel as () => unknown)()) as tf.LayersModel)
      : await modelFromManifest({ ...manifest, layout }).catch((cause: unknown) => {
          if (cause instanceof LandscapeError) {
            const where = cause.where.replace("run.json: ", "");
            throw cannot(where, cause.expected, cause.got.split("\n")[0] ?? "", true);
          }
          throw cause;
        });
  const [theta] = await readRawFile(weightsFile, 1, layout.parameterCount);
  assignWeights(model, layout, theta as Float32Array);
  return model;
}

function cannot(what: string, expected: string, got: string, isLayer = false): EvaluationError {
  const hint = isLayer ? `${HINT.replace("exports", "registers the layer or exports")}` : HINT;
  return new EvaluationError(`worker processes: ${what}`, expected, got, { hint });
}
