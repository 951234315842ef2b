import { availableParallelism } from "node:os";
import type * as tf from "@tensorflow/tfjs";
import { wholeNumber } from "../base/check-option.js";
import { InvalidOptionError } from "../base/errors.js";
import type { TaskRunner } from "../jobs/task-runner.js";
import type { ParameterLayout } from "../model/layout.js";
import type { ClassWeights, DataLimit, EvaluationData, NonFiniteData } from "./evaluation-data.js";
import type { EngineInfo, EngineRequest, LossMode } from "./loss-evaluator.js";
import type { RecalibratorOptions } from "./recalibrator.js";

/**
 * A loss of the user's own: given the model with θ in its weights and a batch, returns the batch's mean loss
 * (a scalar) or one value per sample. It runs inside `tf.tidy`, must be synchronous, and runs the model
 * itself (`model.apply(xs, { training: false })`). Means are weighted by the samples of each batch.
 *
 * @param xs - the input tensor, or a list in the model's order if there are several; `ys` likewise.
 */
export type BatchLossFunction = (
  model: tf.LayersModel,
  xs: tf.Tensor | tf.Tensor[],
  ys: tf.Tensor | tf.Tensor[],
) => tf.Tensor;

/** What is computed, on which data. */
export interface ModelLossOptions {
  /**
   * "model": the compiled loss with TF.js's clipping; "logits": a final softmax or sigmoid is taken away and
   * the log-softmax form used. With `lossFunction` it only says what that computes. Default "model".
   */
  readonly loss?: LossMode | undefined;
  /**
   * Replaces the compiled loss. Default none. Stored surfaces know it by its source text: after a change of
   * values that it only refers to, compute with `force`.
   */
  readonly lossFunction?: BatchLossFunction | undefined;
  /**
   * Weights in the loss by class, as in `fit`: `{ 0: 1, 1: 5 }`, or one for each output. The loss is the mean of
   * weight · loss over the samples; metrics are not weighted. Default every class counts the same.
   */
  readonly classWeight?: ClassWeights | undefined;
  /** Adds the model's regularization penalties to the loss, as `fit` does. Default false. */
  readonly includeRegularization?: boolean | undefined;
  /** Names of the compiled metrics to compute. Default all of them. */
  readonly metrics?: readonly string[] | undefined;
  /**
   * Samples per forward pass. Default 128: activations stay in the cache, and small networks spend little on
   * the call of each op. A `tf.data.Dataset` too large to keep is taken in its own batches.
   */
  readonly batchSize?: number | undefined;
  /** Uses only the first so many samples. Default all. */
  readonly sampleLimit?: number | undefined;
  /** What the data are called, instead of a digest of their values. Default a sha-256. */
  readonly dataId?: string | undefined;
  /**
   * Most bytes of a `tf.data.Dataset` that are kept on the backend. A larger one is read again at every
   * evaluation, and an error if a pass differs. Default 536870912 (512 MiB).
   */
  readonly cacheBytes?: number | undefined;
  /**
   * "refuse": data with NaN or infinity are an error that counts the rows; "keep": they are evaluated, which makes
   * the loss NaN wherever arithmetic does. Default "refuse".
   */
  readonly nonFiniteData?: NonFiniteData | undefined;
  /**
   * How far a `tf.data.Dataset` is read in search of its end; one that has none (a generator that never returns) is
   * then refused. Default 10 million samples, 16 GiB, 300 seconds.
   */
  readonly dataLimit?: DataLimit | undefined;
  /** Order of the entries of θ. Default that of the model. */
  readonly layout?: ParameterLayout | undefined;
  /** Stops the reading of the data, and the choice of an engine, within a batch. Default none. */
  readonly signal?: AbortSignal | undefined;
}

/** {@link ModelLossOptions} with the defaults filled in. */
export interface ResolvedModelLossOptions {
  readonly loss: LossMode;
  readonly lossFunction: BatchLossFunction | undefined;
  readonly classWeight: ClassWeights | undefined;
  readonly includeRegularization: boolean;
  readonly metrics: readonly string[] | undefined;
  readonly batchSize: number;
  readonly sampleLimit: number;
  readonly dataId: string | undefined;
  readonly cacheBytes: number;
  readonly nonFiniteData: NonFiniteData;
  readonly dataLimit: DataLimit;
  readonly layout: ParameterLayout | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Checks options and fills in the defaults.
 *
 * @throws {@link InvalidOptionError} if a value cannot be used.
 */
export function resolveModelLossOptions(options: ModelLossOptions): ResolvedModelLossOptions {
  const loss = options.loss ?? "model";
  if (loss !== "model" && loss !== "logits") {
    throw new InvalidOptionError("loss", '"model" or "logits"', JSON.stringify(loss));
  }
  if (options.lossFunction !== undefined && typeof options.lossFunction !== "function") {
    throw new InvalidOptionError("lossFunction", "a function", typeof options.lossFunction);
  }
  if (options.dataId === "") throw new InvalidOptionError("dataId", "a name", "an empty string");
  return {
    loss,
    lossFunction: options.lossFunction,
    classWeight: options.classWeight,
    includeRegularization: options.includeRegularization ?? false,
    metrics: options.metrics,
    batchSize: positiveInteger("batchSize", options.batchSize ?? 128),
    sampleLimit: positiveInteger("sampleLimit", options.sampleLimit ?? Number.POSITIVE_INFINITY),
    dataId: options.dataId,
    cacheBytes: notNegative("cacheBytes", options.cacheBytes ?? 2 ** 29),
    nonFiniteData: oneOf("nonFiniteData", ["refuse", "keep"], options.nonFiniteData ?? "refuse"),
    dataLimit: checkedLimit(options.dataLimit ?? {}),
    layout: options.layout,
    signal: options.signal,
  };
}

function positiveInteger(name: string, value: number): number {
  if (value === Number.POSITIVE_INFINITY || (Number.isInteger(value) && value >= 1)) return value;
  throw new InvalidOptionError(name, "a whole number of at least 1", String(value));
}

function oneOf<T extends string>(name: string, values: readonly T[], value: T): T {
  if (values.includes(value)) return value;
  throw new InvalidOptionError(
    name,
    values.map((one) => JSON.stringify(one)).join(" or "),
    JSON.stringify(value),
  );
}

function checkedLimit(limit: DataLimit): DataLimit {
  for (const name of ["samples", "bytes", "seconds"] as const) {
    if (limit[name] !== undefined) notNegative(`dataLimit.${name}`, limit[name]);
  }
  return limit;
}

function notNegative(name: string, value: number): number {
  if (value >= 0) return value;
  throw new InvalidOptionError(name, "a number of at least 0", String(value));
}

/** What can compute losses: the fastest that works, or one of them by name. */
export type EngineChoice = "auto" | "tfjs" | "tfjs-fused" | "onnx" | "tensorflow";

/** Every {@link EngineChoice}, in the order of the help text. */
export const ENGINE_CHOICES: readonly EngineChoice[] = ["auto", "tfjs", "tfjs-fused", "onnx", "tensorflow"];

/**
 * Where engines compute: the processor, a graphics card through WebGPU (Vulkan on Linux, Direct3D, Metal) or an NVIDIA
 * card through CUDA; "auto" measures those that are there.
 */
export type DeviceChoice = "auto" | "cpu" | "webgpu" | "cuda";

/** Every {@link DeviceChoice}, in the order of the help text. */
export const DEVICE_CHOICES: readonly DeviceChoice[] = ["auto", "cpu", "webgpu", "cuda"];

/** Options of `createEngineEvaluator`. */
export interface EngineEvaluatorOptions extends ModelLossOptions {
  /**
   * "tfjs": the model's own ops, whatever the model; "tfjs-fused": TF.js's fused operations on the active
   * backend; "onnx": ONNX Runtime; "tensorflow": a TensorFlow graph under the native backend. Default "auto":
   * the fastest of those that are installed and know the model, by measuring once.
   */
  readonly engine?: EngineChoice | undefined;
  /**
   * Where ONNX Runtime ("webgpu", "cuda") or TensorFlow ("cuda") computes. A device that is missing is an error that says
   * what to install; its losses must be those of the processor to 1e-4, relative. "auto" measures every device that is
   * there. Default: ONNX Runtime computes on the processor, TensorFlow where its backend does.
   */
  readonly device?: DeviceChoice | undefined;
  /**
   * Threads of ONNX Runtime; TensorFlow's are set by the environment (TF_NUM_INTRAOP_THREADS). Default the
   * number of processors.
   */
  readonly threads?: number | undefined;
  /**
   * Reuse an earlier run's engine, device, batch size and threads for bit-identical values; `request` still records
   * what was asked. Default none.
   */
  readonly reuse?: Pick<EngineInfo, "name" | "batchSize" | "threads" | "device"> | undefined;
}

/** The engine's own options with the defaults filled in. */
export interface ResolvedEngineOptions {
  readonly engine: EngineChoice;
  readonly threads: number;
  /** undefined where nothing was said. */
  readonly device: DeviceChoice | undefined;
}

/**
 * Checks options and fills in the defaults.
 *
 * @throws {@link InvalidOptionError} if a value cannot be used.
 */
function resolveEngineOptions(options: EngineEvaluatorOptions): ResolvedEngineOptions {
  const { engine = "auto", threads = availableParallelism(), device } = options;
  if (!ENGINE_CHOICES.includes(engine)) {
    throw new InvalidOptionError("engine", `one of ${ENGINE_CHOICES.join(", ")}`, JSON.stringify(engine));
  }
  wholeNumber("threads", threads);
  if (device !== undefined) checkDevice(device, engine);
  return { engine, threads, device };
}

function checkDevice(device: DeviceChoice, engine: EngineChoice): void {
  if (!DEVICE_CHOICES.includes(device)) {
    throw new InvalidOptionError("device", `one of ${DEVICE_CHOICES.join(", ")}`, JSON.stringify(device));
  }
  if (engine === "tfjs" || engine === "tfjs-fused") {
    const expected = 'engine "auto", "onnx" or "tensorflow" beside it';
    const hint = `"${engine}" computes wherever the active backend of TensorFlow.js does`;
    throw new InvalidOptionError("device", expected, `"${engine}"`, { hint });
  }
  if (device === "webgpu" && engine === "tensorflow") {
    throw new InvalidOptionError("device", '"cuda" or "cpu" for engine "tensorflow"', '"webgpu"');
  }
}

/** What options ask for, as stored results remember it. */
export function engineRequest({
  engine = "auto",
  batchSize,
  threads,
  device,
}: EngineEvaluatorOptions): EngineRequest {
  const request = { engine, batchSize: batchSize ?? null, threads: threads ?? null };
  return device === undefined || device === "cpu" ? request : { ...request, device };
}

/**
 * Puts an earlier choice in the place of what was asked.
 *
 * @throws {@link InvalidOptionError} if it is of no engine.
 */
function withEarlierChoice({ reuse, ...options }: EngineEvaluatorOptions): EngineEvaluatorOptions {
  if (reuse === undefined) return options;
  const engine = ENGINE_CHOICES.find((name) => name === reuse.name);
  if (engine === undefined) {
    const got = JSON.stringify(reuse.name);
    throw new InvalidOptionError("reuse.name", `one of ${ENGINE_CHOICES.join(", ")}`, got);
  }
  const { batchSize, threads, device: earlier } = reuse;
  const device = DEVICE_CHOICES.find((one) => one === earlier);
  if (earlier !== undefined && device === undefined) {
    const got = JSON.stringify(earlier);
    throw new InvalidOptionError("reuse.device", `one of ${DEVICE_CHOICES.join(", ")}`, got);
  }
  const isHere = engine === "tfjs" || engine === "tfjs-fused";
  return {
    ...options,
    engine,
    // What "auto" chose on the processor is not to be chosen again.
    device: device ?? (options.device === undefined || isHere ? undefined : "cpu"),
    ...(batchSize > 0 ? { batchSize } : {}),
    ...(threads > 0 ? { threads } : {}),
  };
}

/** What is asked of an evaluator, checked and completed: what everything behind the door takes in place of options. */
export interface EvaluationRequest extends ResolvedModelLossOptions, ResolvedEngineOptions {
  /** Samples per batch that were asked for; undefined where the engine finds the fastest. */
  readonly askedBatchSize: number | undefined;
  /** What stored results remember of it. */
  readonly request: EngineRequest;
}

/**
 * Checks options and settles what they ask for, an earlier choice of engine included: once for each evaluator.
 *
 * @throws {@link InvalidOptionError} if a value cannot be used.
 */
export function resolveEvaluation(options: EngineEvaluatorOptions): EvaluationRequest {
  const settled = withEarlierChoice(options);
  return {
    ...resolveEngineOptions(settled),
    ...resolveModelLossOptions(settled),
    askedBatchSize: settled.batchSize,
    request: engineRequest(options),
  };
}

/** On what batch norm "recalibrate" computes its statistics. */
export interface CalibrationOptions extends Pick<RecalibratorOptions, "sampleLimit" | "batchSize"> {
  /** The calibration set; its targets are not used. Default the evaluation set. */
  readonly data?: EvaluationData | undefined;
}

/** Options of {@link createLossEvaluator}. */
export interface LossEvaluatorOptions extends EngineEvaluatorOptions {
  /**
   * Worker processes: a number, or "auto", one for each processor as far as memory allows. Default none: this
   * process evaluates.
   */
  readonly workers?: number | "auto" | undefined;
  /**
   * Path of a module that each worker imports before it makes the model: it registers layers of your own, and
   * may export `loadModel()`, which then gives the compiled model, and `lossFunction`. Default none.
   */
  readonly setup?: string | undefined;
  /**
   * Export of the set-up module that gives the data in each worker, in place of `data`: for data sets that
   * are too large to be copied to the disk. Default none.
   */
  readonly dataExport?: string | undefined;
  /** What runs the worker processes, in place of `workers`; it stays the caller's. Default one of its own. */
  readonly runner?: TaskRunner | undefined;
  /**
   * On what batch norm "recalibrate" computes its statistics; null: it cannot be asked for. Default the first 1024
   * samples of the evaluation set, where θ has such statistics.
   */
  readonly calibration?: CalibrationOptions | null | undefined;
}
