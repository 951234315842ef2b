import { setImmediate } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../base/errors.js";
import type { SampleSource } from "./evaluation-data.js";
import { type RunResult, runSamples } from "./evaluation-run.js";
import type { LossValue } from "./loss-evaluator.js";
import type { LossPlan } from "./loss-plan.js";
import { averageScores, disposeScores, weightedMean } from "./loss-plan.js";

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

/** Something that work uses, and that is freed once it is closed and no work is under way. */
export interface SharedUse {
  isClosed(): boolean;
  /** Runs work that uses it; what was begun before `close` still finds it. */
  run<T>(work: () => Promise<T>): Promise<T>;
  close(): void;
}

/** @param free - frees it; called once. */
export function createSharedUse(free: () => void): SharedUse {
  let pending = 0;
  let isClosed = false;
  let isFreed = false;
  const freeIfIdle = (): void => {
    if (!isClosed || isFreed || pending > 0) return;
    isFreed = true;
    free();
  };
  return {
    isClosed: () => isClosed,
    async run(work) {
      pending++;
      try {
        return await work();
      } finally {
        pending--;
        freeIfIdle();
      }
    },
    close() {
      isClosed = true;
      freeIfIdle();
    },
  };
}
