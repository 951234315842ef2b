import { setImmediate } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs";
import { type RunResult, runSamples } from "./evaluation-run.js";
import { changedWeightsError, holdWeights } from "./held-weights.js";
import type { LossValue } from "./loss-evaluator.js";
import type { LossPlan } from "./loss-plan.js";
import type { SampleSource } from "./sample-source.js";
import { averageScores, disposeScores, weightedMean } from "./scores.js";

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
  const held = holdWeights(model);
  let computed: Computed | undefined;
  let changed: readonly string[] = [];
  try {
    assign();
    held.mark();
    const run = await runSamples(model, plan, source, signal);
    computed = { ...run, penalty: plan.includeRegularization ? regularization(model) : null };
  } finally {
    changed = held.restore();
  }
  if (changed.length === 0) return computed;
  disposeComputed(computed);
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
