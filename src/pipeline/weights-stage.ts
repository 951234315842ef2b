import { InvalidDataError } from "../errors.js";
import type { AccuracyForm } from "../report/chart-parts.js";
import { createTrainingFigure } from "../report/create-training-figure.js";
import {
  createAngleFigure,
  createHistogramFigure,
  createNormsFigure,
} from "../report/create-weights-figures.js";
import type { Run } from "../store/run.js";
import type { StepAngles } from "../trajectory/step-angles.js";
import type { LandscapeWarning } from "../warning.js";
import type { WeightHistograms } from "../weights/weight-histogram.js";
import type { WeightStatistics } from "../weights/weight-statistics.js";
import { anglesStage } from "./angles-stage.js";
import { distinctNames } from "./distinct-names.js";
import { histogramStage } from "./histogram-stage.js";
import { type StatisticsOptions, statisticsStage } from "./statistics-stage.js";
import type { NamedFigure } from "./write-report.js";

/** Options of {@link analyzeWeights}. */
export interface AnalyzeWeightsOptions extends StatisticsOptions {
  /** Whether an accuracy is shown as the error (default) or as such. */
  readonly accuracyAs?: AccuracyForm;
  /** Folder for the histogram. Default the first run's directory. */
  readonly directory?: string;
}

/** Norms, distances, angles and figures of one run or several. */
export interface WeightsAnalysis {
  /** Statistics of each run, in the order of the runs. */
  readonly statistics: readonly WeightStatistics[];
  /** Angles of each run's steps on its stored PCA plane, or null where none is stored. */
  readonly angles: readonly (StepAngles | null)[];
  /** Histograms of the final weights, or null where there is nothing to count. */
  readonly histograms: WeightHistograms | null;
  /** "training", "norms", "histogram", "angles": those that there is something to show for. */
  readonly figures: readonly NamedFigure[];
  /** Runs that a histogram cannot show, and why. */
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Computes weight norms, distances and path lengths of runs, and draws them with training curves, histograms
 * of the final weights (runs of one layout) and, where `surface` has stored a PCA plane of the run as it is,
 * the angles of its steps to the slope.
 *
 * Each run's `weights/statistics.arrow` and `weights/angles.arrow`, and `weights/histogram.arrow` in `directory`, are
 * written where they are not up to date.
 *
 * @throws {@link InvalidDataError} if there is no run.
 */
export async function analyzeWeights(
  runs: readonly Run[],
  options: AnalyzeWeightsOptions = {},
): Promise<WeightsAnalysis> {
  const [first] = runs;
  if (first === undefined) throw new InvalidDataError("runs", "at least one run", "none");
  const statistics: WeightStatistics[] = [];
  const angles: (StepAngles | null)[] = [];
  for (const run of runs) {
    statistics.push(await statisticsStage(run, options));
    angles.push(await anglesStage(run));
  }
  const names = distinctNames(runs.map(({ manifest }) => manifest.name));
  const named = runs.map((run, i) => ({ name: names[i] as string, run }));
  const { histograms, warnings } = await histogramStage(named, options.directory ?? first.directory);
  const found = { statistics, angles, histograms };
  return { ...found, warnings, figures: weightsFigures(runs, found, options.accuracyAs) };
}

/** Makes the figures of what {@link analyzeWeights} found. */
export function weightsFigures(
  runs: readonly Run[],
  { statistics, angles, histograms }: Pick<WeightsAnalysis, "statistics" | "angles" | "histograms">,
  accuracyAs: AccuracyForm = "error",
): NamedFigure[] {
  const names = distinctNames(runs.map(({ manifest }) => manifest.name));
  const named = runs.map(({ snapshots }, i) => ({ name: names[i] as string, snapshots }));
  const hasLogs = runs.some(({ snapshots }) => snapshots.some(({ logs }) => Object.keys(logs).length > 0));
  const figures: NamedFigure[] = [];
  if (hasLogs) figures.push({ name: "training", figure: createTrainingFigure(named, { accuracyAs }) });
  const norms = named.map((run, i) => ({ ...run, statistics: statistics[i] as WeightStatistics }));
  figures.push({ name: "norms", figure: createNormsFigure(norms) });
  if (histograms !== null) figures.push({ name: "histogram", figure: createHistogramFigure(histograms) });
  const turned = named.flatMap((run, i) => {
    const found = angles[i] ?? null;
    return found === null ? [] : [{ ...run, angles: found }];
  });
  if (turned.length > 0) {
    // A single run has no legend that would name it among several.
    const whose = turned.length < runs.length ? `: ${turned.map(({ name }) => name).join(", ")}` : "";
    figures.push({ name: "angles", figure: createAngleFigure(turned, `What the path does${whose}`) });
  }
  return figures;
}
