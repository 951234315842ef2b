import type * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../../base/errors.js";
import type { LandscapeWarning } from "../../base/warning.js";
import { bindModel } from "../../model/bound-weights.js";
import type { ParameterLayout } from "../../model/layout.js";
import type { EvaluationData } from "../evaluation-data.js";
import type { LossValue } from "../loss-evaluator.js";
import type { LossPlan } from "../loss-plan.js";
import { createModelEvaluator } from "../model-evaluator.js";
import type { EngineEvaluatorOptions, ResolvedEngineOptions } from "./engine-options.js";
import { createFusedEngine } from "./fused/fused-engine.js";
import { createGraphEvaluator, type GraphEvaluator } from "./graph-evaluator.js";
import { type DataColumns, type DataSet, firstRows, type GraphEngine } from "./graph-program.js";
import { createOnnxEngine, loadOnnxRuntime, requireOnnxRuntime } from "./onnx/onnx-engine.js";
import { UnsupportedError } from "./plan/graph.js";
import type { ModelPlan } from "./plan/plan-model.js";
import type { PlaneEvaluation } from "./plane-evaluation.js";
import { createTfEngine, isTensorFlowActive } from "./tensorflow/tf-engine.js";

/** Says that an engine is not used, and why. */
export function passedOver(engine: string, reason: string): LandscapeWarning {
  return {
    code: "engine-passed-over",
    message: `losses are not computed by ${engine} (${reason}), but more slowly`,
  };
}

/** Batch sizes that are tried: activations of more samples leave the cache. */
const CANDIDATES = [64, 128, 256, 512];
/** Samples that each trial runs on. */
const TRIAL_SAMPLES = 512;
/** No new trial begins after so many milliseconds. */
const BUDGET = 2000;

/** The fastest batch size that was found, and its speed. */
export interface MeasuredSpeed {
  readonly batchSize: number;
  /** Seconds per sample. */
  readonly secondsPerSample: number;
}

/** Runs an evaluator on some samples with several batch sizes, twice each after a first run, best counts. */
export async function measureBatchSize(
  evaluator: GraphEvaluator,
  data: DataColumns,
  theta: Float32Array,
  wanted: number | undefined,
  signal?: AbortSignal,
): Promise<MeasuredSpeed> {
  const some = firstRows(data, TRIAL_SAMPLES);
  const sizes = candidateSizes(some.samples, wanted);
  const begin = performance.now();
  let best: MeasuredSpeed | undefined;
  for (const batchSize of sizes) {
    if (best !== undefined && performance.now() - begin > BUDGET) break;
    evaluator.load(some, batchSize);
    let fastest = Number.POSITIVE_INFINITY;
    for (let trial = 0; trial < 3; trial++) {
      const start = performance.now();
      await evaluator.evaluate(theta, signal);
      if (trial > 0) fastest = Math.min(fastest, performance.now() - start);
    }
    const secondsPerSample = fastest / 1000 / some.samples;
    // A larger batch has to be clearly faster: it holds more memory, and noise should not choose.
    if (best === undefined || secondsPerSample < 0.97 * best.secondsPerSample) {
      best = { batchSize, secondsPerSample };
    }
  }
  return best as MeasuredSpeed;
}

function candidateSizes(samples: number, wanted: number | undefined): readonly number[] {
  if (wanted !== undefined) return [Math.min(wanted, samples)];
  const fitting = CANDIDATES.filter((size) => size <= samples);
  return fitting.length === 0 ? [samples] : fitting;
}

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
  const evaluator = await createModelEvaluator(model, data, { ...options, sampleLimit, dataId: "check" });
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

/** The fastest engine, with the data loaded; null where the model's own ops are to be used. */
export interface EngineChoiceResult {
  readonly evaluator: GraphEvaluator | null;
  readonly batchSize: number;
  readonly measured: Readonly<Record<string, number>>;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Chooses between the engines that are installed by measuring each once, after comparing it with the model's
 * own ops.
 *
 * @throws {@link EvaluationError} if an engine that was asked for does not agree.
 */
export async function chooseEngine(
  model: tf.LayersModel,
  data: EvaluationData,
  task: EngineTask,
): Promise<EngineChoiceResult> {
  const { own } = task;
  const warnings: LandscapeWarning[] = [];
  const engines = availableEngines(own, warnings);
  const theta = bindModel(model, task.layout).readSync();
  const ownOps = engines.length === 0 ? null : await runOwnOps(model, data, task, theta);
  const candidates: Candidate[] = [];
  let finalists: readonly Candidate[] = candidates;
  try {
    for (const engine of engines) {
      const outcome = await tryEngine(engine, task, theta, (ownOps as OwnOps).value);
      if ("evaluator" in outcome) candidates.push(outcome);
      else if (own.engine === "auto") warnings.push(passedOver(engine.name, outcome.reason));
      else throw refusal(engine, outcome);
    }
    if (candidates.length > 1) finalists = await runFinal(candidates, task.set, theta, task.options.signal);
  } catch (error) {
    for (const { evaluator } of candidates) evaluator.dispose();
    throw error;
  }
  const [best, ...others] = [...finalists].sort((a, b) => a.secondsPerSample - b.secondsPerSample);
  const measured: Record<string, number> = Object.fromEntries(
    finalists.map(({ evaluator, secondsPerSample }) => [evaluator.engine.name, secondsPerSample]),
  );
  const ownSeconds = ownOps?.secondsPerSample ?? null;
  if (ownSeconds !== null) measured.tfjs = ownSeconds;
  for (const { evaluator } of others) evaluator.dispose();
  if (best === undefined) return { evaluator: null, batchSize: 0, measured, warnings };
  if (isOutrun(best, ownSeconds)) {
    best.evaluator.dispose();
    return { evaluator: null, batchSize: 0, measured, warnings };
  }
  best.evaluator.load(task.set, best.batchSize);
  return { evaluator: best.evaluator, batchSize: best.batchSize, measured, warnings };
}

/** Seconds that one pass of the final comparison takes at most, by the speeds found before. */
const FINAL_SECONDS = 0.5;

/**
 * Compares engines on more samples, as they evaluate the points of a plane: what an engine does once a point, such
 * as opening a session, weighs too much on few samples, and what it keeps for a plane may change the order. Two
 * passes each, in turn; the faster counts.
 */
async function runFinal(
  candidates: readonly Candidate[],
  set: DataSet,
  theta: Float32Array,
  signal: AbortSignal | undefined,
): Promise<readonly Candidate[]> {
  const slowest = Math.max(...candidates.map(({ secondsPerSample }) => secondsPerSample));
  const some = firstRows(set, Math.max(CHECK_SAMPLES, Math.floor(FINAL_SECONDS / slowest)));
  const finals: { readonly candidate: Candidate; readonly plane: PlaneEvaluation | null; seconds: number }[] =
    [];
  try {
    for (const candidate of candidates) {
      const { evaluator, batchSize } = candidate;
      evaluator.load(some, Math.min(batchSize, some.samples));
      const plane = await evaluator.openPlane({ center: theta, vectors: [theta, theta] }, signal);
      finals.push({ candidate, plane, seconds: Number.POSITIVE_INFINITY });
    }
    for (let pass = 0; pass < 3; pass++) {
      for (const final of finals) {
        const { candidate, plane } = final;
        const begin = performance.now();
        await (plane === null
          ? candidate.evaluator.evaluate(theta, signal)
          : plane.evaluate(theta, 0, 0, signal));
        // The first pass warms up.
        if (pass > 0) final.seconds = Math.min(final.seconds, (performance.now() - begin) / 1000);
      }
    }
  } finally {
    for (const { plane } of finals) plane?.dispose();
  }
  return finals.map(({ candidate, seconds }) => ({ ...candidate, secondsPerSample: seconds / some.samples }));
}

function availableEngines(own: ResolvedEngineOptions, warnings: LandscapeWarning[]): readonly GraphEngine[] {
  if (own.engine === "tensorflow") return [createTfEngine()];
  if (own.engine === "onnx") return [createOnnxEngine(requireOnnxRuntime(), own.threads)];
  if (own.engine === "tfjs-fused") return [createFusedEngine()];
  const engines = isTensorFlowActive() ? [createTfEngine()] : [];
  const onnx = loadOnnxRuntime();
  if (onnx.state === "loaded") engines.push(createOnnxEngine(onnx.runtime, own.threads));
  if (onnx.state === "broken") warnings.push(passedOver("onnx", `it does not load: ${onnx.reason}`));
  // Slower than both on every network that was measured: not worth a trial beside them.
  if (engines.length === 0) engines.push(createFusedEngine());
  return engines;
}

/** A graph on the processor beside own ops on a faster device is no gain; noise should not choose. */
function isOutrun(best: Candidate, ownSeconds: number | null): boolean {
  return ownSeconds !== null && ownSeconds < 0.75 * best.secondsPerSample;
}

function refusal(
  engine: GraphEngine,
  { reason, cause }: { reason: string; cause?: unknown },
): EvaluationError {
  const options = { hint: 'use engine: "auto" or "tfjs"', ...(cause === undefined ? {} : { cause }) };
  return new EvaluationError(`engine "${engine.name}"`, "a model that it can run", reason, options);
}
