import type * as tf from "@tensorflow/tfjs";
import { createLossEvaluator } from "../model/create-loss-evaluator.js";
import type { EvaluationData } from "../model/evaluation-data.js";
import type { LossValue } from "../model/loss-evaluator.js";
import type { LossPlan } from "../model/loss-plan.js";
import type { ParameterLayout } from "../params/layout.js";
import { type DataSet, firstRows } from "./data-columns.js";
import type { EngineEvaluatorOptions, ResolvedEngineOptions } from "./engine-options.js";
import { createGraphEvaluator, type GraphEvaluator } from "./graph-evaluator.js";
import type { GraphEngine } from "./graph-program.js";
import { measureBatchSize } from "./measure-batch-size.js";
import type { ModelPlan } from "./plan/plan-model.js";
import { UnsupportedError } from "./plan/unsupported.js";

/** Samples on which an engine is compared with the model's own ops. */
export const CHECK_SAMPLES = 64;

/** What an engine is chosen for. */
export interface EngineTask {
  readonly plan: ModelPlan;
  readonly loss: LossPlan;
  readonly layout: ParameterLayout;
  readonly set: DataSet;
  readonly options: EngineEvaluatorOptions;
  readonly own: ResolvedEngineOptions;
}

/** An engine that agrees with the model, and its speed. */
export interface Candidate {
  readonly evaluator: GraphEvaluator;
  readonly batchSize: number;
  readonly secondsPerSample: number;
}

/** What the model's own ops give for the first samples, and their speed. */
export interface OwnOps {
  readonly value: LossValue;
  /** null where they cannot be chosen. */
  readonly secondsPerSample: number | null;
}

/** Evaluates the first samples with the model's own ops; a second time, for their speed, where they may be chosen. */
export async function runOwnOps(
  model: tf.LayersModel,
  data: EvaluationData,
  { options, own }: EngineTask,
  theta: Float32Array,
): Promise<OwnOps> {
  const sampleLimit = Math.min(CHECK_SAMPLES, options.sampleLimit ?? CHECK_SAMPLES);
  const evaluator = await createLossEvaluator(model, data, { ...options, sampleLimit, dataId: "check" });
  try {
    const value = await evaluator.evaluate(theta, options.signal);
    if (own.engine !== "auto") return { value, secondsPerSample: null };
    const begin = performance.now();
    await evaluator.evaluate(theta, options.signal);
    const seconds = (performance.now() - begin) / 1000;
    return { value, secondsPerSample: seconds / evaluator.samples };
  } finally {
    evaluator.dispose();
  }
}

type Outcome = Candidate | { readonly reason: string; readonly cause?: unknown };

/** Compiles the model's plan for an engine, compares it with the model's own ops and measures batch sizes. */
export async function tryEngine(
  engine: GraphEngine,
  { plan, loss, set, options }: EngineTask,
  theta: Float32Array,
  expected: LossValue,
): Promise<Outcome> {
  let evaluator: GraphEvaluator | undefined;
  try {
    evaluator = await createGraphEvaluator(engine, plan, loss.scores);
    evaluator.load(firstRows(set, CHECK_SAMPLES), CHECK_SAMPLES);
    const difference = differenceOf(await evaluator.evaluate(theta, options.signal), expected);
    if (difference !== null) {
      evaluator.dispose();
      return { reason: `it does not agree with the model's own ops: ${difference}` };
    }
    const speed = await measureBatchSize(evaluator, set, theta, options.batchSize, options.signal);
    return { evaluator, ...speed };
  } catch (cause) {
    evaluator?.dispose();
    options.signal?.throwIfAborted();
    const message = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    return cause instanceof UnsupportedError
      ? { reason: message }
      : { reason: `it fails: ${message}`, cause };
  }
}

/** Says what differs by more than rounding can explain, or null. */
function differenceOf(value: LossValue, expected: LossValue): string | null {
  const differs = (a: number, b: number, slack: number) =>
    Number.isFinite(a) && Number.isFinite(b)
      ? Math.abs(a - b) > 1e-4 * Math.abs(b) + slack
      : !Object.is(a, b);
  if (differs(value.loss, expected.loss, 1e-5)) return `loss ${value.loss}, not ${expected.loss}`;
  // One sample on the edge between two classes may fall to either side.
  const slack = 1.5 / CHECK_SAMPLES;
  const name = Object.keys(expected.metrics).find((metric) =>
    differs(value.metrics[metric] as number, expected.metrics[metric] as number, slack),
  );
  return name === undefined ? null : `${name} ${value.metrics[name]}, not ${expected.metrics[name]}`;
}
