import { setImmediate } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs";
import { currentBackend } from "../backend/current-backend.js";

import { EvaluationError, InvalidDataError, InvalidOptionError } from "../base/errors.js";
import { sha256 } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { ParameterLayout } from "../model/layout.js";
import { createQueue } from "./engine/graph-evaluator.js";
import { guardEvaluator } from "./engine/guarded-evaluator.js";
import { betweenBatches } from "./evaluate-at.js";
import {
  type Batch,
  type EvaluationData,
  isBatchDataset,
  type NamedTensors,
  type SampleSource,
} from "./evaluation-data.js";
import { type AuditedPass, createKernelAudit } from "./kernel-audit.js";
import { localEvaluator } from "./local-evaluator.js";
import type { EngineEvaluator, LossEvaluator, LossValue } from "./loss-evaluator.js";
import { type ModelLossOptions, resolveModelLossOptions } from "./loss-options.js";
import type { ModelPort, ModelPorts } from "./model-ports.js";
import { openSamples } from "./model-samples.js";
import { nanValue } from "./slice-loss.js";

/** A batch's mean loss (a scalar) or one value per sample; with metrics, each in the same form, by name. */
export type VariablesLossResult =
  | tf.Tensor
  | { readonly loss: tf.Tensor; readonly metrics: Readonly<Record<string, tf.Tensor>> };

/**
 * The loss of a training loop of one's own: given the variables' values by name and a batch in the form of the data
 * (a tensor, a list, or a record), returns its mean loss, or one value per sample. It runs inside `tf.tidy` and must
 * be synchronous.
 */
export type VariablesLoss<X = tf.Tensor, Y = tf.Tensor> = (
  weights: Readonly<Record<string, tf.Tensor>>,
  xs: X,
  ys: Y,
) => VariablesLossResult;

/** Options of {@link createVariablesEvaluator}. */
export interface VariablesEvaluatorOptions
  extends Pick<
    ModelLossOptions,
    "batchSize" | "sampleLimit" | "dataId" | "cacheBytes" | "nonFiniteData" | "dataLimit" | "signal"
  > {}

/** What a value differs by where it is the mean of the whole and of its halves. */
const TOLERANCE = 1e-3;
/** Samples that a loss is tried on. */
const TRIED = 32;

/**
 * Creates what computes the loss of a run that was recorded from `tf.variable`s, at any θ: the sample-weighted mean
 * over the whole evaluation set of what a function makes of the variables and a batch.
 *
 * It is tried on the first samples before any work: a result that is no tensor, a number for a batch that is no mean
 * over its samples, and a function that gives other values each time are found then.
 * Stored results know the function by its source text. Cost: one call for each batch per evaluation.
 *
 * @param layout - which variables θ holds: `run.layout`.
 * @throws {@link EvaluationError} if the function does not return what it should; {@link InvalidDataError} for data
 * without samples.
 * @example
 * const evaluator = await createVariablesEvaluator(run.layout, { xs, ys }, ({ kernel, bias }, xs, ys) =>
 *   tf.losses.softmaxCrossEntropy(ys, xs.matMul(kernel).add(bias)),
 * );
 */
export async function createVariablesEvaluator<X = tf.Tensor, Y = tf.Tensor>(
  layout: ParameterLayout,
  data: EvaluationData,
  loss: VariablesLoss<X, Y>,
  options: VariablesEvaluatorOptions = {},
): Promise<LossEvaluator> {
  if (typeof loss !== "function") throw new InvalidOptionError("loss", "a function", typeof loss);
  const resolved = resolveModelLossOptions(options);
  const form = await formOf(data);
  const source = await openSamples(form.ports, data, resolved);
  try {
    if (source.weights.length > 0) {
      throw new InvalidDataError("data", "{ xs, ys }", "sampleWeight", {
        hint: "weigh in the loss function itself",
      });
    }
    const task: Task = { layout, loss: loss as VariablesLoss<unknown, unknown>, form };
    const tried = await tryLoss(task, source);
    const own = variablesEngine(task, source, tried.metricNames, tried.warnings);
    const finiteness = () => createKernelAudit("loss function", auditedPass(task, source));
    const engine = guardEvaluator(own, { noValue: nanValue(own), ownOps: null, finiteness });
    return localEvaluator({
      engine,
      layout,
      undefinedAt: () => [],
      recalibrator: null,
      withData: (other, { dataId, signal } = {}) =>
        createVariablesEvaluator(layout, other, loss, { ...options, dataId, signal }),
      release() {},
    });
  } catch (error) {
    source.dispose();
    throw error;
  }
}

interface Task {
  readonly layout: ParameterLayout;
  readonly loss: VariablesLoss<unknown, unknown>;
  readonly form: DataForm;
}

/** The function on a batch, with the variables that it takes: what the audit looks at. */
function auditedPass({ layout, loss, form }: Task, source: SampleSource): AuditedPass {
  let weights: Record<string, tf.Tensor> = {};
  return {
    largest: source.largest,
    parameters: layout.parameters,
    open: async () => source,
    async at(theta, task) {
      weights = weightsOf(layout, theta);
      try {
        return await task(layout.parameters.map(({ name }) => weights[name] as tf.Tensor));
      } finally {
        tf.dispose(weights);
      }
    },
    run: (batch) => [checkedResult(loss(weights, form.xs(batch.xs), form.ys(batch.ys))).loss],
    close() {},
  };
}

function variablesEngine(
  task: Task,
  source: SampleSource,
  metricNames: readonly string[],
  warnings: readonly LandscapeWarning[],
): EngineEvaluator {
  const { layout, loss } = task;
  const { parameterCount } = layout;
  const queue = createQueue(() => source.dispose());
  const evaluate = async (theta: Float32Array, signal: AbortSignal | undefined): Promise<LossValue> => {
    signal?.throwIfAborted();
    if (queue.isClosed()) throw new EvaluationError("LossEvaluator", "one in use", "one that was disposed");
    if (theta.length !== parameterCount) {
      throw new InvalidDataError("theta", `${parameterCount} weights`, String(theta.length));
    }
    if (theta.some(Number.isNaN)) return nanValue({ metricNames });
    const sums = new Float64Array(1 + metricNames.length);
    const weights = weightsOf(layout, theta);
    try {
      await source.forEachBatch(async (batch) => {
        signal?.throwIfAborted();
        const means = await meansOf(task, weights, batch, metricNames);
        for (let i = 0; i < sums.length; i++)
          sums[i] = (sums[i] as number) + batch.samples * (means[i] as number);
        await betweenBatches(signal);
      });
    } finally {
      tf.dispose(weights);
    }
    await setImmediate();
    const named = metricNames.map((name, i) => [name, (sums[i + 1] as number) / source.samples] as const);
    return {
      loss: (sums[0] as number) / source.samples,
      metrics: Object.fromEntries(named),
      clippedShare: null,
    };
  };
  return {
    engine: { name: "variables", backend: currentBackend().name, batchSize: source.batchSize, threads: 0 },
    request: { engine: "variables", batchSize: source.batchSize, threads: null },
    lossMode: "model",
    parameterCount,
    metricNames,
    samples: source.samples,
    dataDigest: source.digest,
    modelDigest: sha256(`${layout.digest}\n${String(loss)}`),
    warnings,
    evaluate: (theta, signal) => queue.run(() => evaluate(theta, signal)),
    dispose: queue.close,
  };
}

/** The variables' values by name; the caller's to dispose. */
function weightsOf({ parameters }: ParameterLayout, theta: Float32Array): Record<string, tf.Tensor> {
  return Object.fromEntries(
    parameters.map(({ name, shape, offset, size }) => [
      name,
      tf.tensor(theta.slice(offset, offset + size), [...shape], "float32"),
    ]),
  );
}

/** Means of loss and metrics over a batch. */
async function meansOf(
  { loss, form }: Task,
  weights: Readonly<Record<string, tf.Tensor>>,
  batch: Batch,
  metricNames: readonly string[] | null,
): Promise<number[]> {
  const values = tf.tidy(() => {
    const result = checkedResult(loss(weights, form.xs(batch.xs), form.ys(batch.ys)));
    const names = metricNames ?? Object.keys(result.metrics);
    return [result.loss, ...names.map((name) => result.metrics[name] as tf.Tensor)].map((value, i) =>
      meanOf(value, batch.samples, i === 0 ? "loss" : `metric "${names[i - 1]}"`),
    );
  });
  try {
    return await Promise.all(values.map(async (value) => (await value.data())[0] as number));
  } finally {
    tf.dispose(values);
  }
}

function checkedResult(result: unknown) {
  if (result instanceof tf.Tensor)
    return { loss: result, metrics: {} as Readonly<Record<string, tf.Tensor>> };
  const { loss, metrics = {} } = (result ?? {}) as {
    loss?: unknown;
    metrics?: Readonly<Record<string, tf.Tensor>>;
  };
  const bad = Object.values(metrics).some((metric) => !(metric instanceof tf.Tensor));
  if (loss instanceof tf.Tensor && !bad) return { loss, metrics };
  const got = result instanceof Promise ? "a promise" : result === null ? "null" : typeof result;
  throw new EvaluationError("loss function", "a tensor, or { loss, metrics } of tensors", got);
}

function meanOf(value: tf.Tensor | undefined, samples: number, what: string): tf.Tensor {
  if (value === undefined) throw new EvaluationError(what, "the metrics of the first batch in each", "none");
  if (value.size === 1 || value.shape[0] === samples) return tf.mean(tf.cast(value, "float32"));
  const got = `shape [${value.shape}] for ${samples} samples`;
  throw new EvaluationError(what, "one number, or one value per sample", got);
}

/** Calls the function on a few samples: whole, in halves, and once more. */
async function tryLoss(task: Task, source: SampleSource) {
  const batch = await firstBatch(source);
  const weights = weightsOf(
    task.layout,
    Float32Array.from({ length: task.layout.parameterCount }, (_, i) => 0.1 * Math.sin(i)),
  );
  const part = (from: number, samples: number): Batch => {
    const cut = (tensor: tf.Tensor) => tensor.slice(from, samples);
    return { xs: batch.xs.map(cut), ys: batch.ys.map(cut), ws: [], samples };
  };
  const means = async (some: Batch): Promise<number[]> => {
    try {
      return await meansOf(task, weights, some, null);
    } finally {
      tf.dispose([...some.xs, ...some.ys]);
    }
  };
  try {
    const result = tf.tidy(() =>
      Object.keys(checkedResult(task.loss(weights, task.form.xs(batch.xs), task.form.ys(batch.ys))).metrics),
    );
    const samples = batch.samples;
    const half = samples >> 1;
    const [whole, again] = [await means(part(0, samples)), await means(part(0, samples))];
    const isRandom = whole.some((value, i) => !Object.is(value, again[i]));
    if (!isRandom && half > 0) {
      const [first, second] = [await means(part(0, half)), await means(part(half, samples - half))];
      whole.forEach((value, i) => {
        const parts = [first[i] as number, second[i] as number] as const;
        const mean = (half * parts[0] + (samples - half) * parts[1]) / samples;
        const slack = TOLERANCE * Math.max(Math.abs(value), Math.abs(mean), 1e-6);
        if (!Number.isFinite(value) || !Number.isFinite(mean) || Math.abs(value - mean) <= slack) return;
        const what = i === 0 ? "loss function" : `metric "${result[i - 1]}"`;
        const got = `${value} for ${samples} samples whose halves give ${parts[0]} and ${parts[1]}`;
        throw new EvaluationError(what, "the mean over a batch, or one value per sample", got);
      });
    }
    const message =
      "the loss function gives other values each time it is called with the same weights and data: it is no function of the weights, and a surface of it is rough by chance";
    const warnings: LandscapeWarning[] = isRandom ? [{ code: "random-loss", message }] : [];
    return { metricNames: result, warnings };
  } finally {
    tf.dispose([...batch.xs, ...batch.ys]);
    tf.dispose(weights);
  }
}

async function firstBatch(source: SampleSource): Promise<Batch> {
  let first: Batch | undefined;
  const done = new Error("one batch is enough");
  await source
    .forEachBatch(async (batch) => {
      const samples = Math.min(TRIED, batch.samples);
      const cut = (tensor: tf.Tensor) => tensor.slice(0, samples);
      first = { xs: batch.xs.map(cut), ys: batch.ys.map(cut), ws: [], samples };
      throw done;
    })
    .catch((error: unknown) => {
      if (error !== done) throw error;
    });
  return first as Batch;
}

/** In what form the tensors of a batch come, and go to the function. */
interface DataForm {
  readonly ports: ModelPorts;
  readonly xs: (tensors: readonly tf.Tensor[]) => NamedTensors;
  readonly ys: (tensors: readonly tf.Tensor[]) => NamedTensors;
}

async function formOf(data: EvaluationData): Promise<DataForm> {
  if (typeof data !== "object" || data === null) {
    throw new InvalidDataError(
      "data",
      "{ xs, ys } or a tf.data.Dataset",
      data === null ? "null" : typeof data,
    );
  }
  let first: unknown = data;
  if (isBatchDataset(data)) first = (await (await data.iterator()).next()).value;
  const { xs, ys } = (first ?? {}) as { readonly xs?: unknown; readonly ys?: unknown };
  const [inputs, targets] = [sideOf("xs", xs), sideOf("ys", ys)];
  if (first !== data) tf.dispose(first as tf.TensorContainer);
  return {
    ports: { xs: inputs.ports, ys: targets.ports, fixedBatch: null, isAsGiven: true },
    xs: inputs.form,
    ys: targets.form,
  };
}

function sideOf(side: "xs" | "ys", given: unknown) {
  const port = (name: string): ModelPort => ({
    where: name === side ? side : `${side}.${name}`,
    name,
    shape: [],
    form: "free",
    classes: 0,
    dtype: "float32",
  });
  if (given instanceof tf.Tensor) {
    return { ports: [port(side)], form: ([tensor]: readonly tf.Tensor[]) => tensor as tf.Tensor };
  }
  if (Array.isArray(given)) {
    return { ports: given.map((_, i) => port(String(i))), form: (tensors: readonly tf.Tensor[]) => tensors };
  }
  if (typeof given !== "object" || given === null) {
    throw new InvalidDataError(
      side,
      "a tf.Tensor, a list or a record of them",
      given === null ? "null" : typeof given,
    );
  }
  const names = Object.keys(given);
  return {
    ports: names.map(port),
    form: (tensors: readonly tf.Tensor[]) =>
      Object.fromEntries(names.map((name, i) => [name, tensors[i] as tf.Tensor])),
  };
}
