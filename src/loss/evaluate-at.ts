import { setImmediate } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../base/errors.js";
import type { Batch, SampleSource } from "./evaluation-data.js";
import type { LossValue } from "./loss-evaluator.js";
import {
  averageScores,
  disposeScores,
  type LossPlan,
  perSample,
  type ScorePlan,
  type Scores,
  scoreSamples,
  tidyScores,
  weightedMean,
} from "./loss-plan.js";
import type { FinalActivation } from "./output-loss.js";

/**
 * Lets timers, messages and signals in between two batches: a backend that computes within the call would
 * starve them, and an abort would be noticed at the end. Without a signal there is nothing to wait for.
 *
 * @throws the signal's reason once it is aborted.
 */
export async function betweenBatches(signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return;
  await setImmediate();
  signal.throwIfAborted();
}

/** Runs a model on a batch and returns its raw outputs, in the model's order. */
export type ForwardPass = (xs: readonly tf.Tensor[]) => tf.Tensor[];

/**
 * Returns the forward pass of a model in evaluation mode (no dropout, moving batch statistics), with
 * final activations taken away.
 */
export function forwardPass(
  model: tf.LayersModel,
  activations: readonly (FinalActivation | null)[],
): ForwardPass {
  const apply = (xs: readonly tf.Tensor[]): tf.Tensor[] => {
    const input = xs.length === 1 ? (xs[0] as tf.Tensor) : [...xs];
    const output = model.apply(input, { training: false }) as tf.Tensor | tf.Tensor[];
    return Array.isArray(output) ? output : [output];
  };
  const run = activations.reduce<ForwardPass>(
    (inner, activation) => (activation === null ? inner : (xs) => activation.without(() => inner(xs))),
    apply,
  );
  return (xs) => tf.tidy(() => run(xs));
}

/** Most numbers of model output that are kept until all samples are scored at once (64 MiB). */
const WHOLE_OUTPUT_LIMIT = 2 ** 24;

/** What one pass over the samples gives; the tensors are the receiver's to dispose. */
export interface RunResult {
  /** Compiled losses and metrics, of all samples at once where outputs are small enough. */
  readonly scores: readonly Scores[];
  /** What the user's own loss function returned, batch by batch. */
  readonly functionLosses: readonly { readonly samples: number; readonly values: tf.Tensor }[];
}

/**
 * Runs the model, as its weights are, over all samples. Nothing is read back, so that the backend need not
 * wait between batches.
 *
 * @throws the signal's reason once it is aborted, after at most one more batch.
 */
export async function runSamples(
  model: tf.LayersModel,
  plan: LossPlan,
  source: SampleSource,
  signal: AbortSignal | undefined,
): Promise<RunResult> {
  const collect = outputCollector(model, plan, source);
  const functionLosses: { samples: number; values: tf.Tensor }[] = [];
  try {
    await source.forEachBatch(async (batch) => {
      signal?.throwIfAborted();
      collect?.add(batch);
      if (plan.lossFunction !== null) functionLosses.push(functionLoss(model, plan.lossFunction, batch));
      await betweenBatches(signal);
    });
    return { scores: collect?.finish() ?? [], functionLosses };
  } catch (error) {
    for (const { values } of functionLosses) values.dispose();
    throw error;
  } finally {
    collect?.dispose();
  }
}

/** Gathers what the forward passes give until it is scored. */
interface OutputCollector {
  add(batch: Batch): void;
  finish(): readonly Scores[];
  /** Frees what was gathered and not handed out. */
  dispose(): void;
}

function outputCollector(
  model: tf.LayersModel,
  plan: LossPlan,
  source: SampleSource,
): OutputCollector | null {
  const { losses, metrics } = plan.scores;
  if (losses.length === 0 && metrics.length === 0) return null;
  const forward = forwardPass(model, plan.activations);
  return source.targets !== null && isScoredAtOnce(model, source)
    ? wholeCollector(forward, plan.scores, source.targets, source)
    : batchCollector(forward, plan.scores);
}

/** Whether the outputs of all samples are kept and scored at once. */
export function isScoredAtOnce(model: tf.LayersModel, source: SampleSource): boolean {
  return source.targets !== null && source.samples * outputSize(model) <= WHOLE_OUTPUT_LIMIT;
}

/** Numbers of output per sample; infinite where the model leaves a length open. */
function outputSize(model: tf.LayersModel): number {
  const sizeOf = ({ shape }: tf.SymbolicTensor) =>
    shape.slice(1).reduce<number>((size, length) => size * (length ?? Number.POSITIVE_INFINITY), 1);
  return model.outputs.reduce((sum, output) => sum + sizeOf(output), 0);
}

/** Scores all samples at once: fewer, larger ops, and metrics that are no sample means come out right. */
function wholeCollector(
  forward: ForwardPass,
  plan: ScorePlan,
  targets: readonly tf.Tensor[],
  { samples, weights }: SampleSource,
): OutputCollector {
  const outputs: tf.Tensor[][] = [];
  return {
    add: ({ xs }) => outputs.push(forward(xs)),
    finish: () => [
      tidyScores(() => {
        const raws = targets.map((_, i) => tf.concat(outputs.map((batch) => batch[i] as tf.Tensor)));
        return scoreSamples(plan, raws, targets, samples, weights);
      }),
    ],
    dispose: () => tf.dispose(outputs),
  };
}

function batchCollector(forward: ForwardPass, plan: ScorePlan): OutputCollector {
  let parts: Scores[] = [];
  return {
    add: ({ xs, ys, ws, samples }) => {
      parts.push(tidyScores(() => scoreSamples(plan, forward(xs), ys, samples, ws)));
    },
    finish: () => {
      const finished = parts;
      parts = [];
      return finished;
    },
    dispose: () => disposeScores(parts),
  };
}

/** Runs the user's own loss function on a batch. */
export function functionLoss(
  model: tf.LayersModel,
  lossFunction: NonNullable<LossPlan["lossFunction"]>,
  { xs, ys, samples }: Batch,
): { samples: number; values: tf.Tensor } {
  const single = (tensors: readonly tf.Tensor[]) =>
    tensors.length === 1 ? (tensors[0] as tf.Tensor) : [...tensors];
  const values = tf.tidy(() => {
    const result: unknown = lossFunction(model, single(xs), single(ys));
    if (result instanceof tf.Tensor) return perSample(result, samples, "mean").clone();
    const got = result instanceof Promise ? "a promise" : typeof result;
    throw new EvaluationError("lossFunction", "a tensor (a scalar, or one value per sample)", got);
  });
  return { samples, values };
}

/** The weights that a model had at one moment, held so that they can be put back without copying a number. */
export interface HeldWeights {
  /** Notes that the model's weights are now the evaluator's doing. */
  mark(): void;
  /**
   * Puts the held weights back, bit for bit, and lets go of them.
   *
   * @returns names of weights that somebody else changed since `mark` (their changes are lost).
   */
  restore(): readonly string[];
}

/**
 * Holds a model's weights. TF.js shares a tensor's buffer between its clones and replaces, never rewrites,
 * the buffer of a variable, so that a clone keeps the bits at no cost.
 */
export function holdWeights(model: tf.LayersModel): HeldWeights {
  const held = model.weights.map((weight) => {
    const variable = weight.read() as tf.Variable;
    return { name: weight.name, variable, original: variable.clone() };
  });
  let marks: readonly object[] | null = null;
  return {
    mark() {
      marks = held.map(({ variable }) => variable.dataId);
    },
    restore() {
      const changed: string[] = [];
      held.forEach(({ name, variable, original }, i) => {
        if (marks !== null && marks[i] !== variable.dataId) changed.push(name);
        if (variable.dataId !== original.dataId) variable.assign(original);
        original.dispose();
      });
      return changed;
    },
  };
}

/** Makes the error for weights that changed during an evaluation. */
export function changedWeightsError(model: string, names: readonly string[]): EvaluationError {
  return new EvaluationError(
    `model "${model}"`,
    "weights that nobody else changes during an evaluation",
    `a change of ${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""}`,
    { hint: "await the evaluation before training goes on; the weights of before it were put back" },
  );
}

/** What was computed while the model held θ; nothing of it has been read back. */
export interface Computed extends RunResult {
  readonly penalty: tf.Tensor | null;
}

/**
 * Evaluates loss and metrics at the weights that `assign` puts into the model, and puts the model's own
 * weights back before anything else happens to it.
 *
 * @throws {@link EvaluationError} if somebody else changed the weights meanwhile.
 */
export async function evaluateAt(
  model: tf.LayersModel,
  plan: LossPlan,
  source: SampleSource,
  assign: () => void,
  signal: AbortSignal | undefined,
): Promise<LossValue> {
  const computed = await computeAt(model, plan, source, assign, signal);
  const value = await readBack(plan, computed);
  // Some backends compute within the call: without this, timers and signals would starve from point to point.
  await setImmediate();
  return value;
}

/** The value at a θ where the loss is not defined. */
export function undefinedValue({ scores }: LossPlan): LossValue {
  const metrics = Object.fromEntries(scores.metrics.map(({ name }) => [name, Number.NaN]));
  return { loss: Number.NaN, metrics, clippedShare: null, cappedShare: null };
}

/** Computes scores at the weights that `assign` puts into the model, and puts the model's own weights back. */
export async function computeAt(
  model: tf.LayersModel,
  plan: LossPlan,
  source: SampleSource,
  assign: () => void,
  signal: AbortSignal | undefined,
): Promise<Computed> {
  const compute = async (): Promise<Computed> => {
    const run = await runSamples(model, plan, source, signal);
    return { ...run, penalty: plan.includeRegularization ? regularization(model) : null };
  };
  return whileAssigned(model, assign, compute, disposeComputed);
}

/**
 * Runs a task at the weights that `assign` puts into the model, and puts the model's own weights back.
 *
 * @param discard - frees the task's result where it is of no use.
 * @throws {@link EvaluationError} if somebody else changed the weights meanwhile.
 */
export async function whileAssigned<T>(
  model: tf.LayersModel,
  assign: () => void,
  task: () => Promise<T>,
  discard: (result: T) => void = () => {},
): Promise<T> {
  const held = holdWeights(model);
  const results: T[] = [];
  let changed: readonly string[] = [];
  try {
    assign();
    held.mark();
    results.push(await task());
  } finally {
    changed = held.restore();
  }
  const [result] = results as [T];
  if (changed.length === 0) return result;
  discard(result);
  throw changedWeightsError(model.name, changed);
}

/** Returns the sum of the model's regularization penalties at its present weights. */
function regularization(model: tf.LayersModel): tf.Tensor {
  return tf.tidy(() => model.calculateLosses().reduce<tf.Tensor>((a, b) => tf.add(a, b), tf.scalar(0)));
}

async function readBack(plan: LossPlan, computed: Computed): Promise<LossValue> {
  try {
    const { losses, metrics, clippedShare, cappedShare } = await averageScores(plan.scores, computed.scores);
    const penalty = computed.penalty === null ? 0 : ((await computed.penalty.data())[0] as number);
    const loss = plan.lossFunction === null ? sum(losses) : await functionMean(computed.functionLosses);
    const named = plan.scores.metrics.map(({ name }, i) => [name, metrics[i] as number] as const);
    return { loss: loss + penalty, metrics: Object.fromEntries(named), clippedShare, cappedShare };
  } finally {
    disposeComputed(computed);
  }
}

async function functionMean(parts: RunResult["functionLosses"]): Promise<number> {
  return weightedMean(await Promise.all(parts.map(({ values }) => values.data())), parts);
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

/** Frees what was computed. */
export function disposeComputed({ scores, functionLosses, penalty }: Computed): void {
  disposeScores(scores);
  for (const { values } of functionLosses) values.dispose();
  penalty?.dispose();
}

/** The last task of each model, settled or not. */
const tails = new WeakMap<object, Promise<unknown>>();

/**
 * Runs tasks that move a model's weights one after another, in the order of the calls, whichever
 * evaluator they belong to.
 */
export function withModel<T>(model: object, task: () => Promise<T>): Promise<T> {
  const before = tails.get(model) ?? Promise.resolve();
  const result = before.then(task);
  const settled = result.then(
    () => undefined,
    () => undefined,
  );
  tails.set(model, settled);
  return result;
}
