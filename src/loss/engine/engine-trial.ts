import { loadOnnxRuntime } from "../../backend/onnx-runtime.js";
import type { ParameterLayout } from "../../model/layout.js";
import type { EvaluationRequest } from "../loss-options.js";
import type { LossPlan } from "../loss-plan.js";
import { createGraphEvaluator, type GraphEvaluator } from "./graph-evaluator.js";
import {
  type DataColumns,
  type DataSet,
  DEVICE_TOLERANCE,
  firstRows,
  type GraphEngine,
} from "./graph-program.js";
import { CHECK_SAMPLES, type CheckPoint, CLOSE, differenceOf, FAR } from "./guarded-evaluator.js";
import { createOnnxEngine } from "./onnx/onnx-engine.js";
import { type Graph, largestResult, UnsupportedError } from "./plan/graph.js";
import type { ModelPlan } from "./plan/plan-model.js";
import type { PlaneEvaluation } from "./plane-evaluation.js";

/** Batch sizes that are tried: activations of more samples leave the cache. */
const CANDIDATES = [64, 128, 256, 512];
/** Samples that each trial runs on. */
const TRIAL_SAMPLES = 512;
/** The same on a graphics card, which small batches leave idle. */
const DEVICE_CANDIDATES = [128, 512, 2048];
const DEVICE_TRIAL_SAMPLES = 2048;
/** No new trial begins after so many milliseconds. */
const BUDGET = 2000;
/** Bytes of one result for each thread of ONNX Runtime beyond which a batch is not tried. */
const THREAD_RESULT = 2 ** 22;

/**
 * Batch sizes that are worth a trial, the smallest always. ONNX Runtime on the processor can be slower with large results
 * over a whole surface than a trial of a few milliseconds shows.
 */
function trialSizes({ name, device, threads }: GraphEngine, graph: Graph): readonly number[] {
  if (device !== undefined) return DEVICE_CANDIDATES;
  if (name !== "onnx") return CANDIDATES;
  const most = (THREAD_RESULT * threads) / (4 * largestResult(graph));
  return CANDIDATES.filter((size, i) => i === 0 || size <= most);
}

/** The fastest batch size that was found, and its speed. */
export interface MeasuredSpeed {
  readonly batchSize: number;
  /** Seconds per sample; NaN where nothing was to be chosen by it. */
  readonly secondsPerSample: number;
}

/** The batch sizes that an engine is tried with. */
interface SizeTrial {
  /** A batch size that was asked for, or that an earlier choice has: no other one is tried. */
  readonly wanted: number | undefined;
  readonly candidates: readonly number[];
  /** Whether the speed counts beside that of other engines. If not, a size that is wanted is not timed. */
  readonly isCompared: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Runs an evaluator on some samples with several batch sizes, twice each after a first run, best counts. */
async function measureBatchSize(
  evaluator: GraphEvaluator,
  data: DataColumns,
  theta: Float32Array,
  { wanted, candidates, isCompared, signal }: SizeTrial,
): Promise<MeasuredSpeed> {
  const isDevice = evaluator.engine.device !== undefined;
  const some = firstRows(data, isDevice ? DEVICE_TRIAL_SAMPLES : TRIAL_SAMPLES);
  const sizes =
    wanted === undefined ? fittingSizes(some.samples, candidates) : [Math.min(wanted, data.samples)];
  if (wanted !== undefined && !isCompared)
    return { batchSize: sizes[0] as number, secondsPerSample: Number.NaN };
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

function fittingSizes(samples: number, candidates: readonly number[]): readonly number[] {
  const fitting = candidates.filter((size) => size <= samples);
  return fitting.length === 0 ? [samples] : fitting;
}

/** An engine that agrees with the model, and its speed. */
export interface Candidate {
  readonly evaluator: GraphEvaluator;
  readonly batchSize: number;
  /** NaN where nothing was to be chosen by it. */
  readonly secondsPerSample: number;
}

/** Seconds that one pass of the final comparison takes at most, by the speeds found before. */
const FINAL_SECONDS = 0.5;
/** Samples that it takes at least. */
const LEAST_FINAL_SAMPLES = 64;

/**
 * Compares engines on more samples, as they evaluate the points of a plane: what an engine does once a point, such
 * as opening a session, weighs too much on few samples, and what it keeps for a plane may change the order. Two
 * passes each, in turn; the faster counts.
 */
export async function measureFinal(
  candidates: readonly Candidate[],
  set: DataColumns,
  theta: Float32Array,
  signal: AbortSignal | undefined,
): Promise<readonly Candidate[]> {
  const slowest = Math.max(...candidates.map(({ secondsPerSample }) => secondsPerSample));
  const some = firstRows(set, Math.max(LEAST_FINAL_SAMPLES, Math.floor(FINAL_SECONDS / slowest)));
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

/** What an engine is chosen for. */
export interface EngineTask {
  readonly plan: ModelPlan;
  readonly loss: LossPlan;
  readonly layout: ParameterLayout;
  readonly set: DataSet;
  readonly asked: EvaluationRequest;
}

/** What an engine is tried on, and for what. */
export interface EngineTrial {
  /** The model's own weights. */
  readonly theta: Float32Array;
  /** Points at which the engine has to agree with the model's own ops. */
  readonly points: readonly CheckPoint[];
  /** Losses there on the processor, for an engine on another device. */
  readonly onProcessor: readonly number[];
  /** Whether it is compared with others by its speed. */
  readonly isCompared: boolean;
}

/** An engine that can be used, or why it cannot. */
export type Outcome = Candidate | { readonly reason: string; readonly cause?: unknown };

/**
 * Compiles the model's plan for an engine, compares it with the model's own ops and measures batch sizes, where there is
 * something to choose.
 */
export async function tryEngine(
  engine: GraphEngine,
  { plan, loss, set, asked }: EngineTask,
  { theta, points, onProcessor, isCompared }: EngineTrial,
): Promise<Outcome> {
  let evaluator: GraphEvaluator | undefined;
  try {
    evaluator = await createGraphEvaluator(engine, plan, loss.scores);
    evaluator.load(firstRows(set, CHECK_SAMPLES), CHECK_SAMPLES);
    for (const [i, point] of points.entries()) {
      const value = await evaluator.evaluate(point.theta, asked.signal);
      const own = differenceOf(value, point.expected, point.theta === theta ? CLOSE : FAR);
      const device = engine.device === undefined ? null : deviceDifference(value.loss, onProcessor[i]);
      if (own === null && device === null) continue;
      evaluator.dispose();
      return {
        reason:
          own !== null
            ? `it does not agree with the model's own ops at ${point.name}: ${own}`
            : `it does not agree with the processor to ${DEVICE_TOLERANCE} at ${point.name}: ${device}`,
      };
    }
    const { askedBatchSize, signal } = asked;
    const speed = await measureBatchSize(evaluator, set, theta, {
      wanted: askedBatchSize,
      candidates: trialSizes(engine, plan.graph),
      isCompared,
      signal,
    });
    return { evaluator, ...speed };
  } catch (cause) {
    evaluator?.dispose();
    asked.signal?.throwIfAborted();
    const message = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    return cause instanceof UnsupportedError
      ? { reason: message }
      : { reason: `it fails: ${message}`, cause };
  }
}

/** Says by how much the loss on a device differs from that on the processor, if it is too much. */
function deviceDifference(loss: number, expected = Number.NaN): string | null {
  const difference = Math.abs(loss - expected) / Math.abs(expected);
  const isSame = loss === expected || Object.is(loss, expected);
  if (isSame || difference <= DEVICE_TOLERANCE) return null;
  return `loss ${loss}, not ${expected} (${difference.toExponential(1)} relative)`;
}

/** Losses at some points on the processor: what a device has to give as well. */
export async function processorLosses(
  { plan, loss, set, asked }: EngineTask,
  points: readonly CheckPoint[],
): Promise<readonly number[]> {
  // Without ONNX Runtime a device is TensorFlow's, and nothing else is there to compare it with.
  const runtime = loadOnnxRuntime();
  const engine = runtime.state === "loaded" ? createOnnxEngine(runtime.runtime, asked.threads) : null;
  if (engine === null) return points.map(({ expected }) => expected.loss);
  const evaluator = await createGraphEvaluator(engine, plan, loss.scores);
  try {
    evaluator.load(firstRows(set, CHECK_SAMPLES), CHECK_SAMPLES);
    const losses: number[] = [];
    for (const { theta } of points) losses.push((await evaluator.evaluate(theta, asked.signal)).loss);
    return losses;
  } finally {
    evaluator.dispose();
  }
}
