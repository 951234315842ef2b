import type * as tf from "@tensorflow/tfjs";
import { sha256 } from "../base/digest.js";
import type { JsonValue } from "../base/provenance.js";
import type { ParameterLayout } from "../model/layout.js";
import { layoutOfModel, modelWeights } from "../model/layout-of-model.js";
import { matchLayout } from "../model/match-layout.js";
import { anonymousTopology, modelToJson } from "../model/model-from-manifest.js";
import type { LossPlan } from "./loss-plan.js";
import { compiledLosses } from "./model-ports.js";

/**
 * Returns the sha-256 (hex) of a model's architecture: layout of θ and topology without the names that
 * TF.js makes up. The weights do not enter.
 */
export function modelDigest(layout: Pick<ParameterLayout, "digest">, topology: JsonValue): string {
  return digestOf({ layout: layout.digest, topology: anonymousTopology(topology) });
}

/**
 * Returns the sha-256 (hex) of what an evaluator computes from θ and the data: architecture, losses, metrics,
 * whether penalties count, and the values of weights that θ does not hold. A function of the user's own enters
 * with its source text.
 */
export function evaluationDigest(model: tf.LayersModel, layout: ParameterLayout, plan: LossPlan): string {
  const losses = plan.lossFunction === null ? (compiledLosses(model) ?? []) : [];
  return digestOf({
    model: modelDigest(layout, topologyOf(model)),
    losses: losses.map(({ name, apply }) => (name === "custom" ? String(apply) : name)),
    lossFunction: plan.lossFunction === null ? null : String(plan.lossFunction),
    metrics: plan.scores.metrics.map(({ output, apply }) => [output, apply === null ? null : String(apply)]),
    includeRegularization: plan.includeRegularization,
    outsideTheta: weightsOutside(model, layout),
  });
}

/** sha-256 by name of the weights of the model that a layout leaves out. */
function weightsOutside(model: tf.LayersModel, layout: ParameterLayout): JsonValue {
  const all = layoutOfModel(model);
  if (all.parameterCount === layout.parameterCount) return [];
  const held = new Set(matchLayout(layout, all, `model "${model.name}"`, { partial: true }));
  const names = new Set(all.parameters.filter((_, index) => !held.has(index)).map(({ name }) => name));
  return modelWeights(model)
    .filter(({ parameter }) => names.has(parameter.name))
    .map(({ parameter, variable }) => {
      const values = variable.read().dataSync();
      return [parameter.name, sha256(values)];
    });
}

/** A layer of the user's own may have no configuration; the layout of θ then stands for the architecture. */
function topologyOf(model: tf.LayersModel): JsonValue {
  try {
    return modelToJson(model);
  } catch {
    return null;
  }
}

function digestOf(value: JsonValue): string {
  return sha256(JSON.stringify(value));
}
