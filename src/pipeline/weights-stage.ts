import { InvalidDataError, RunStateError } from "../errors.js";
import type { AccuracyForm } from "../report/chart-parts.js";
import { createTrainingFigure } from "../report/create-training-figure.js";
import {
  createAngleFigure,
  createHistogramFigure,
  createNormsFigure,
} from "../report/create-weights-figures.js";
import type { Run } from "../store/run.js";
import { type StepAngles, stepAngles } from "../trajectory/step-angles.js";
import type { Trajectory } from "../trajectory/trajectory.js";
import { weightHistograms } from "../weights/weight-histogram.js";
import type { WeightStatistics } from "../weights/weight-statistics.js";
import { readAnalysis } from "./read-analysis.js";
import { type StatisticsOptions, statisticsStage } from "./statistics-stage.js";
import type { NamedFigure } from "./write-report.js";

/** Options of {@link analyzeWeights}. */
export interface AnalyzeWeightsOptions extends StatisticsOptions {
  /** Whether an accuracy is shown as the error (default) or as such. */
  readonly accuracyAs?: AccuracyForm;
}

/** Norms, distances, angles and figures of one run or several. */
export interface WeightsAnalysis {
  /** Statistics of each run, in the order of the runs. */
  readonly statistics: readonly WeightStatistics[];
  /** Angles of each run's steps on its stored PCA plane, or null where none is stored. */
  readonly angles: readonly (StepAngles | null)[];
  /** "training", "norms", "histogram", "angles": those that there is something to show for. */
  readonly figures: readonly NamedFigure[];
}

/**
 * Computes weight norms, distances and path lengths of runs, and draws them with training curves, histograms
 * of the final weights (runs of one layout) and, where `surface` has stored a PCA plane of the run as it is,
 * the angles of its steps to the slope.
 *
 * Statistics are stored as `weights/statistics.arrow` in each run and read where they are up to date.
 *
 * @throws {@link InvalidDataError} if there is no run.
 */
export async function analyzeWeights(
  runs: readonly Run[],
  options: AnalyzeWeightsOptions = {},
): Promise<WeightsAnalysis> {
  if (runs.length === 0) throw new InvalidDataError("runs", "at least one run", "none");
  const statistics: WeightStatistics[] = [];
  const angles: (StepAngles | null)[] = [];
  for (const run of runs) {
    statistics.push(await statisticsStage(run, options));
    angles.push(await storedAngles(run));
  }
  const named = runs.map(({ manifest, snapshots }) => ({ name: manifest.name, snapshots }));
  const hasLogs = runs.some(({ snapshots }) => snapshots.some(({ logs }) => Object.keys(logs).length > 0));
  const figures: NamedFigure[] = [];
  if (hasLogs) {
    const { accuracyAs = "error" } = options;
    figures.push({ name: "training", figure: createTrainingFigure(named, { accuracyAs }) });
  }
  const norms = named.map((run, i) => ({ ...run, statistics: statistics[i] as WeightStatistics }));
  figures.push({ name: "norms", figure: createNormsFigure(norms) });
  const histograms = await histogramsOf(runs);
  if (histograms !== null) figures.push({ name: "histogram", figure: createHistogramFigure(histograms) });
  const turned = named.flatMap((run, i) => {
    const found = angles[i] ?? null;
    return found === null ? [] : [{ ...run, angles: found }];
  });
  if (turned.length > 0) figures.push({ name: "angles", figure: createAngleFigure(turned) });
  return { statistics, angles, figures };
}

/** Angles on the run's own PCA plane, if an analysis of the run as it is now is stored. */
async function storedAngles(run: Run): Promise<StepAngles | null> {
  try {
    const { directions, surface, trajectories } = await readAnalysis(run);
    return stepAngles(trajectories[0] as Trajectory, surface, directions);
  } catch (error) {
    if (error instanceof RunStateError) return null;
    throw error;
  }
}

/** Histograms of the final weights of the runs that share the first one's layout, each other weights. */
async function histogramsOf(runs: readonly Run[]) {
  const [first] = runs as [Run];
  const models: { name: string; theta: Float32Array }[] = [];
  for (const run of runs) {
    if (run.layout.digest !== first.layout.digest) continue;
    const theta = await run.readTheta(run.snapshots.length - 1);
    if (models.some((other) => other.theta.every((value, i) => value === theta[i]))) continue;
    models.push({ name: run.manifest.name, theta });
  }
  const hasKernels = first.layout.parameters.some(({ role, trainable }) => trainable && role === "kernel");
  const areFinite = models.every(({ theta }) => theta.every(Number.isFinite));
  return hasKernels && areFinite ? weightHistograms(first.layout, models) : null;
}
