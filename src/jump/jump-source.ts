import type * as tf from "@tensorflow/tfjs";
import { describeTraining } from "../capture/training-facts.js";
import { EvaluationError } from "../errors.js";
import { compiledLosses } from "../model/compiled-losses.js";
import type { ParameterLayout } from "../params/layout.js";
import { layoutOfModel } from "../params/layout-of-model.js";
import { readWeights } from "../params/model-weights.js";
import type { RunManifest } from "../store/manifest.js";
import type { JumpRecipe } from "./jump-options.js";
import type { JumpSet } from "./jump-set.js";

/** Everything that a process needs to make jumps around one optimum: plain data, which can be sent. */
export interface JumpSource {
  /** What the model says of itself, without its optimizer. */
  readonly facts: Pick<RunManifest, "model" | "loss" | "metrics">;
  readonly layout: ParameterLayout;
  /** θ* (parameterCount). */
  readonly theta: Float32Array;
  readonly recipe: JumpRecipe;
  /** The training set first. */
  readonly sets: readonly JumpSet[];
}

/**
 * Reads a compiled model: topology, loss, metrics and θ*.
 *
 * @throws {@link EvaluationError} if it has no compiled loss, or layers without a configuration.
 */
export async function readSource(model: tf.LayersModel): Promise<Omit<JumpSource, "recipe" | "sets">> {
  const where = `model "${model.name}"`;
  if (compiledLosses(model) === null) {
    const hint = "call model.compile({ optimizer, loss }) first";
    throw new EvaluationError(where, "a compiled loss", "none", { hint });
  }
  const facts = describeTraining(model);
  if (facts.model === null) {
    const got = facts.warnings.map(({ message }) => message).join(" ") || "none";
    throw new EvaluationError(where, "a topology that a copy can be made from", got);
  }
  const layout = layoutOfModel(model);
  const { model: topology, loss, metrics } = facts;
  return { facts: { model: topology, loss, metrics }, layout, theta: await readWeights(model, layout) };
}
