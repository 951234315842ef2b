import { setImmediate } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../base/errors.js";
import type { Batch, SampleSource } from "./evaluation-data.js";
import type { LossPlan } from "./loss-plan.js";
import {
  disposeScores,
  perSample,
  type ScorePlan,
  type Scores,
  scoreSamples,
  tidyScores,
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

function functionLoss(
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
