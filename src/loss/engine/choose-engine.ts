import * as tf from "@tensorflow/tfjs";
import { loadOnnxRuntime, type OnnxRuntime, requireOnnxRuntime } from "../../backend/onnx-runtime.js";
import { BackendError, EvaluationError } from "../../base/errors.js";
import { defined } from "../../base/json.js";
import type { LandscapeWarning } from "../../base/warning.js";
import { bindModel } from "../../model/bound-weights.js";
import type { EvaluationData } from "../evaluation-data.js";
import type { DeviceChoice, ResolvedEngineOptions } from "../loss-options.js";
import { type Candidate, type EngineTask, measureFinal, processorLosses, tryEngine } from "./engine-trial.js";
import { createFusedEngine } from "./fused/fused-engine.js";
import type { GraphEvaluator } from "./graph-evaluator.js";
import type { GraphEngine } from "./graph-program.js";
import { checkPoints, type OwnOps, openOwnOps } from "./guarded-evaluator.js";
import { deviceProblem, ONNX_DEVICES, type OnnxDevice, requireDevice } from "./onnx/onnx-device.js";
import { createOnnxEngine } from "./onnx/onnx-engine.js";
import { createTfEngine, isTensorFlowActive, isTensorFlowOnGpu } from "./tensorflow/tf-engine.js";

/** Says that an engine is not used, and why. */
export function passedOver(engine: string, reason: string): LandscapeWarning {
  return {
    code: "engine-passed-over",
    message: `losses are not computed by ${engine} (${reason}), but more slowly`,
  };
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
    const mayChooseOwnOps = asked.engine === "auto" && mayUseOwnOps(asked);
    const isCompared = engines.length > 1 || mayChooseOwnOps;
    for (const engine of engines) {
      const outcome = await tryEngine(engine, task, { theta, points, onProcessor, isCompared });
      if ("evaluator" in outcome) candidates.push(outcome);
      // One that is left may do what was asked for.
      else if (asked.engine !== "auto" || (engines.length === 1 && !mayUseOwnOps(asked)))
        throw refusal(engine, outcome);
      else warnings.push(passedOver(labelOf(engine), outcome.reason));
    }
    const finalists =
      candidates.length > 1 ? await measureFinal(candidates, task.set, theta, asked.signal) : candidates;
    const measured: Record<string, number> = Object.fromEntries(
      finalists
        .filter(({ secondsPerSample }) => !Number.isNaN(secondsPerSample))
        .map(({ evaluator, secondsPerSample }) => [labelOf(evaluator.engine), secondsPerSample]),
    );
    if (candidates.length === 0 && !mayUseOwnOps(asked)) {
      const got = warnings.map(({ message }) => message).join("; ");
      throw new EvaluationError(`device "${asked.device}"`, "an engine that can use it", got);
    }
    if (mayChooseOwnOps) measured.tfjs = await ownOps.measure(theta, asked.signal);
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
