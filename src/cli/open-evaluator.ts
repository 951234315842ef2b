import type * as tf from "@tensorflow/tfjs";
import isEqual from "lodash/isEqual.js";
import { type BackendChoice, type BackendInfo, describeBackend } from "../backend/current-backend.js";
import { selectBackend } from "../backend/select-backend.js";
import { EvaluationError, InvalidOptionError, LandscapeError } from "../base/errors.js";
import { defined } from "../base/json.js";
import type { JsonValue } from "../base/provenance.js";
import type { Stoppable } from "../base/work.js";
import { createLossEvaluator } from "../loss/create-loss-evaluator.js";
import { type EvaluationData, isBatchDataset } from "../loss/evaluation-data.js";
import type { EngineInfo, LossEvaluator } from "../loss/loss-evaluator.js";
import { type BatchLossFunction, engineRequest } from "../loss/loss-options.js";
import { createVariablesEvaluator, type VariablesLoss } from "../loss/variables-evaluator.js";
import type { ParameterLayout } from "../model/layout.js";
import type { QueueRunner } from "../queue/queue-runner.js";
import { earlierResults } from "../store/results/result-order.js";
import type { Run } from "../store/run/run.js";
import type { EvaluationSet } from "../surface/lines/level-set-width.js";
import {
  checkWhere,
  type EvaluationCommandOptions,
  isOverQueue,
  type LossCommandOptions,
  type QueueCommandOptions,
  type SliceCommandOptions,
} from "./evaluation-options.js";
import type { InterruptionCommandOptions } from "./interruption.js";
import {
  checkLoss,
  checkSampleCount,
  checkVariables,
  type DataModule,
  loadDataModule,
  lossOf,
  type ModelAndData,
  modelOfRun,
} from "./load-module.js";
import type { Output } from "./output.js";

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
  options: EvaluationCommandOptions & Stoppable & { readonly dataExport?: "loadData" | "loadTestData" },
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
  options: EvaluationCommandOptions & Stoppable,
): Promise<LossEvaluator> {
  const { batchSize, keepNonFiniteData, signal } = options;
  checkVariables(module, options);
  return createVariablesEvaluator(layout, data, lossFunction as VariablesLoss, {
    batchSize,
    nonFiniteData: keepNonFiniteData === true ? "keep" : undefined,
    signal,
  });
}

/** Chooses the TensorFlow.js backend and says on stderr which and why. */
export async function startBackend(choice: BackendChoice | undefined, output: Output): Promise<BackendInfo> {
  const info = await selectBackend(defined({ backend: choice }));
  output.note(`backend ${describeBackend(info)}`);
  output.warn(info.warnings);
  return info;
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

/** What a command knows of its losses beside the options of evaluation. */
export interface OpenTools extends Stoppable {
  /** Where results are to be stored, whose engine is to be used again. Default nowhere. */
  readonly places?: SlicePlaces | undefined;
  /** Batch norm's policy where the command has no option for it. */
  readonly batchNorm?: SliceCommandOptions["batchNorm"] | undefined;
}

/**
 * What `--data`, `--engine`, `--workers` and their like ask for. A command receives it beside its own options: it gets
 * evaluators, and does not know how they come about.
 */
export interface Evaluation {
  /** Starts the backend, loads data and model of a run, and opens an evaluator on each set. */
  open(run: Run, output: Output, how?: OpenTools): Promise<SliceTools>;
  /**
   * Starts the backend, and loads model and data of a run.
   *
   * @throws {@link EvaluationError} if the run has no model.
   */
  load(run: Run, output: Output): Promise<ModelAndData>;
}

/** How losses are evaluated, as options ask for it. Nothing is loaded yet. */
export function evaluationOf(options: SliceCommandOptions): Evaluation {
  return {
    open: (run, output, { batchNorm, ...how } = {}) =>
      openTools(run, { ...options, ...defined({ batchNorm }) }, output, how),
    load: (run, output) => loadModelAndData(run, options, output),
  };
}

async function openTools(
  run: Run,
  options: SliceCommandOptions,
  output: Output,
  { places, signal }: Omit<OpenTools, "batchNorm">,
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

async function loadModelAndData(
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

/** Checks a metric that is to be drawn before anything is evaluated; "none" is none of them. */
export function checkMetric(metric: string | undefined, { sets }: Pick<SliceTools, "sets">): void {
  const names = [...(sets[0]?.evaluator.facts.metricNames ?? []), "none"];
  if (metric === undefined || names.includes(metric)) return;
  throw new InvalidOptionError("--metric", `one of ${names.join(", ")}`, JSON.stringify(metric));
}

/** Connects with the workers of a queue, as the options name them. */
export async function openQueue({
  redis,
  spool,
  store,
  queue,
  signal,
}: QueueCommandOptions & Stoppable): Promise<QueueRunner> {
  const onNotice = (text: string): void => void process.stderr.write(`${text}\n`);
  const { createQueueRunner } = await import("../queue/queue-runner.js");
  return createQueueRunner({ redis, spool, store, queue, signal, onNotice });
}
