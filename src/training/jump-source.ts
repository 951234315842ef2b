import * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../base/errors.js";
import type { Batch, EvaluationData } from "../loss/evaluation-data.js";
import { compiledLosses, type ModelPorts } from "../loss/model-ports.js";
import { openSamples } from "../loss/model-samples.js";
import { readWeights } from "../model/bound-weights.js";
import { describeTraining } from "../model/describe-training.js";
import type { ParameterLayout } from "../model/layout.js";
import { layoutOfModel } from "../model/layout-of-model.js";
import type { RunManifest } from "../model/manifest.js";
import type { JumpRecipe } from "./jump-options.js";

/** A tensor as plain data. */
interface PlainTensor {
  /** Shape, the samples' axis first. */
  readonly shape: readonly number[];
  readonly dtype: "float32" | "int32" | "bool";
  readonly values: Float32Array | Int32Array | Uint8Array;
}

/** A set of samples as plain data, in the order of the model's inputs and outputs. */
export interface JumpSet {
  readonly name: "train" | "validation" | "test";
  readonly samples: number;
  readonly xs: readonly PlainTensor[];
  readonly ys: readonly PlainTensor[];
}

/**
 * Reads a data set into plain arrays, once; memory for all of it is needed.
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
    const parts: { readonly xs: PlainTensor[]; readonly ys: PlainTensor[] }[] = [];
    await source.forEachBatch(async ({ xs, ys }) => {
      parts.push({ xs: await Promise.all(xs.map(readTensor)), ys: await Promise.all(ys.map(readTensor)) });
    });
    const side = (key: "xs" | "ys") =>
      (parts[0]?.[key] ?? []).map((_, i) => joined(parts.map((part) => part[key][i] as PlainTensor)));
    return { name, samples: source.samples, xs: side("xs"), ys: side("ys") };
  } finally {
    source.dispose();
  }
}

/** Puts a set on the backend; the caller disposes it. */
export function tensorsOfSet({ xs, ys, samples }: JumpSet): Batch {
  const make = ({ values, shape, dtype }: PlainTensor) => tf.tensor(values, [...shape], dtype);
  return { xs: xs.map(make), ys: ys.map(make), samples };
}

async function readTensor(tensor: tf.Tensor): Promise<PlainTensor> {
  // A copy: backends may hand out the array that they keep.
  const values = (await tensor.data<"float32" | "int32" | "bool">()).slice();
  return { shape: tensor.shape, dtype: tensor.dtype as PlainTensor["dtype"], values };
}

function joined(parts: readonly PlainTensor[]): PlainTensor {
  const [first] = parts as [PlainTensor];
  if (parts.length === 1) return first;
  const length = parts.reduce((sum, { values }) => sum + values.length, 0);
  const values = new (first.values.constructor as Float32ArrayConstructor)(length);
  let offset = 0;
  for (const part of parts) {
    values.set(part.values, offset);
    offset += part.values.length;
  }
  const samples = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  return { ...first, shape: [samples, ...first.shape.slice(1)], values };
}

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
