import * as tf from "@tensorflow/tfjs";
import { EvaluationError, InvalidDataError } from "../base/errors.js";
import type { BoundWeights } from "../model/bound-weights.js";
import { openDataset, refuseEndless } from "./dataset-source.js";
import { betweenBatches, computeAt, disposeComputed, withModel } from "./evaluate-at.js";
import {
  type Batch,
  classesOf,
  type EvaluationData,
  isBatchDataset,
  type SampleSource,
  type SampleSourceOptions,
  type TensorData,
} from "./evaluation-data.js";
import type { SampleAccess, SampleValues } from "./loss-evaluator.js";
import type { LossPlan } from "./loss-plan.js";
import { type ModelPorts, orderedTensors } from "./model-ports.js";
import { createDataHash, createFiniteCheck, firstSamples, holdSamples } from "./resident-samples.js";
import { createSampleWeigher } from "./sample-weights.js";

/** What single samples of a model's evaluation set are evaluated with. */
export interface ModelSamplesParts {
  readonly model: tf.LayersModel;
  readonly plan: LossPlan;
  readonly ports: ModelPorts;
  readonly source: SampleSource;
  readonly weights: BoundWeights;
  /** Whether the loss at θ is NaN by definition. */
  readonly isUndefined: (theta: Float32Array) => boolean;
}

/** Evaluates single samples with the model's own ops; regularization penalties count for each sample. */
export function modelSamples(parts: ModelSamplesParts): SampleAccess {
  const { model, plan, ports, source, weights, isUndefined } = parts;
  return {
    classes: (signal) => readClasses(source, signal),
    async open(rows, { signal } = {}) {
      const own = await openRows(ports, source, rows, signal);
      let isDisposed = false;
      return {
        samples: own.samples,
        evaluate: (theta, stop) =>
          withModel(model, async () => {
            stop?.throwIfAborted();
            if (isDisposed) throw new EvaluationError("samples", "samples in use", "disposed ones");
            checkLength(theta, weights.layout.parameterCount);
            if (isUndefined(theta)) return undefinedSamples(plan, own.samples);
            return samplesAt(parts, own, theta, stop);
          }),
        dispose() {
          if (isDisposed) return;
          isDisposed = true;
          own.dispose();
        },
      };
    },
  };
}

/** The values of samples at a θ where the loss is not defined. */
export function undefinedSamples({ scores }: LossPlan, samples: number): SampleValues {
  const none = () => new Float64Array(samples).fill(Number.NaN);
  return { loss: none(), metrics: Object.fromEntries(scores.metrics.map(({ name }) => [name, none()])) };
}

function checkLength(theta: Float32Array, parameterCount: number): void {
  if (theta.length === parameterCount) return;
  throw new InvalidDataError("theta", `${parameterCount} weights`, String(theta.length));
}

async function samplesAt(
  { model, plan, weights }: ModelSamplesParts,
  source: SampleSource,
  theta: Float32Array,
  signal: AbortSignal | undefined,
): Promise<SampleValues> {
  const computed = await computeAt(model, plan, source, () => weights.assign(theta), signal);
  const read = (what: string, parts: readonly { samples: number; values: tf.Tensor | null | undefined }[]) =>
    eachSample(what, parts, source.samples);
  try {
    const parts = (series: (scores: (typeof computed.scores)[0]) => tf.Tensor | null | undefined) =>
      computed.scores.map((scores) => ({ samples: scores.samples, values: series(scores) }));
    const losses =
      plan.lossFunction === null
        ? await Promise.all(
            plan.scores.losses.map((_, i) =>
              read(
                "loss",
                parts(({ losses }) => losses[i]),
              ),
            ),
          )
        : [await read("lossFunction", computed.functionLosses)];
    const penalty = computed.penalty === null ? 0 : (await computed.penalty.data())[0];
    const loss = new Float64Array(source.samples).fill(penalty);
    for (const values of losses) for (let i = 0; i < loss.length; i++) loss[i] += values[i];
    const metrics: [string, Float64Array][] = [];
    for (const [i, { name, apply, output }] of plan.scores.metrics.entries()) {
      const own =
        apply === null
          ? losses[output]
          : await read(
              `metric "${name}"`,
              parts(({ metrics: m }) => m[i]),
            );
      metrics.push([name, own]);
    }
    return { loss, metrics: Object.fromEntries(metrics) };
  } finally {
    disposeComputed(computed);
  }
}

/**
 * Reads one value per sample.
 *
 * @throws {@link EvaluationError} if there is one number for many samples.
 */
async function eachSample(
  what: string,
  parts: readonly { readonly samples: number; readonly values: tf.Tensor | null | undefined }[],
  samples: number,
): Promise<Float64Array> {
  const all = new Float64Array(samples);
  let offset = 0;
  for (const { samples: count, values } of parts) {
    const read = values === null || values === undefined ? [] : await values.data();
    if (read.length !== count) {
      throw new EvaluationError(what, "one value per sample", "one number for a whole batch", {
        hint: "without it, a part of the samples cannot stand for all; leave it out, or evaluate exactly",
      });
    }
    all.set(read, offset);
    offset += count;
  }
  return all;
}

async function readClasses(
  source: SampleSource,
  signal: AbortSignal | undefined,
): Promise<Int32Array | null> {
  const classes = new Int32Array(source.samples);
  let offset = 0;
  let isClass = true;
  await source.forEachBatch(async ({ ys, samples }) => {
    await betweenBatches(signal);
    const [targets] = ys;
    if (!isClass || targets === undefined || targets.rank > 2) {
      isClass = false;
      return;
    }
    const found = classesOf(await targets.data(), targets.size / samples);
    if (found === null) isClass = false;
    else classes.set(found, offset);
    offset += samples;
  });
  return isClass ? classes : null;
}

/** Holds copies of some samples (null: of all); they are the receiver's to dispose. */
export async function openRows(
  ports: ModelPorts,
  source: SampleSource,
  rows: Int32Array | null,
  signal: AbortSignal | undefined,
): Promise<SampleSource> {
  const taken = await takeRows(ports, source, rows, signal);
  const own = holdSamples(ports, taken, { digest: "", largest: source.largest }, source.batchSize);
  tf.dispose([...taken.xs, ...taken.ys, ...taken.ws]);
  return own;
}

/** Returns copies of some samples, of all batches together; they are the receiver's to dispose. */
async function takeRows(
  ports: ModelPorts,
  source: SampleSource,
  rows: Int32Array | null,
  signal: AbortSignal | undefined,
): Promise<Batch> {
  const wanted = rows ?? Int32Array.from({ length: source.samples }, (_, i) => i);
  if (ports.fixedBatch !== null) {
    const expected = "a model that takes batches of any size";
    throw new EvaluationError("samples", expected, `one of ${ports.fixedBatch} samples`);
  }
  const parts: Batch[] = [];
  let start = 0;
  try {
    await source.forEachBatch(async ({ xs, ys, ws, samples }) => {
      await betweenBatches(signal);
      const own = wanted.filter((row) => row >= start && row < start + samples).map((row) => row - start);
      start += samples;
      if (own.length === 0) return;
      const take = (tensor: tf.Tensor) => tf.tidy(() => tf.gather(tensor, tf.tensor1d(own, "int32")));
      parts.push({ xs: xs.map(take), ys: ys.map(take), ws: ws.map(take), samples: own.length });
    });
    const join = (side: "xs" | "ys" | "ws") =>
      parts[0][side].map((_, i) => tf.concat(parts.map((p) => p[side][i])));
    return { xs: join("xs"), ys: join("ys"), ws: join("ws"), samples: wanted.length };
  } finally {
    for (const { xs, ys, ws } of parts) tf.dispose([...xs, ...ys, ...ws]);
  }
}

/**
 * Opens evaluation data: checks and hashes them, and cuts tensors into batches once.
 *
 * @throws {@link InvalidDataError} if they do not fit the model.
 */
export async function openSamples(
  ports: ModelPorts,
  data: EvaluationData,
  options: SampleSourceOptions,
): Promise<SampleSource> {
  if (typeof data !== "object" || data === null) {
    throw new InvalidDataError(
      "data",
      "{ xs, ys } or a tf.data.Dataset",
      data === null ? "null" : typeof data,
    );
  }
  return isBatchDataset(data) ? openDataset(ports, data, options) : openTensors(ports, data, options);
}

/**
 * Checks what is at hand of evaluation data, at no more than the cost of looking at every number: the end of a data set,
 * the shapes, class numbers and finite rows of tensors. What a data set holds shows when it is read.
 *
 * @throws {@link InvalidDataError} as {@link openSamples} does.
 */
export async function checkSamples(
  ports: ModelPorts,
  data: EvaluationData,
  options: Pick<SampleSourceOptions, "nonFiniteData" | "sampleLimit">,
): Promise<void> {
  if (isBatchDataset(data)) return refuseEndless(data, options);
  const given = orderedTensors(ports, data);
  const isWhole = given.samples <= options.sampleLimit;
  const kept = isWhole ? given : firstSamples(given, options.sampleLimit);
  try {
    const check = createFiniteCheck(ports, options.nonFiniteData);
    // With a name for the data their values are not hashed, and class numbers are checked all the same.
    await createDataHash(ports, "checked").add(kept);
    await check.add(kept);
    check.finish();
  } finally {
    if (!isWhole) tf.dispose([...kept.xs, ...kept.ys, ...kept.ws]);
  }
}

async function openTensors(
  ports: ModelPorts,
  data: TensorData,
  options: SampleSourceOptions,
): Promise<SampleSource> {
  const given = orderedTensors(ports, data);
  const samples = Math.min(given.samples, options.sampleLimit);
  const kept = samples === given.samples ? given : firstSamples(given, samples);
  try {
    const hash = createDataHash(ports, options.dataId);
    await hash.add(kept);
    const check = createFiniteCheck(ports, options.nonFiniteData);
    await check.add(kept);
    check.finish();
    const ws = await createSampleWeigher(ports, options.classWeight).weigh(kept);
    const source = holdSamples(
      ports,
      { ...kept, ws },
      { digest: hash.digest(), largest: check.largest },
      options.batchSize,
    );
    tf.dispose([...ws]);
    return source;
  } finally {
    if (kept !== given) tf.dispose([...kept.xs, ...kept.ys, ...kept.ws]);
  }
}
