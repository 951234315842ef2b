import type * as tf from "@tensorflow/tfjs";
import isEqual from "lodash/isEqual.js";
import { type NamedFigure, type ReportFormat, writeReport } from "../analysis/write-report.js";
import { type BackendChoice, type BackendInfo, describeBackend } from "../backend/current-backend.js";
import { selectBackend } from "../backend/select-backend.js";
import { EvaluationError, InvalidOptionError, LandscapeError } from "../base/errors.js";
import type { JsonValue } from "../base/provenance.js";
import { checkGaussNewton } from "../curvature/create-curvature.js";
import { createLossEvaluator } from "../loss/create-loss-evaluator.js";
import { type EvaluationData, isBatchDataset, refuseTooMany } from "../loss/evaluation-data.js";
import type { EngineInfo, LossEvaluator, LossMode } from "../loss/loss-evaluator.js";
import {
  type BatchLossFunction,
  type DeviceChoice,
  type EngineChoice,
  engineRequest,
  type ModelLossOptions,
} from "../loss/loss-options.js";
import type { BatchNormPolicyName } from "../loss/slice-loss.js";
import { createVariablesEvaluator, type VariablesLoss } from "../loss/variables-evaluator.js";
import type { ParameterLayout } from "../model/layout.js";
import { modelFromManifest } from "../model/model-from-manifest.js";
import type { QueueRunner } from "../queue/queue-runner.js";
import { earlierResults } from "../store/results/result-order.js";
import type { Run } from "../store/run/run.js";
import type { SurfaceBudget } from "../surface/evaluate-points.js";
import type { EvaluationSet } from "../surface/lines/level-set-width.js";
import {
  accuracyFormOf,
  defined,
  refuseStray,
  type StyleCommandOptions,
  styleOf,
} from "./command-options.js";
import { type DataModule, loadDataModule } from "./load-module.js";
import { Interruption, type Output } from "./output.js";

/** Options that say how losses are evaluated. */
export interface EvaluationCommandOptions extends LossCommandOptions, QueueCommandOptions {
  readonly batchSize?: number;
  readonly engine?: EngineChoice;
  readonly device?: DeviceChoice;
  readonly workers?: number | "auto";
  readonly threads?: number;
  readonly batchNorm?: BatchNormPolicyName;
  readonly force?: boolean;
  /** false: whatever an interrupted surface has left does not count. */
  readonly resume?: boolean;
}

/** Options of a surface that may be interrupted. */
export interface InterruptionCommandOptions {
  readonly resume?: boolean;
  readonly maxSeconds?: number;
  readonly maxPoints?: number;
  readonly maxSamples?: number;
}

/** Where results may be stored whose engine is to be used again. */
export interface StoredPlaces {
  /** Folder of results: of a run, or the one of `--out`. */
  readonly folder: string;
  /** Beginnings of their files' names; those that were interrupted go first, then the newest. */
  readonly names: readonly string[];
  /** Number of the evaluation set among those that are stored together. Default 0. */
  readonly set?: number;
}

/** What an interrupted surface was evaluated with, if that was left to be chosen. */
export type EarlierChoice = EngineInfo | undefined;

/** The budget that options ask for. */
export function budgetOf(options: InterruptionCommandOptions): SurfaceBudget | undefined {
  const { maxSeconds: seconds, maxPoints: points, maxSamples: samples } = options;
  const budget = defined({ seconds, points, samples });
  return Object.keys(budget).length === 0 ? undefined : budget;
}

/**
 * Looks for an interrupted result whose engine is to be used again, and puts the number of threads where
 * TensorFlow looks for it, before the backend is started.
 *
 * @param places - where the results of an evaluation set are to be stored.
 */
export async function prepareEvaluation(
  options: EvaluationCommandOptions & Pick<InterruptionCommandOptions, "resume">,
  places: StoredPlaces,
): Promise<EarlierChoice> {
  checkWhere(options);
  const isAnew = options.force === true || options.resume === false;
  const earlier = isAnew ? undefined : await earlierChoice(places, options);
  const threads = earlier?.threads || options.threads;
  if (options.workers === undefined && threads !== undefined) {
    process.env.TF_NUM_INTRAOP_THREADS ??= String(threads);
  }
  return earlier;
}

async function earlierChoice(
  { folder, names, set = 0 }: StoredPlaces,
  options: EvaluationCommandOptions,
): Promise<EarlierChoice> {
  const request = { ...requestOf(options) };
  for (const { provenance, engines } of await earlierResults(folder, names)) {
    const { engine, sets } = provenance.options;
    const [first] = Array.isArray(sets) ? (sets as readonly { readonly engine?: JsonValue }[]) : [];
    const chosen = engines[set];
    if (chosen !== undefined && isEqual(engine ?? first?.engine, request)) return chosen;
  }
  return undefined;
}

function requestOf({ engine, batchSize, threads, device }: EvaluationCommandOptions) {
  return engineRequest(defined({ engine, batchSize, threads, device }));
}

/** Opens what evaluates losses: in this process, or in worker processes where `--workers` asks for them. */
export async function openEvaluator(
  model: tf.LayersModel | null,
  data: EvaluationData,
  module: DataModule,
  layout: ParameterLayout,
  options: EvaluationCommandOptions & {
    readonly dataExport?: "loadData" | "loadTestData";
    readonly signal?: AbortSignal;
  },
  earlier?: EarlierChoice,
  isResumed = false,
): Promise<LossEvaluator> {
  const { batchSize, engine, device, workers, threads, dataExport = "loadData", signal } = options;
  const isStream = isBatchDataset(data);
  const lossFunction = await module.loadLoss();
  if (model === null) return openVariables(data, module, layout, lossFunction, options);
  const loss = await lossOf(module, options);
  const open = (reuse: EarlierChoice) => {
    const calibration = options.batchNorm === "recalibrate" ? {} : undefined;
    const common = {
      ...loss,
      batchSize,
      engine,
      device,
      threads,
      layout,
      reuse,
      signal,
      calibration,
    };
    const isElsewhere = isOverQueue(options);
    if (workers === undefined && !isElsewhere) return createLossEvaluator(model, data, common);
    const setup = isStream || module.hasModel || lossFunction !== null ? options.data : undefined;
    const streamed = isStream ? dataExport : undefined;
    const elsewhere = { ...common, setup, dataExport: streamed };
    if (!isElsewhere) return createLossEvaluator(model, data, { ...elsewhere, workers });
    return openOverQueue(options, (runner) => createLossEvaluator(model, data, { ...elsewhere, runner }));
  };
  if (earlier === undefined) return open(undefined);
  try {
    return await open(earlier);
  } catch (error) {
    // The engine of then does not serve now: something else has changed as well, and the surface is another.
    if (isResumed || !(error instanceof LandscapeError)) throw error;
    return open(undefined);
  }
}

/** Options that say where work is to be done. */
export interface QueueCommandOptions {
  readonly redis?: string | undefined;
  readonly spool?: string | undefined;
  readonly store?: string | undefined;
  readonly queue?: string | undefined;
}

/** Whether work is done by workers on any machine. */
export function isOverQueue({ redis, spool }: QueueCommandOptions): boolean {
  return redis !== undefined || spool !== undefined;
}

/** Checks where work is to be done, before anything is started. */
export function checkWhere(
  options: QueueCommandOptions & { readonly workers?: number | "auto" | undefined },
): void {
  const { redis, spool, store, workers } = options;
  if (!isOverQueue(options)) {
    refuseStray(options, ["store", "queue"], "--redis URL or --spool DIR", "none");
    return;
  }
  const by = redis === undefined ? "--spool" : "--redis";
  if (redis !== undefined && spool !== undefined)
    throw new InvalidOptionError("--spool", "no --redis beside it: work goes through one of them", "both");
  if (workers !== undefined) {
    throw new InvalidOptionError(
      by,
      "no --workers beside it: workers are started on their machines",
      String(workers),
    );
  }
  if (redis !== undefined && store === undefined) {
    const expected = "--store DIR, a folder that all machines see, or s3://bucket/folder";
    throw new InvalidOptionError("--redis", expected, "none");
  }
}

/** Connects with the workers of a queue, as the options name them. */
export async function openQueue({
  redis,
  spool,
  store,
  queue,
  signal,
}: QueueCommandOptions & { readonly signal?: AbortSignal | undefined }): Promise<QueueRunner> {
  const onNotice = (text: string): void => void process.stderr.write(`${text}\n`);
  const { createQueueRunner } = await import("../queue/queue-runner.js");
  return createQueueRunner({ redis, spool, store, queue, signal, onNotice });
}

/** Makes an evaluator over workers of a queue, which ends with it. */
async function openOverQueue(
  options: Parameters<typeof openQueue>[0],
  open: (runner: QueueRunner) => Promise<LossEvaluator>,
): Promise<LossEvaluator> {
  const runner = await openQueue(options);
  try {
    const evaluator = await open(runner);
    const dispose = (): void => {
      evaluator.dispose();
      runner.dispose();
    };
    return Object.create(evaluator, { dispose: { value: dispose } }) as LossEvaluator;
  } catch (error) {
    runner.dispose();
    throw error;
  }
}

/** Opens what evaluates the losses of a run without a model. */
async function openVariables(
  data: EvaluationData,
  module: DataModule,
  layout: ParameterLayout,
  lossFunction: VariablesLoss | BatchLossFunction | null,
  options: EvaluationCommandOptions & { readonly signal?: AbortSignal },
): Promise<LossEvaluator> {
  const { batchSize, keepNonFiniteData, signal } = options;
  checkVariables(module, options);
  return createVariablesEvaluator(layout, data, lossFunction as VariablesLoss, {
    batchSize,
    nonFiniteData: keepNonFiniteData === true ? "keep" : undefined,
    signal,
  });
}

/** Refuses what a run without a model cannot have, before any data is read. */
export function checkVariables(
  { hasLoss, classWeight }: DataModule,
  { data, workers, redis, spool, engine = "auto", device, loss, batchNorm }: EvaluationCommandOptions,
): void {
  if (!hasLoss) {
    throw new InvalidOptionError(
      `--data ${data}`,
      "an exported function loadLoss(), since the run was recorded from variables and has no model",
      "none",
      { hint: "it returns (weights, xs, ys) => loss; or export loadModel()" },
    );
  }
  const refused = (name: string, got: string): never => {
    throw new InvalidOptionError(name, "none for a run of variables, whose loss is a function", got);
  };
  if (workers !== undefined) refused("--workers", String(workers));
  if (redis !== undefined) refused("--redis", "an address");
  if (spool !== undefined) refused("--spool", spool);
  if (engine !== "auto") refused("--engine", engine);
  if (device !== undefined) refused("--device", device);
  if (loss === "logits") refused("--loss", loss);
  if (batchNorm !== undefined) refused("--batch-norm", batchNorm);
  if (classWeight !== undefined) refused("classWeight", "weights (weigh in the loss function)");
}

/**
 * Returns the compiled model that a run's losses are those of: the module's, or one rebuilt from the manifest; null
 * where the run was recorded from variables and the module gives none. Where the module gives the loss, the model's own
 * is not needed, and may be a function that the manifest cannot hold.
 */
export async function modelOfRun(
  { manifest }: Pick<Run, "manifest">,
  module: DataModule,
  options: EvaluationCommandOptions,
): Promise<tf.LayersModel | null> {
  const own = await module.loadModel();
  if (own !== null) return own;
  if (manifest.model === null) {
    checkVariables(module, options);
    return null;
  }
  if (!module.hasLoss) return modelFromManifest(manifest);
  const model = await modelFromManifest({ ...manifest, loss: "meanSquaredError", metrics: null });
  // What targets such a loss takes, only the function knows.
  model.compile({ optimizer: model.optimizer, loss: (_yTrue: tf.Tensor, yPred: tf.Tensor) => yPred });
  return model;
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Runs work that Ctrl-C (or SIGTERM) stops within a batch, so that what is finished can be stored; a second one
 * ends the process at once.
 *
 * @throws {@link Interruption} where that is what ended the work.
 */
export async function interruptible<T>(
  output: Output,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const release = (): void => {
    for (const signal of SIGNALS) process.removeListener(signal, interrupt);
  };
  const interrupt = (signal: NodeJS.Signals): void => {
    // From here on a signal does what it does by itself.
    release();
    output.note("stopping, and storing what is finished; once more ends at once");
    controller.abort(new Interruption(signal));
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    return await work(controller.signal);
  } finally {
    release();
  }
}

/** Chooses the TensorFlow.js backend and says on stderr which and why. */
export async function startBackend(choice: BackendChoice | undefined, output: Output): Promise<BackendInfo> {
  const info = await selectBackend(choice === undefined ? {} : { backend: choice });
  output.note(`backend ${describeBackend(info)}`);
  output.warn(info.warnings);
  return info;
}

/** Options of the commands that slice a loss. */
export interface SliceCommandOptions extends EvaluationCommandOptions {
  readonly test?: boolean;
  readonly batchNorm?: BatchNormPolicyName;
  readonly resume?: boolean;
  readonly backend?: BackendChoice;
}

/** Options of the commands that write pictures. */
export interface PictureCommandOptions extends StyleCommandOptions {
  readonly out?: string;
  readonly format?: readonly ReportFormat[];
  readonly title?: string;
}

/** Where the results of each set are to be stored, which may have been interrupted. */
export interface SlicePlaces {
  readonly train: StoredPlaces;
  readonly test: StoredPlaces;
}

/** What a slice is computed with. */
export interface SliceTools {
  /** "train", and "test" where it is asked for. */
  readonly sets: readonly EvaluationSet[];
  /** The compiled model that the evaluators are of (null for variables), and the training set. */
  readonly model: tf.LayersModel | null;
  readonly data: EvaluationData;
  readonly dataName: string | undefined;
  /** What the module puts in place of the compiled loss, or weighs it with; null where the compiled loss counts. */
  readonly otherLoss: "loadLoss()" | "classWeight" | null;
  /** How the loss is computed. */
  readonly loss: ModelAndData["loss"];
  readonly isOfModule: boolean;
  dispose(): void;
}

/**
 * Returns the model of a slice's tools with its data, for what needs derivatives.
 *
 * @throws {@link EvaluationError} if the run has no model.
 */
export function derivativesOf(
  { model, data, dataName, loss, isOfModule }: SliceTools,
  run: Run,
): ModelAndData {
  if (model === null) throw new EvaluationError(run.directory, "a run of a model", "one of variables");
  return { model, data, dataName, loss, isOfModule };
}

/**
 * Loads data and model of a run, and opens evaluators on each set.
 *
 * @param places - where results are to be stored. Default nowhere.
 */
export async function openSliceTools(
  run: Run,
  options: SliceCommandOptions,
  output: Output,
  places?: SlicePlaces,
  signal?: AbortSignal,
): Promise<SliceTools> {
  const nowhere = { folder: ".", names: [] };
  const earlier = await prepareEvaluation(options, places?.train ?? nowhere);
  await startBackend(options.backend, output);
  const module = await loadDataModule(options.data);
  if (options.test === true && !module.has("loadTestData")) {
    throw new InvalidOptionError("--test", `${options.data} to export loadTestData()`, "none");
  }
  const model = await modelOfRun(run, module, options);
  await checkLoss(model, module, options);
  const isResumed = options.resume === true;
  const given = { ...options, ...defined({ signal }) };
  const open: { dispose(): void }[] = [];
  const dispose = (): void => {
    for (const part of open) part.dispose();
  };
  try {
    const data = await module.load("loadData");
    checkSampleCount("--samples", options.samples, data);
    const train = await openEvaluator(model, data, module, run.layout, given, earlier, isResumed);
    open.push(train);
    const sets: EvaluationSet[] = [{ name: "train", evaluator: train }];
    if (options.test === true) {
      const held = await module.load("loadTestData");
      const reuse = await prepareEvaluation(options, places?.test ?? nowhere);
      const isStream = (options.workers !== undefined || isOverQueue(options)) && isBatchDataset(held);
      const dataExport = isStream ? "loadTestData" : undefined;
      const evaluator = await (train.withData as NonNullable<typeof train.withData>)(held, {
        reuse,
        dataExport,
        signal,
      });
      sets.push({ name: "test", evaluator });
      open.push(evaluator);
    }
    const otherLoss = module.hasLoss ? "loadLoss()" : module.classWeight === undefined ? null : "classWeight";
    const loss = await lossOf(module, options);
    const isOfModule = module.hasModel || module.hasLoss;
    return { sets, model, data, isOfModule, dataName: module.dataName, otherLoss, loss, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Options that say which loss, on which samples. */
export interface LossCommandOptions {
  readonly data: string;
  readonly loss?: LossMode;
  /** Whether data with NaN or infinity are evaluated, and not refused. */
  readonly keepNonFiniteData?: boolean;
  /** Only the first samples. */
  readonly samples?: number;
  /** Whether the model's penalties count. */
  readonly regularization?: boolean;
  /** Whether Gauss-Newton products are to be computed. */
  readonly gaussNewton?: boolean;
}

/** Refuses Gauss-Newton products of a loss that has none, before any data is read. */
async function checkLoss(
  model: tf.LayersModel | null,
  module: DataModule,
  options: LossCommandOptions,
): Promise<void> {
  if (options.gaussNewton !== true || model === null) return;
  try {
    checkGaussNewton(model, await lossOf(module, options));
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    const hint = module.hasLoss ? {} : { hint: "add --loss logits" };
    throw new InvalidOptionError("--gauss-newton", error.expected, error.got, { ...hint, cause: error });
  }
}

/**
 * Refuses more samples than there are in tensors; how many a data set of batches has shows when it is read.
 *
 * @param option - as the command line names it.
 */
export function checkSampleCount(option: string, wanted: number | undefined, data: EvaluationData): void {
  if (wanted === undefined || isBatchDataset(data)) return;
  const [given] = [data.xs].flat() as readonly (tf.Tensor | Readonly<Record<string, tf.Tensor>>)[];
  const first = given !== undefined && "shape" in given ? given : Object.values(given ?? {})[0];
  refuseTooMany(option, wanted, (first as tf.Tensor | undefined)?.shape[0] ?? wanted);
}

/** A model with data, for what needs more than its losses. */
export interface ModelAndData {
  readonly model: tf.LayersModel;
  /** Whether the data module gives the model or the loss, so that whoever computes needs it. */
  readonly isOfModule: boolean;
  readonly data: EvaluationData;
  readonly dataName: string | undefined;
  /** How its loss is computed on them. */
  readonly loss: Pick<
    ModelLossOptions,
    "loss" | "lossFunction" | "classWeight" | "nonFiniteData" | "sampleLimit" | "includeRegularization"
  >;
}

/**
 * Starts the backend, and loads model and data of a run.
 *
 * @throws {@link EvaluationError} if the run has no model.
 */
export async function openModelAndData(
  run: Run,
  options: LossCommandOptions & { readonly backend?: BackendChoice },
  output: Output,
): Promise<ModelAndData> {
  await startBackend(options.backend, output);
  const module = await loadDataModule(options.data);
  const model = await modelOfRun(run, module, options);
  if (model === null) throw new EvaluationError(run.directory, "a run of a model", "one of variables");
  await checkLoss(model, module, options);
  const data = await module.load("loadData");
  checkSampleCount("--samples", options.samples, data);
  const isOfModule = module.hasModel || module.hasLoss;
  return { model, data, isOfModule, dataName: module.dataName, loss: await lossOf(module, options) };
}

/** How the loss of a model is computed, as module and options say it. */
export async function lossOf(
  module: DataModule,
  { loss, keepNonFiniteData, samples, regularization }: Omit<LossCommandOptions, "data">,
): Promise<ModelAndData["loss"]> {
  const lossFunction = await module.loadLoss();
  const nonFiniteData = keepNonFiniteData === true ? ("keep" as const) : undefined;
  return {
    loss,
    ...(lossFunction === null ? {} : { lossFunction: lossFunction as BatchLossFunction }),
    classWeight: module.classWeight,
    nonFiniteData,
    ...defined({ sampleLimit: samples, includeRegularization: regularization }),
  };
}

/** Checks a metric that is to be drawn before anything is evaluated; "none" is none of them. */
export function checkMetric(metric: string | undefined, { sets }: Pick<SliceTools, "sets">): void {
  const names = [...(sets[0]?.evaluator.facts.metricNames ?? []), "none"];
  if (metric === undefined || names.includes(metric)) return;
  throw new InvalidOptionError("--metric", `one of ${names.join(", ")}`, JSON.stringify(metric));
}

/** What a figure of lines shows, as the command's options say it; `--metric none` shows no metric. */
export function lineFigureOptions(
  options: {
    readonly title?: string;
    readonly metric?: string;
    readonly error?: boolean;
    readonly accuracy?: boolean;
  },
  { dataName }: Pick<SliceTools, "dataName">,
) {
  const { title, metric } = options;
  return {
    title,
    metric: metric === "none" ? null : metric,
    accuracyAs: accuracyFormOf(options),
    names: { data: dataName },
  };
}

/** Writes pictures of a command's figures, and one page with all, named after the command. */
export async function writePictures(
  name: string,
  directory: string,
  figures: readonly NamedFigure[],
  options: PictureCommandOptions,
  output: Output,
): Promise<string[]> {
  const { format: formats, title } = options;
  const files = await writeReport(directory, figures, {
    ...styleOf(options),
    ...defined({ formats, title }),
    page: `${name}.html`,
  });
  for (const file of files) output.print(file);
  return files;
}
