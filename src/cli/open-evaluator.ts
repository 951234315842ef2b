import type * as tf from "@tensorflow/tfjs";
import isEqual from "lodash/isEqual.js";
import { type BackendChoice, type BackendInfo, describeBackend } from "../backend/current-backend.js";
import { selectBackend } from "../backend/select-backend.js";
import { LandscapeError } from "../base/errors.js";
import type { JsonValue } from "../base/provenance.js";
import type { BatchNormPolicyName } from "../loss/batch-norm-policy.js";
import { createLossEvaluator } from "../loss/create-loss-evaluator.js";
import { type EngineChoice, engineRequest } from "../loss/engine/engine-options.js";
import { type EvaluationData, isBatchDataset } from "../loss/evaluation-data.js";
import type { EngineInfo, LossEvaluator, LossMode } from "../loss/loss-evaluator.js";
import type { ParameterLayout } from "../model/layout.js";
import { earlierResults } from "../store/results/earlier-results.js";
import type { SurfaceBudget } from "../surface/evaluate-points.js";
import { defined } from "./command-options.js";
import type { DataModule } from "./load-module.js";
import { Interruption, type Output } from "./output.js";

/** Options that say how losses are evaluated. */
export interface EvaluationCommandOptions {
  readonly data: string;
  readonly loss?: LossMode;
  readonly batchSize?: number;
  readonly engine?: EngineChoice;
  readonly workers?: number | "auto";
  readonly threads?: number;
  readonly batchNorm?: BatchNormPolicyName;
  /** Whether data with NaN or infinity are evaluated, and not refused. */
  readonly keepNonFiniteData?: boolean;
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

function requestOf({ engine, batchSize, threads }: EvaluationCommandOptions) {
  return engineRequest(defined({ engine, batchSize, threads }));
}

/** Opens what evaluates losses: in this process, or in worker processes where `--workers` asks for them. */
export async function openEvaluator(
  model: tf.LayersModel,
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
  const { loss, batchSize, engine, workers, threads, dataExport = "loadData", signal } = options;
  const isStream = isBatchDataset(data);
  const open = (reuse: EarlierChoice) => {
    const calibration = options.batchNorm === "recalibrate" ? {} : undefined;
    const nonFiniteData = options.keepNonFiniteData === true ? ("keep" as const) : undefined;
    const common = { loss, batchSize, engine, threads, layout, reuse, nonFiniteData, signal, calibration };
    if (workers === undefined) return createLossEvaluator(model, data, common);
    const setup = isStream || module.loadModel !== undefined ? options.data : undefined;
    const streamed = isStream ? dataExport : undefined;
    return createLossEvaluator(model, data, { ...common, workers, setup, dataExport: streamed });
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
