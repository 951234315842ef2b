import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { currentBackend } from "../backend/current-backend.js";
import { wholeNumber } from "../base/check-option.js";
import { InvalidOptionError } from "../base/errors.js";
import type { Provenance } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import { readOptimizerState } from "../capture/optimizer-state-file.js";
import {
  type Curvature,
  type CurvatureOptions,
  createCurvature,
  refuseDifferences,
} from "../curvature/create-curvature.js";
import {
  COLD,
  disposeBatches,
  type StabilityParts,
  stabilityAt,
  type TrainedWith,
  trainingOnlyLayers,
} from "../curvature/stability-point.js";
import type { Figure } from "../figure/figure.js";
import { createStabilityFigure } from "../figure/make/create-stability-figure.js";
import { createLossEvaluator } from "../loss/create-loss-evaluator.js";
import {
  type EvaluationData,
  isBatchDataset,
  type NamedTensors,
  refuseTooMany,
} from "../loss/evaluation-data.js";
import type { EvaluatorFacts, LossEvaluator } from "../loss/loss-evaluator.js";
import type { EngineChoice } from "../loss/loss-options.js";
import { createUniform } from "../math/random.js";
import type { RunManifest } from "../model/manifest.js";
import {
  readStability,
  type SnapshotStability,
  type StabilityPath,
  stabilityTiles,
  writeStability,
} from "../store/kinds/stability-file.js";
import { keyedName } from "../store/kinds/surface-key.js";
import { memoResumably } from "../store/results/memo.js";
import type { Run } from "../store/run/run.js";
import type { FigureOptions, ProgressOptions, ResultOptions } from "./options.js";

/** What is computed along a run. */
export interface StabilitySettings {
  /** Snapshots at most, evenly spaced with the first and the last among them; "all" for every one. Default 20. */
  readonly snapshots?: number | "all" | undefined;
  /** Hessian-vector products for each trace, at least 4; 0 for no trace. Default 20. */
  readonly traceProducts?: number | undefined;
  /** Mini-batches for batch sharpness (plain SGD only); 0 for none. Default 8. */
  readonly batches?: number | undefined;
  /** Samples of a mini-batch. Default what `fit` was called with. */
  readonly minibatch?: number | undefined;
  /** Residual of λ₁, relative to it, that is small enough; its error is the square of that. Default 1e-3. */
  readonly tolerance?: number | undefined;
  /** Seed of random vectors and of the mini-batches. Default 0. */
  readonly seed?: number | undefined;
}

/** Options of {@link analyzeStability}. */
export interface AnalyzeStabilityOptions
  extends StabilitySettings,
    ResultOptions,
    ProgressOptions<"stability"> {
  /**
   * How the loss is computed. Default the compiled loss with the model's regularization penalties: what the optimizer
   * sees. Class weights of `fit` belong here.
   */
  readonly evaluation?: Omit<CurvatureOptions, "layout" | "signal"> | undefined;
  /** What computes losses along the update. Default "auto", the fastest. */
  readonly engine?: EngineChoice | undefined;
  readonly figure?: Pick<FigureOptions, "title" | "names"> | undefined;
  /** A figure of the run's trajectory on a plane, beside which the curves are drawn. Default none. */
  readonly trajectory?: Figure | undefined;
}

/** The stability along a run, and its figure. */
export interface StabilityAnalysis {
  readonly stability: StabilityPath;
  readonly figure: Figure;
  readonly warnings: readonly LandscapeWarning[];
}

type Settings = {
  readonly [Key in Exclude<keyof StabilitySettings, "minibatch">]-?: Exclude<
    StabilitySettings[Key],
    undefined
  >;
} & { readonly minibatch: number | null };

/**
 * Checks options and fills in the defaults.
 *
 * @throws {@link InvalidOptionError} naming the option that cannot be used.
 */
export function resolveStabilitySettings(options: StabilitySettings): Settings {
  const { snapshots = 20, traceProducts = 20, tolerance = 1e-3, minibatch } = options;
  if (!(tolerance > 0 && tolerance < 1)) {
    throw new InvalidOptionError("tolerance", "a number between 0 and 1", String(tolerance));
  }
  return {
    snapshots: snapshots === "all" ? snapshots : wholeNumber("snapshots", snapshots, 1),
    traceProducts: traceProducts === 0 ? 0 : wholeNumber("traceProducts", traceProducts, 4),
    batches: wholeNumber("batches", options.batches ?? 8, 0),
    minibatch: minibatch === undefined ? null : wholeNumber("minibatch", minibatch, 1),
    tolerance,
    seed: wholeNumber("seed", options.seed ?? 0, 0),
  };
}

/**
 * Computes how sharp the loss is along a run, against its optimizer's own threshold: λ₁ of the Hessian (of adaptive
 * optimizers: of the Hessian in their own scale), gradient norm, trace, batch sharpness and critical sharpness.
 *
 * The loss is the one that the optimizer sees: give the training data. It is computed in evaluation mode; with dropout or
 * batch norm the optimizer sees another, which the caption says. Adaptive optimizers and momentum need the optimizer's
 * state in the snapshots (`optimizerState: true` when training); without it those quantities are not defined, with a reason.
 *
 * Snapshots are stored one by one as they are finished (`curvature/stability-<8 digits>.arrow` in the end), so that an
 * analysis that was interrupted goes on. λ₁ begins at the eigenvectors of the snapshot before.
 * Cost: for each snapshot some 15 to 40 products for λ₁ (adaptive: twice), `traceProducts` for the trace, six losses.
 *
 * @param model - the architecture, compiled with the loss of the training.
 * @param data - the training set.
 * @throws {@link InvalidOptionError} for an option that cannot be used, before anything is computed.
 * @see Cohen et al. 2021 and 2022; Andreyev & Beneventano 2024 (batch sharpness); Kalra 2026 (critical sharpness).
 * @example const { stability, figure } = await analyzeStability(run, model, { xs, ys }, { snapshots: 30 });
 */
export async function analyzeStability(
  run: Run,
  model: tf.LayersModel,
  data: EvaluationData,
  options: AnalyzeStabilityOptions = {},
): Promise<StabilityAnalysis> {
  const settings = resolveStabilitySettings(options);
  refuseDifferences("stability", options.evaluation);
  const { signal, figure = {} } = options;
  const evaluation = { includeRegularization: true, ...options.evaluation, layout: run.layout, signal };
  const { keepBytes: _, products: __, ...lossOptions } = evaluation;
  const evaluator = await createLossEvaluator(model, data, {
    ...lossOptions,
    metrics: [],
    engine: options.engine,
    calibration: null,
  });
  try {
    const stability = await storedStability(run, model, data, evaluator, settings, evaluation, options);
    return {
      stability,
      figure: createStabilityFigure(stability, run, {
        title: figure.title,
        trajectory: options.trajectory,
      }),
      warnings: [...run.warnings, ...stability.warnings],
    };
  } finally {
    evaluator.dispose();
  }
}

async function storedStability(
  run: Run,
  model: tf.LayersModel,
  data: EvaluationData,
  evaluator: LossEvaluator,
  settings: Settings,
  evaluation: CurvatureOptions,
  options: AnalyzeStabilityOptions,
): Promise<StabilityPath> {
  const { directory = run.directory, force, resume, signal, onProgress, figure } = options;
  const { samples, lossMode, engine } = evaluator.facts;
  const chosen = chosenSnapshots(run, settings.snapshots);
  const plain = run.manifest.optimizer?.className === "SGD";
  checkMinibatch(settings.minibatch, samples);
  const minibatch = settings.minibatch ?? batchSizeOf(run.manifest);
  const withBatches = plain && settings.batches > 0 && minibatch !== null;
  const states = await stateDigests(run, chosen);
  const provenance = stabilityProvenance(
    settings,
    { ...evaluator.facts, evaluation, minibatch, runDigest: await run.digest() },
    {
      steps: chosen.map((index) => (run.snapshots[index] as Run["snapshots"][number]).step),
      states,
    },
    { engine: { ...engine } },
  );
  const facts = {
    name: run.manifest.name,
    dataName: figure?.names?.data ?? null,
    optimizer: run.manifest.optimizer?.className ?? null,
    samples,
    lossMode,
    minibatch: withBatches ? Math.min(minibatch, samples) : null,
    trainingOnly: trainingOnlyLayers(model),
  };
  return memoResumably<SnapshotStability, StabilityPath>(
    {
      file: join(directory, "curvature", keyedName(["stability"], provenance)),
      provenance,
      read: readStability,
      write: writeStability,
      force,
      resume,
      what: "stability",
      engines: [engine],
      metrics: [],
      tiles: stabilityTiles,
      isPartial: () => false,
    },
    async ({ known, onPoint }) => {
      const done = new Map(known.map((point) => [point.step, point]));
      const opened: { curvature?: Curvature; batches?: StabilityParts["batches"] } = {};
      try {
        let nearby = COLD;
        const points: SnapshotStability[] = [];
        for (const [at, index] of chosen.entries()) {
          signal?.throwIfAborted();
          const { step } = run.snapshots[index] as Run["snapshots"][number];
          const before = done.get(step);
          if (before !== undefined) {
            points.push(before);
            continue;
          }
          opened.curvature ??= await createCurvature(model, data, evaluation);
          opened.batches ??= await openBatches(model, data, evaluation, samples, settings, {
            minibatch,
            isWanted: plain,
          });
          const parts = { ...settings, evaluator, curvature: opened.curvature, batches: opened.batches };
          const theta = await run.readTheta(index);
          const found = await stabilityAt(parts, theta, await trainedWith(run, index), nearby, signal);
          nearby = found.vectors;
          const point = { step, ...found.point };
          await onPoint(point);
          points.push(point);
          onProgress?.("stability", at + 1, chosen.length);
        }
        return { ...facts, points, warnings: convergenceWarnings(points, settings.tolerance) };
      } finally {
        if (opened.batches !== undefined) disposeBatches(opened.batches);
        opened.curvature?.dispose();
      }
    },
  );
}

/** What a stability is computed from. */
interface StabilitySources
  extends Pick<EvaluatorFacts, "dataDigest" | "modelDigest" | "samples" | "lossMode"> {
  readonly evaluation: CurvatureOptions;
  readonly minibatch: number | null;
  /** Empty while the run is recorded. */
  readonly runDigest: string;
}

/** What a stability is known by; `of` says at which snapshots it is, `chosen` what it was computed with. */
export function stabilityProvenance(
  { snapshots: _, ...own }: Settings,
  { dataDigest, modelDigest, samples, lossMode, evaluation, minibatch, runDigest }: StabilitySources,
  of: Provenance["options"],
  chosen: Provenance["chosen"] = {},
): Provenance {
  return {
    kind: "stability",
    // 1: a critical sharpness whose losses were used up could be a number.
    version: 2,
    options: {
      ...own,
      minibatch,
      loss: lossMode,
      samples,
      includeRegularization: evaluation.includeRegularization ?? false,
      ...of,
    },
    seed: own.seed,
    inputs: { run: runDigest, data: dataDigest, model: modelDigest },
    chosen: { backend: currentBackend().name, ...chosen },
  };
}

/** @throws {@link InvalidOptionError} if a mini-batch that was asked for has more samples than there are. */
export function checkMinibatch(minibatch: number | null, samples: number): void {
  refuseTooMany("minibatch", minibatch, samples);
}

/** Says where λ₁ is not known as well as was asked for, with the size. */
export function convergenceWarnings(
  points: readonly SnapshotStability[],
  tolerance: number,
): readonly LandscapeWarning[] {
  const shares = points.flatMap((point) => [
    point.residual / Math.abs(point.sharpness),
    point.preconditionedResidual / Math.abs(point.preconditioned),
  ]);
  const bad = shares.filter((share) => share > 10 * tolerance);
  if (bad.length === 0) return [];
  const message = `stability: ${bad.length} of the largest eigenvalues have not converged: their residuals are up to ${(100 * Math.max(...bad)).toPrecision(2)} % of them`;
  return [{ code: "stability-not-converged", message }];
}

/** Positions of the snapshots, evenly spaced. */
function chosenSnapshots({ snapshots }: Run, count: number | "all"): number[] {
  const last = snapshots.length - 1;
  if (count === "all" || count > last) return snapshots.map((_, index) => index);
  if (count === 1) return [last];
  return Array.from({ length: count }, (_, i) => Math.round((i * last) / (count - 1)));
}

/** Which of the snapshots have the optimizer's state: results without it are other results. */
async function stateDigests(run: Run, chosen: readonly number[]): Promise<boolean> {
  for (const index of chosen) if ((await readOptimizerState(run, index)) !== null) return true;
  return false;
}

function batchSizeOf({ fit, resumes = [] }: RunManifest): number | null {
  const sizes = [fit, ...resumes.map((resume) => resume.fit)].map(({ batchSize }) => batchSize);
  const known = sizes.filter((size): size is number => typeof size === "number" && size >= 1);
  // Where they differ, none of them is that of the run.
  return known.length > 0 && new Set(known).size === 1 ? (known[0] as number) : null;
}

/** What trained a snapshot. */
async function trainedWith(run: Run, index: number): Promise<TrainedWith> {
  const { step, learningRate } = run.snapshots[index] as Run["snapshots"][number];
  const { optimizer, resumes = [] } = run.manifest;
  const resumed = resumes.filter((resume) => resume.step <= step).at(-1);
  const used = resumed === undefined ? optimizer : resumed.optimizer;
  const configured = (used?.config as { readonly learningRate?: unknown } | null)?.learningRate;
  return {
    optimizer: used,
    learningRate: Number.isNaN(learningRate) && typeof configured === "number" ? configured : learningRate,
    state: await readOptimizerState(run, index),
  };
}

/** Mini-batches of the training set, drawn once, so that snapshots are compared on the same ones. */
export async function openBatches(
  model: tf.LayersModel,
  data: EvaluationData,
  evaluation: CurvatureOptions,
  samples: number,
  { batches, seed }: Settings,
  { minibatch, isWanted }: { readonly minibatch: number | null; readonly isWanted: boolean },
): Promise<StabilityParts["batches"]> {
  if (!isWanted) return { reason: "batch sharpness is for plain SGD" };
  if (batches === 0) return { reason: "no mini-batches were asked for" };
  if (minibatch === null) return { reason: "the run does not say how large its mini-batches were" };
  if (isBatchDataset(data))
    return { reason: "mini-batches are drawn from tensors, and the data are a stream" };
  const size = Math.min(minibatch, samples);
  const order = shuffled(samples, seed);
  const count = Math.min(batches, Math.max(1, Math.floor(samples / size)));
  const opened: Curvature[] = [];
  try {
    for (let k = 0; k < count; k++) {
      const rows = order.subarray(k * size, (k + 1) * size);
      const part = gathered(data, rows);
      try {
        opened.push(await createCurvature(model, part, { ...evaluation, dataId: `mini-batch ${k}` }));
      } finally {
        for (const tensors of Object.values(part)) tf.dispose(tensors);
      }
    }
  } catch (error) {
    disposeBatches(opened);
    throw error;
  }
  return opened;
}

function shuffled(count: number, seed: number): Int32Array {
  const uniform = createUniform(seed, "mini-batches");
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}

type Tensors = Exclude<EvaluationData, { iterator: unknown }>;

/** Copies of some rows of every tensor. */
function gathered(data: EvaluationData, rows: Int32Array): Tensors {
  const { xs, ys, sampleWeight } = data as Tensors;
  const indices = tf.tensor1d(rows, "int32");
  const take = (tensors: NamedTensors): NamedTensors => {
    if (tensors instanceof tf.Tensor) return tf.gather(tensors, indices);
    const entries = Object.entries(tensors).map(
      ([key, tensor]) => [key, tf.gather(tensor, indices)] as const,
    );
    return Array.isArray(tensors) ? entries.map(([, tensor]) => tensor) : Object.fromEntries(entries);
  };
  try {
    const weights = sampleWeight === undefined ? {} : { sampleWeight: take(sampleWeight) };
    return { xs: take(xs), ys: take(ys), ...weights };
  } finally {
    indices.dispose();
  }
}
