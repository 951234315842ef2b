import { join } from "node:path";
import { InvalidDataError } from "../base/errors.js";
import { defined } from "../base/json.js";
import { type Provenance, sha256 } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Followed } from "../base/work.js";
import type { Directions } from "../directions/directions.js";
import type { Trajectory } from "../directions/project.js";
import {
  type WeightHistograms,
  type WeightStatistics,
  weightHistograms,
  weightStatistics,
} from "../directions/weight-statistics.js";
import type { AccuracyForm } from "../figure/make/chart-parts.js";
import { createTrainingFigure } from "../figure/make/create-training-figure.js";
import {
  createAngleFigure,
  createHistogramFigure,
  createNormsFigure,
} from "../figure/make/create-weights-figures.js";
import { lossChanges } from "../figure/make/run-data.js";
import type { ParameterRole } from "../model/layout.js";
import { keyedName } from "../store/kinds/surface-key.js";
import {
  readHistograms,
  readStepAngles,
  readWeightStatistics,
  writeHistograms,
  writeStepAngles,
  writeWeightStatistics,
} from "../store/kinds/weights-file.js";
import { memo } from "../store/results/memo.js";
import { partOfRun, type Run, type StepOptions } from "../store/run/run.js";
import { type StepAngles, stepAngles } from "../surface/step-angles.js";
import type { Surface } from "../surface/surface.js";
import { distinctNames } from "./model-point.js";
import { newestPlane } from "./stored-plane.js";
import type { NamedFigure } from "./write-report.js";

/** Least number of points a side of a surface that has a slope of second order. */
const LEAST_POINTS = 3;

/**
 * Returns the angles of a run's steps on its own PCA plane, or null where no analysis of the run as it is now is
 * stored, its surface has fewer than 3 points a side, or there is no step.
 */
export async function planeAngles(run: Run): Promise<StepAngles | null> {
  const analysis = await storedAnalysis(run);
  return analysis === null ? null : anglesOf(analysis);
}

/** The same, and stores them as `weights/angles.arrow` where they are not there yet. */
export async function anglesStage(run: Run): Promise<StepAngles | null> {
  const analysis = await storedAnalysis(run);
  if (analysis === null) return null;
  const result = {
    file: fileOf(run, "angles"),
    provenance: await provenanceOf(run, analysis),
    read: readStepAngles,
    write: (file: string, found: StepAngles, provenance: Provenance) =>
      writeStepAngles(file, found, run.snapshots, provenance),
  };
  return memo(result, () => anglesOf(analysis));
}

/** The newest plane of principal components of a run, on its training set. */
interface PathPlane {
  readonly surface: Surface;
  readonly directions: Directions;
  readonly trajectory: Trajectory;
}

async function storedAnalysis(run: Run): Promise<PathPlane | null> {
  if (run.snapshots.length < 2) return null;
  const plane = await newestPlane(run, "pca", "train");
  if (plane === null || plane.directions === null || plane.trajectory === null) return null;
  const { surface, directions, trajectory } = plane;
  const isWhole = trajectory.distance.length === run.snapshots.length;
  const isLarge = Math.min(surface.alpha.length, surface.beta.length) >= LEAST_POINTS;
  return isWhole && isLarge ? { surface, directions, trajectory } : null;
}

function anglesOf({ directions, surface, trajectory }: PathPlane): StepAngles {
  return stepAngles(trajectory, surface, directions);
}

async function provenanceOf(
  run: Run,
  { surface: { alpha, beta, loss }, directions, trajectory }: PathPlane,
): Promise<Provenance> {
  return {
    kind: "step-angles",
    version: 1,
    options: {},
    seed: null,
    inputs: {
      run: await run.digest(),
      surface: sha256(alpha, beta, loss),
      directions: sha256(...directions.vectors.slice(0, 2)),
      trajectory: sha256(trajectory.coordinates),
    },
  };
}

/** A run under the name by which it is told apart. */
export interface NamedRun {
  readonly name: string;
  readonly run: Run;
}

/** Histograms of final weights, and what they leave out. */
export interface SolutionHistograms {
  /** null where no run has weights to count. */
  readonly histograms: WeightHistograms | null;
  readonly warnings: readonly LandscapeWarning[];
}

/** A run's final weights that a histogram can show. */
interface Solution {
  readonly name: string;
  readonly theta: Float32Array;
}

/**
 * Returns histograms of the final weights of the runs that share the first one's layout: of the kernels, or, where
 * there are none, of weights of no known role. Runs of other layouts, with the same weights as another, or with
 * weights that are not finite are left out, each with a warning.
 *
 * @param directory - stores them as `weights/histogram.arrow` there, where they are not there yet; null does not.
 */
export async function histogramStage(
  runs: readonly NamedRun[],
  directory: string | null,
): Promise<SolutionHistograms> {
  const [{ run: first }] = runs as readonly [NamedRun, ...NamedRun[]];
  const { solutions, warnings } = await solutionsOf(runs);
  const has = (role: ParameterRole) => first.layout.parameters.some((p) => p.trainable && p.role === role);
  const role = (["kernel", "other"] as const).find(has);
  if (solutions.length === 0 || role === undefined) return { histograms: null, warnings };
  const histograms = weightHistograms(first.layout, solutions, { roles: [role] });
  if (directory === null) return { histograms, warnings };
  const provenance = histogramProvenance(solutions, role, histograms);
  const isPart = runs.some(({ run }) => run.isPart === true);
  const result = {
    file: join(directory, "weights", isPart ? keyedName(["histogram"], provenance) : "histogram.arrow"),
    provenance,
    read: readHistograms,
    write: writeHistograms,
  };
  return { histograms: await memo(result, () => histograms), warnings };
}

async function solutionsOf(runs: readonly NamedRun[]) {
  const [{ name: firstName, run: first }] = runs as readonly [NamedRun, ...NamedRun[]];
  const solutions: Solution[] = [];
  const warnings: LandscapeWarning[] = [];
  const leaveOut = (name: string, why: string): void => {
    warnings.push({ code: "not-in-histogram", message: `${name} is not in the histogram: ${why}` });
  };
  for (const { name, run } of runs) {
    if (run.layout.digest !== first.layout.digest) {
      leaveOut(name, `its weights have another layout than those of ${firstName}`);
      continue;
    }
    const theta = await run.readTheta(run.snapshots.length - 1);
    const twin = solutions.find((other) => other.theta.every((value, i) => value === theta[i]));
    if (twin !== undefined) leaveOut(name, `its final weights are those of ${twin.name}`);
    else if (!theta.every(Number.isFinite)) leaveOut(name, "its final weights are not all finite");
    else solutions.push({ name, theta });
  }
  return { solutions, warnings };
}

function histogramProvenance(
  solutions: readonly Solution[],
  role: ParameterRole,
  { edges }: WeightHistograms,
): Provenance {
  return {
    kind: "weight-histogram",
    version: 1,
    options: { roles: [role], bins: edges.length - 1, names: solutions.map(({ name }) => name) },
    seed: null,
    inputs: Object.fromEntries(solutions.map((solution, i) => [`model${i}`, sha256(solution.theta)])),
  };
}

/** Options of `statisticsStage`; progress counts the snapshots of a run. */
export interface StatisticsOptions extends Followed {
  /** Computes everything again. Default false. */
  readonly force?: boolean | undefined;
}

/** Computes weight statistics of a run, or reads them from `weights/statistics.arrow` where they are up to date. */
export async function statisticsStage(run: Run, options: StatisticsOptions): Promise<WeightStatistics> {
  const { signal, onProgress, force } = options;
  const result = {
    file: fileOf(run, "statistics"),
    provenance: await statisticsProvenance(run),
    read: readWeightStatistics,
    write: (file: string, found: WeightStatistics, provenance: Provenance) =>
      writeWeightStatistics(file, found, run.snapshots, provenance),
    force,
  };
  return memo(result, () =>
    weightStatistics(
      { layout: run.layout, count: run.snapshots.length, readTheta: (index) => run.readTheta(index) },
      { signal, ...defined({ onProgress }) },
    ),
  );
}

/** Reads the statistics of a run as it is; null where none are stored. */
export async function storedStatistics(run: Run): Promise<WeightStatistics | null> {
  return readWeightStatistics(fileOf(run, "statistics"), await statisticsProvenance(run));
}

/** Results of a part of a run stand beside those of the whole: "statistics-5-20.arrow". */
function fileOf({ directory, isPart, snapshots }: Run, name: string): string {
  const steps = isPart === true ? `-${snapshots[0]?.step}-${snapshots.at(-1)?.step}` : "";
  return join(directory, "weights", `${name}${steps}.arrow`);
}

async function statisticsProvenance(run: Run): Promise<Provenance> {
  return {
    kind: "weight-statistics",
    version: 1,
    options: { snapshots: run.snapshots.map(({ step, epoch, iteration }) => [step, epoch, iteration]) },
    seed: null,
    inputs: { run: await run.digest() },
  };
}

/** Options of {@link analyzeWeights}. */
export interface AnalyzeWeightsOptions extends StatisticsOptions, StepOptions {
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
 * written where they are not up to date; those of parts of runs (`from`, `until`) have names of their own.
 *
 * @throws {@link InvalidDataError} if there is no run; {@link InvalidOptionError} if a part has no snapshot.
 * @example const { figures } = await analyzeWeights([await openRun("runs/sgd"), await openRun("runs/adam")]);
 */
export async function analyzeWeights(
  opened: readonly Run[],
  options: AnalyzeWeightsOptions = {},
): Promise<WeightsAnalysis> {
  const runs = opened.map((run) => partOfRun(run, options));
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
  const named = runs.map((run, i) => ({
    name: names[i] as string,
    snapshots: run.snapshots,
    lossChanges: lossChanges(run),
  }));
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
    figures.push({ name: "angles", figure: createAngleFigure(turned, `Steps along the path${whose}`) });
  }
  return figures;
}
