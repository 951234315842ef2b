import * as tf from "@tensorflow/tfjs";
import { BackendError, EvaluationError } from "../../base/errors.js";
import { defined } from "../../base/json.js";
import type { LandscapeWarning } from "../../base/warning.js";
import { bindModel } from "../../model/bound-weights.js";
import type { ParameterLayout } from "../../model/layout.js";
import type { EvaluationData } from "../evaluation-data.js";
import type { DeviceChoice, EvaluationRequest, ResolvedEngineOptions } from "../loss-options.js";
import type { LossPlan } from "../loss-plan.js";
import { createFusedEngine } from "./fused/fused-engine.js";
import { createGraphEvaluator, type GraphEvaluator } from "./graph-evaluator.js";
import {
  type DataColumns,
  type DataSet,
  DEVICE_TOLERANCE,
  firstRows,
  type GraphEngine,
} from "./graph-program.js";
import {
  CHECK_SAMPLES,
  type CheckPoint,
  CLOSE,
  checkPoints,
  differenceOf,
  FAR,
  type OwnOps,
  openOwnOps,
} from "./guarded-evaluator.js";
import { deviceProblem, ONNX_DEVICES, type OnnxDevice, requireDevice } from "./onnx/onnx-device.js";
import {
  createOnnxEngine,
  loadOnnxRuntime,
  type OnnxRuntime,
  requireOnnxRuntime,
} from "./onnx/onnx-engine.js";
import { UnsupportedError } from "./plan/graph.js";
import type { ModelPlan } from "./plan/plan-model.js";
import type { PlaneEvaluation } from "./plane-evaluation.js";
import { createTfEngine, isTensorFlowActive, isTensorFlowOnGpu } from "./tensorflow/tf-engine.js";

/** Batch sizes that are tried: activations of more samples leave the cache. */
const CANDIDATES = [64, 128, 256, 512];
/** Samples that each trial runs on. */
const TRIAL_SAMPLES = 512;
/** The same on a graphics card, which small batches leave idle. */
const DEVICE_CANDIDATES = [128, 512, 2048];
const DEVICE_TRIAL_SAMPLES = 2048;
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
  const isDevice = evaluator.engine.device !== undefined;
  const some = firstRows(data, isDevice ? DEVICE_TRIAL_SAMPLES : TRIAL_SAMPLES);
  const sizes = candidateSizes(some.samples, wanted, isDevice ? DEVICE_CANDIDATES : CANDIDATES);
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

function candidateSizes(
  samples: number,
  wanted: number | undefined,
  candidates: readonly number[],
): readonly number[] {
  if (wanted !== undefined) return [Math.min(wanted, samples)];
  const fitting = candidates.filter((size) => size <= samples);
  return fitting.length === 0 ? [samples] : fitting;
}

/** An engine that agrees with the model, and its speed. */
export interface Candidate {
  readonly evaluator: GraphEvaluator;
  readonly batchSize: number;
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

/** Says that an engine is not used, and why. */
export function passedOver(engine: string, reason: string): LandscapeWarning {
  return {
    code: "engine-passed-over",
    message: `losses are not computed by ${engine} (${reason}), but more slowly`,
  };
}

/** What an engine is chosen for. */
export interface EngineTask {
  readonly plan: ModelPlan;
  readonly loss: LossPlan;
  readonly layout: ParameterLayout;
  readonly set: DataSet;
  readonly asked: EvaluationRequest;
}

type Outcome = Candidate | { readonly reason: string; readonly cause?: unknown };

/** Compiles the model's plan for an engine, compares it with the model's own ops and measures batch sizes. */
export async function tryEngine(
  engine: GraphEngine,
  { plan, loss, set, asked }: EngineTask,
  theta: Float32Array,
  points: readonly CheckPoint[],
  onProcessor: readonly number[] = [],
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
    const speed = await measureBatchSize(evaluator, set, theta, asked.askedBatchSize, asked.signal);
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
async function processorLosses(
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

/** The fastest engine, with the data loaded; `evaluator` is null where the model's own ops are to be used. */
export interface EngineChoiceResult {
  readonly evaluator: GraphEvaluator | null;
  /** What an engine has to agree with; the caller's to dispose. */
  readonly ownOps: OwnOps | null;
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
  const { asked } = task;
  const warnings: LandscapeWarning[] = [];
  const engines = await availableEngines(asked, warnings);
  if (engines.length === 0) return { evaluator: null, ownOps: null, batchSize: 0, measured: {}, warnings };
  const theta = bindModel(model, task.layout).readSync();
  const ownOps = await openOwnOps(model, data, task);
  const candidates: Candidate[] = [];
  let best: Candidate | undefined;
  try {
    const points = await checkPoints(ownOps, theta, task.layout, asked.signal);
    const hasDevice = engines.some(({ device }) => device !== undefined);
    const onProcessor = hasDevice ? await processorLosses(task, points) : [];
    for (const engine of engines) {
      const outcome = await tryEngine(engine, task, theta, points, onProcessor);
      if ("evaluator" in outcome) candidates.push(outcome);
      // One that is left may do what was asked for.
      else if (asked.engine !== "auto" || (engines.length === 1 && !mayUseOwnOps(asked)))
        throw refusal(engine, outcome);
      else warnings.push(passedOver(labelOf(engine), outcome.reason));
    }
    const finalists =
      candidates.length > 1 ? await measureFinal(candidates, task.set, theta, asked.signal) : candidates;
    const measured: Record<string, number> = Object.fromEntries(
      finalists.map(({ evaluator, secondsPerSample }) => [labelOf(evaluator.engine), secondsPerSample]),
    );
    if (candidates.length === 0 && !mayUseOwnOps(asked)) {
      const got = warnings.map(({ message }) => message).join("; ");
      throw new EvaluationError(`device "${asked.device}"`, "an engine that can use it", got);
    }
    if (asked.engine === "auto" && mayUseOwnOps(asked))
      measured.tfjs = await ownOps.measure(theta, asked.signal);
    const [fastest] = [...finalists].sort((a, b) => a.secondsPerSample - b.secondsPerSample);
    if (fastest === undefined || isOutrun(fastest, measured.tfjs)) {
      ownOps.dispose();
      return { evaluator: null, ownOps: null, batchSize: 0, measured, warnings };
    }
    fastest.evaluator.load(task.set, fastest.batchSize);
    best = fastest;
    return { evaluator: best.evaluator, ownOps, batchSize: best.batchSize, measured, warnings };
  } catch (error) {
    ownOps.dispose();
    throw error;
  } finally {
    for (const { evaluator } of candidates) if (evaluator !== best?.evaluator) evaluator.dispose();
  }
}

/** "onnx", or "onnx on webgpu". */
function labelOf({ name, device }: Pick<GraphEngine, "name" | "device">): string {
  return device === undefined ? name : `${name} on ${device}`;
}

/** Whether a device was asked for that is no processor: nothing else will do then. */
function isElsewhere(device: DeviceChoice | undefined): device is OnnxDevice {
  return device === "webgpu" || device === "cuda";
}

/** Whether the model's own ops compute where it was asked for: on the active backend. */
export function mayUseOwnOps({ device }: Pick<ResolvedEngineOptions, "device">): boolean {
  return !isElsewhere(device) && !(device === "cpu" && isTensorFlowOnGpu());
}

async function availableEngines(
  own: ResolvedEngineOptions,
  warnings: LandscapeWarning[],
): Promise<readonly GraphEngine[]> {
  const { device } = own;
  if (isElsewhere(device)) return onDevice(own, device);
  if (device === "cpu" && isTensorFlowOnGpu()) return besideTensorFlow(own);
  const usual = usualEngines(own, warnings);
  return device === "auto" ? [...usual, ...(await onEveryDevice(own, warnings))] : usual;
}

/** Engines on a device that was asked for. */
async function onDevice(own: ResolvedEngineOptions, device: OnnxDevice): Promise<readonly GraphEngine[]> {
  const hasTensorFlow = device === "cuda" && isTensorFlowOnGpu();
  if (own.engine === "tensorflow") {
    if (hasTensorFlow) return [createTfEngine(device)];
    const got = isTensorFlowActive()
      ? "the native backend on the processor"
      : `the backend "${tf.getBackend()}"`;
    throw new BackendError(`device "${device}"`, "TensorFlow on a graphics card", got, {
      hint: 'install @tensorflow/tfjs-node-gpu and the CUDA and cuDNN of its TensorFlow, or use engine "onnx"',
    });
  }
  const found = own.engine === "auto" && hasTensorFlow ? [createTfEngine(device)] : [];
  const runtime = found.length === 0 ? requireOnnxRuntime(`device "${device}"`) : loadedRuntime();
  if (runtime === null) return found;
  if (found.length === 0) await requireDevice(runtime, device);
  else if ((await deviceProblem(runtime, device)) !== null) return found;
  return [...found, createOnnxEngine(runtime, own.threads, device)];
}

function loadedRuntime(): OnnxRuntime | null {
  const outcome = loadOnnxRuntime();
  return outcome.state === "loaded" ? outcome.runtime : null;
}

/** What computes on the processor while TensorFlow computes on a graphics card. */
function besideTensorFlow(own: ResolvedEngineOptions): readonly GraphEngine[] {
  if (own.engine !== "tensorflow") return [createOnnxEngine(requireOnnxRuntime('device "cpu"'), own.threads)];
  const got = "the native backend on a graphics card";
  const hint = 'set CUDA_VISIBLE_DEVICES=-1, or use engine "onnx"';
  throw new BackendError('device "cpu"', "TensorFlow on the processor", got, { hint });
}

/** ONNX Runtime on every device that it has here; the others are named in warnings. */
async function onEveryDevice(
  own: ResolvedEngineOptions,
  warnings: LandscapeWarning[],
): Promise<GraphEngine[]> {
  const runtime = own.engine === "tensorflow" ? null : loadedRuntime();
  if (runtime === null) return [];
  const engines: GraphEngine[] = [];
  for (const device of Object.keys(ONNX_DEVICES) as OnnxDevice[]) {
    const problem = await deviceProblem(runtime, device);
    if (problem === null) engines.push(createOnnxEngine(runtime, own.threads, device));
    else {
      const message = `losses are not computed on ${device}: ${problem}; ${ONNX_DEVICES[device].hint}`;
      warnings.push({ code: "device-passed-over", message });
    }
  }
  return engines;
}

function usualEngines(own: ResolvedEngineOptions, warnings: LandscapeWarning[]): readonly GraphEngine[] {
  // Named by its card among devices, or to choose it again would be to ask for it on the processor.
  const card = own.device === "auto" && isTensorFlowOnGpu() ? "cuda" : undefined;
  if (own.engine === "tensorflow") return [createTfEngine(card)];
  if (own.engine === "onnx") return [createOnnxEngine(requireOnnxRuntime(), own.threads)];
  if (own.engine === "tfjs-fused") return [createFusedEngine()];
  const engines = isTensorFlowActive() ? [createTfEngine(card)] : [];
  const onnx = loadOnnxRuntime();
  if (onnx.state === "loaded") engines.push(createOnnxEngine(onnx.runtime, own.threads));
  if (onnx.state === "broken") warnings.push(passedOver("onnx", `it does not load: ${onnx.reason}`));
  // Slower than both on every network that was measured: not worth a trial beside them.
  if (engines.length === 0) engines.push(createFusedEngine());
  return engines;
}

/** A graph on the processor beside own ops on a faster device is no gain; noise should not choose. */
function isOutrun(best: Candidate, ownSeconds: number | undefined): boolean {
  return ownSeconds !== undefined && ownSeconds < 0.75 * best.secondsPerSample;
}

function refusal(
  engine: GraphEngine,
  { reason, cause }: { reason: string; cause?: unknown },
): EvaluationError {
  const hint = engine.device === undefined ? 'use engine: "auto" or "tfjs"' : 'use device: "cpu"';
  const options = { hint, ...defined({ cause }) };
  return new EvaluationError(`engine "${labelOf(engine)}"`, "a model that it can run", reason, options);
}
