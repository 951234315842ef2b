import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import { wholeNumber } from "../base/check-option.js";
import { InvalidOptionError } from "../base/errors.js";
import { type OptionNames, refuseUnknown } from "../base/option-names.js";
import { removal } from "../base/platform.js";
import { type CurvatureOptions, createCurvature, refuseDifferences } from "../curvature/create-curvature.js";
import {
  COLD,
  disposeBatches,
  stabilityAt,
  type TrainedWith,
  trainingOnlyLayers,
} from "../curvature/stability-point.js";
import { createLossEvaluator } from "../loss/create-loss-evaluator.js";
import { type EvaluationData, isBatchDataset } from "../loss/evaluation-data.js";
import type { ParameterLayout } from "../model/layout.js";
import {
  LIVE_STABILITY_FILE,
  readStability,
  type SnapshotStability,
  type StabilityPath,
  writeStability,
} from "../store/kinds/stability-file.js";
import { openRun } from "../store/run/open-run.js";
import {
  checkMinibatch,
  convergenceWarnings,
  openBatches,
  resolveStabilitySettings,
  type StabilitySettings,
  stabilityProvenance,
} from "./analyze-stability.js";

/** What is measured of the stability while a training runs. */
export interface LiveStabilityOptions extends Omit<StabilitySettings, "snapshots"> {
  /** What the optimizer sees: the training data, as tensors. They stay the caller's and must live until training ends. */
  readonly data: EvaluationData;
  /** Every how many snapshots it is measured, the first among them. Training waits meanwhile. Default 1. */
  readonly every?: number | undefined;
  /** How the loss is computed. Default the compiled loss with the model's regularization penalties. */
  readonly evaluation?: Omit<CurvatureOptions, "layout" | "signal"> | undefined;
}

const OPTION_NAMES: OptionNames<LiveStabilityOptions> = {
  data: true,
  every: true,
  evaluation: true,
  traceProducts: true,
  batches: true,
  minibatch: true,
  tolerance: true,
  seed: true,
};

/**
 * Checks the options of {@link openLiveStability}.
 *
 * @throws {@link InvalidOptionError} naming the option that cannot be used.
 */
export function checkLiveStability(options: LiveStabilityOptions): void {
  refuseUnknown(options, OPTION_NAMES, "stability");
  const { data, every = 1, traceProducts = 0, ...settings } = options;
  wholeNumber("stability.every", every);
  if (typeof data !== "object" || data === null || isBatchDataset(data) || !("xs" in data && "ys" in data)) {
    throw new InvalidOptionError("stability.data", "{ xs, ys }, tensors of the training set", "others");
  }
  resolveStabilitySettings({ ...settings, traceProducts });
  refuseDifferences("stability", options.evaluation);
}

/** A snapshot as training has just recorded it. */
export interface RecordedPoint extends TrainedWith {
  /** Its ordinal in the run. */
  readonly step: number;
  readonly theta: Float32Array;
}

/** Measures the stability along a training. */
export interface LiveStability {
  /** Whether a snapshot is to be measured. */
  isDue(step: number): boolean;
  /** Measures a snapshot and writes what is known so far. */
  measure(point: RecordedPoint): Promise<void>;
  /** Measures no more and frees what it holds. Idempotent; {@link close} is still to come. */
  stop(): void;
  /** Ends it after the run; what was measured then belongs to the run as it is. Idempotent. */
  close(): Promise<void>;
}

/** What is known of the training that is measured. */
export interface LiveStabilityRun {
  readonly directory: string;
  readonly name: string;
  readonly layout: ParameterLayout;
  /** Ordinal of the first snapshot of this training: points before are kept. */
  readonly firstStep: number;
  /** Samples of a mini-batch, as `fit` says; null where it does not. */
  readonly batchSize: number | null;
  /** Class of the optimizer. */
  readonly optimizer: string;
}

/**
 * Opens what measures the stability of a training at its snapshots, into `curvature/stability-live.arrow` of the run:
 * λ₁ against the optimizer's own threshold, gradient norm, batch and critical sharpness.
 *
 * The model has the weights of the snapshot while it is measured, and its own again afterwards, to the bit; no random
 * numbers of the training are drawn, and no gradient of TensorFlow.js is registered or replaced.
 *
 * @throws {@link InvalidDataError} if the data do not fit; {@link EvaluationError} naming a kernel without a second
 * derivative: all before training.
 */
export async function openLiveStability(
  model: tf.LayersModel,
  run: LiveStabilityRun,
  theta: Float32Array,
  options: LiveStabilityOptions,
): Promise<LiveStability> {
  const { data, every = 1, traceProducts = 0, evaluation: given, ...rest } = options;
  const settings = resolveStabilitySettings({ ...rest, traceProducts });
  const { layout } = run;
  const evaluation = { includeRegularization: true, ...given, layout };
  const { keepBytes: _, products: __, ...lossOptions } = evaluation;
  const opened: { dispose(): void }[] = [];
  const dispose = (): void => {
    for (const one of opened.splice(0)) one.dispose();
  };
  try {
    // The model's own operations: they know every model, and nothing is compiled for so few losses.
    const loss = { ...lossOptions, metrics: [], engine: "tfjs", calibration: null } as const;
    const evaluator = await createLossEvaluator(model, data, loss);
    opened.push(evaluator);
    const curvature = await createCurvature(model, data, evaluation);
    opened.push(curvature);
    const { samples, lossMode } = evaluator.facts;
    checkMinibatch(settings.minibatch, samples);
    const minibatch = settings.minibatch ?? run.batchSize;
    const isWanted = run.optimizer === "SGD";
    const batches = await openBatches(model, data, evaluation, samples, settings, { minibatch, isWanted });
    opened.push({ dispose: () => disposeBatches(batches) });
    (await curvature.at(theta)).dispose();

    const parts = { ...settings, evaluator, curvature, batches };
    const directory = resolve(run.directory);
    const file = join(directory, LIVE_STABILITY_FILE);
    const points = await earlierPoints(file, run.firstStep);
    let nearby = COLD;
    let [isStopped, isClosed] = [false, false];
    const facts = {
      name: run.name,
      dataName: null,
      optimizer: run.optimizer,
      samples,
      lossMode,
      minibatch: "reason" in batches || minibatch === null ? null : Math.min(minibatch, samples),
      trainingOnly: trainingOnlyLayers(model),
    };
    const write = (runDigest: string): Promise<void> => {
      const sources = { ...evaluator.facts, evaluation, minibatch, runDigest };
      const of = { steps: points.map(({ step }) => step), isLive: true };
      const provenance = stabilityProvenance(settings, sources, of);
      const path: StabilityPath = {
        ...facts,
        points,
        warnings: convergenceWarnings(points, settings.tolerance),
      };
      return writeStability(file, path, provenance);
    };
    const stop = (): void => {
      isStopped = true;
      dispose();
    };
    return {
      stop,
      isDue: (step) => !isStopped && step % every === 0,
      async measure({ step, theta: own, ...trained }) {
        const found = await stabilityAt(parts, own, trained, nearby);
        nearby = found.vectors;
        points.push({ step, ...found.point });
        await write("");
      },
      async close() {
        if (isClosed) return;
        isClosed = true;
        stop();
        if (points.length === 0) return;
        const finished = await openRun(directory);
        try {
          await write(await finished.digest());
        } finally {
          await finished.close();
        }
      },
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** What was measured of the run before this training; of another run in this place, nothing. */
async function earlierPoints(file: string, firstStep: number): Promise<SnapshotStability[]> {
  if (firstStep === 0) {
    await rm(file, removal());
    return [];
  }
  const before = await readStability(file);
  return (before?.points ?? []).filter(({ step }) => step < firstStep);
}
