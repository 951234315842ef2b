import * as tf from "@tensorflow/tfjs";
import { EvaluationError, InvalidDataError } from "../base/errors.js";
import type { Batch, EvaluationData } from "../loss/evaluation-data.js";
import { compiledLosses, type ModelPorts } from "../loss/model-ports.js";
import { openSamples } from "../loss/model-samples.js";
import { readWeights } from "../model/bound-weights.js";
import { describeTraining } from "../model/describe-training.js";
import type { ParameterLayout } from "../model/layout.js";
import { layoutOfModel } from "../model/layout-of-model.js";
import type { RunManifest } from "../model/manifest.js";
import type { JumpRecipe } from "./jump-options.js";

/** A set of samples on the backend, in the order of the model's inputs and outputs, as its ops take them. */
export interface JumpSet {
  readonly name: "train" | "validation" | "test";
  /** All samples at once; the holder's to dispose. */
  readonly batch: Batch;
}

/**
 * Reads a data set to the backend, once; memory for all of it is needed.
 *
 * @throws {@link InvalidDataError} naming the set, if it does not fit the model.
 */
export async function readSet(
  name: JumpSet["name"],
  ports: ModelPorts,
  data: EvaluationData,
  signal: AbortSignal | undefined,
): Promise<JumpSet> {
  const everything = Number.POSITIVE_INFINITY;
  const source = await openSamples(ports, data, {
    batchSize: everything,
    sampleLimit: everything,
    cacheBytes: everything,
    dataId: undefined,
    signal,
  });
  try {
    if (source.weights.length > 0) {
      throw new InvalidDataError(
        `${name} data`,
        "{ xs, ys }: jumps are retrained without weights",
        "sampleWeight",
      );
    }
    const parts: Batch[] = [];
    await source.forEachBatch(async (batch) => void parts.push(batch));
    const join = (side: "xs" | "ys") =>
      (parts[0]?.[side] ?? []).map((_, i) => tf.concat(parts.map((part) => part[side][i] as tf.Tensor)));
    return { name, batch: { xs: join("xs"), ys: join("ys"), ws: [], samples: source.samples } };
  } finally {
    source.dispose();
  }
}

/** Frees sets. */
export function disposeSets(sets: readonly JumpSet[]): void {
  for (const { batch } of sets) tf.dispose([...batch.xs, ...batch.ys]);
}

/** What jumps around one optimum are made with, beside the data: plain data, which can be sent. */
export interface JumpSource {
  /** What the model says of itself, without its optimizer. */
  readonly facts: Pick<RunManifest, "model" | "loss" | "metrics">;
  readonly layout: ParameterLayout;
  /** θ* (parameterCount). */
  readonly theta: Float32Array;
  readonly recipe: JumpRecipe;
}

/**
 * Reads a compiled model: topology, loss, metrics and θ*.
 *
 * @throws {@link EvaluationError} if it has no compiled loss, or layers without a configuration.
 */
export async function readSource(model: tf.LayersModel): Promise<Omit<JumpSource, "recipe">> {
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
