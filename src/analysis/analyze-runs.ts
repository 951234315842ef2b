import pick from "lodash/pick.js";
import { InvalidDataError } from "../base/errors.js";
import { type Provenance, provenanceDigest } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Directions } from "../directions/directions.js";
import type { Trajectory } from "../directions/project.js";
import type { Figure } from "../figure/figure.js";
import { createTrajectoryFigure } from "../figure/make/create-trajectory-figure.js";
import { runSettings } from "../figure/make/run-settings.js";
import type { LossEvaluator } from "../loss/loss-evaluator.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { readSurface } from "../store/kinds/surface-file.js";
import { curvePointTiles } from "../store/kinds/surface-journal.js";
import { readTrajectory, writeTrajectory } from "../store/kinds/trajectory-file.js";
import { memoResumably } from "../store/results/memo.js";
import { alignRuns } from "../store/run/align-runs.js";
import type { Run } from "../store/run/run.js";
import { evaluateFidelity } from "../surface/fidelity.js";
import { createGrid, parseRange } from "../surface/grid.js";
import type { Grid, Surface } from "../surface/surface.js";
import {
  type AnalyzeOptions,
  type ResolvedAnalyzeOptions,
  resolveAnalyzeOptions,
} from "./analyze-options.js";
import { approximateStage } from "./approximate-stage.js";
import { type PlaneStage, pcaStage } from "./pca-stage.js";
import { engineFact, storedSurface } from "./resumable.js";
import { type ResultFiles, resultFiles } from "./slice-options.js";

/**
 * Returns the runs as a list that has a first one.
 *
 * @throws {InvalidDataError} if there is none.
 */
export function atLeastOneRun(runs: readonly Run[]): readonly [Run, ...Run[]] {
  const [first, ...rest] = runs;
  if (first === undefined) throw new InvalidDataError("runs", "at least one run", "none");
  return [first, ...rest];
}

/**
 * Evaluates, or reads where they are up to date, the true and plane losses along each run's path. One that was
 * interrupted goes on.
 */
export async function fidelityStage(
  runs: readonly Run[],
  plane: PlaneStage,
  evaluator: LossEvaluator,
  files: ResultFiles,
  options: ResolvedAnalyzeOptions,
): Promise<Trajectory[]> {
  const total = runs.reduce((sum, run) => sum + 2 * run.snapshots.length, 0);
  const trajectories: Trajectory[] = [];
  let before = 0;
  for (const [index, run] of runs.entries()) {
    const file = files.fidelity[index] as string;
    const provenance = fidelityProvenance(await run.digest(), plane, evaluator, options);
    const start = before;
    const trajectory = await memoResumably(
      {
        what: "path",
        file,
        provenance,
        read: readTrajectory,
        write: writeTrajectory,
        engines: [evaluator.facts.engine],
        metrics: evaluator.facts.metricNames,
        tiles: curvePointTiles,
        isPartial: () => false,
        ...pick(options, ["force", "resume"]),
      },
      ({ known, onPoint }) =>
        evaluateFidelity(
          plane.trajectories[index] as Trajectory,
          plane.directions,
          evaluator,
          (step) => run.readTheta(step),
          {
            ...pick(options, ["signal"]),
            known,
            onPoint: (point) => onPoint({ ...point, curve: 0 }),
            onProgress: (done) => options.onProgress?.("fidelity", start + done, total),
          },
        ),
    );
    trajectories.push(trajectory);
    before += 2 * run.snapshots.length;
  }
  return trajectories;
}

function fidelityProvenance(
  run: string,
  plane: PlaneStage,
  evaluator: LossEvaluator,
  { weights }: ResolvedAnalyzeOptions,
): Provenance {
  const { lossMode, samples, dataDigest, modelDigest } = evaluator.facts;
  return {
    kind: "fidelity",
    version: 1,
    options: { weights, loss: lossMode, samples, engine: engineFact(evaluator) },
    seed: null,
    inputs: { run, directions: plane.digest, data: dataDigest, model: modelDigest },
    chosen: { engine: { ...evaluator.facts.engine } },
  };
}

/** A surface and its identity. */
export interface SurfaceStage {
  readonly surface: Surface;
  readonly digest: string;
}

/**
 * Evaluates, goes on with, or reads where it is up to date, the loss surface of a plane.
 *
 * @param grid - default the range that was asked for, or what covers the paths.
 */
export async function surfaceStage(
  plane: PlaneStage,
  evaluator: LossEvaluator,
  files: ResultFiles,
  options: ResolvedAnalyzeOptions,
  grid: Grid = gridAround(plane, options),
): Promise<SurfaceStage> {
  const provenance = surfaceProvenance(plane, evaluator, grid, options);
  const digest = provenanceDigest(provenance);
  const { force, resume, budget, signal, approximate } = options;
  if (approximate !== undefined) {
    return approximateStage({
      evaluator,
      points: plane.directions,
      grid,
      file: files.surface,
      provenance,
      approximate,
      force,
      resume,
      ...(signal === undefined ? {} : { signal }),
      onProgress: (done, total) => options.onProgress?.("surface", done, total),
    });
  }
  // Its own place is read, or gone on with, by `storedSurface`.
  const stored =
    force || files.elsewhere === undefined ? null : await readSurface(files.elsewhere.surface, provenance);
  if (stored !== null && stored.partial === undefined) return { surface: stored, digest };
  const surface = await storedSurface(files.surface, provenance, evaluator, plane.directions, grid, {
    force,
    ...(resume === undefined ? {} : { resume }),
    ...(budget === undefined ? {} : { budget }),
    ...(signal === undefined ? {} : { signal }),
    onProgress: (done, total, eta) => options.onProgress?.("surface", done, total, eta),
  });
  return { surface, digest };
}

function gridAround(plane: PlaneStage, { range, points, margin }: ResolvedAnalyzeOptions): Grid {
  if (range !== undefined) return createGrid({ range: parseRange(range) });
  const coordinates = plane.trajectories.flatMap((trajectory) => Array.from(trajectory.coordinates));
  return createGrid({ coordinates: Float64Array.from(coordinates), points, margin });
}

function surfaceProvenance(
  plane: PlaneStage,
  evaluator: LossEvaluator,
  grid: Grid,
  { dataName, lossName }: ResolvedAnalyzeOptions,
): Provenance {
  const { lossMode, metricNames, samples } = evaluator.facts;
  return {
    kind: "surface",
    version: 1,
    options: {
      alpha: Array.from(grid.alpha),
      beta: Array.from(grid.beta),
      loss: lossMode,
      metrics: metricNames,
      samples,
      engine: engineFact(evaluator),
      dataName: dataName ?? null,
      lossName: lossName ?? null,
    },
    seed: null,
    inputs: {
      directions: plane.digest,
      data: evaluator.facts.dataDigest,
      model: evaluator.facts.modelDigest,
    },
    chosen: { engine: { ...evaluator.facts.engine } },
  };
}

/** What {@link analyzeRuns} works with beside the runs. */
export interface AnalysisTools {
  /** Computes the loss: see `createLossEvaluator`. */
  readonly evaluator: LossEvaluator;
  /** Multiplies and decomposes matrices: see `createLinearAlgebra`. */
  readonly linearAlgebra: LinearAlgebra;
}

/** Everything about one or more runs on their common PCA plane. */
export interface RunsAnalysis {
  readonly runs: readonly Run[];
  readonly directions: Directions;
  /** Each run's path with its fidelity, in the order of the runs. */
  readonly trajectories: readonly Trajectory[];
  readonly surface: Surface;
  readonly figure: Figure;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Analyses one run, or several of one layout together, on their PCA plane: directions, paths, loss
 * surface, fidelity and the figure that shows them.
 *
 * The plane passes through the final weights of the first run. Every result is stored beside the run
 * (several runs: in `directory`) with its provenance, and read instead of computed where that is equal.
 *
 * @throws {@link InvalidOptionError} for an option that cannot be used, before anything is computed.
 * @throws {@link LayoutError} if the runs, or the runs and the evaluator, differ in their parameters.
 * @see Li et al. 2018, section 7 and appendix B.
 * @example const { figure } = await analyzeRuns([await openRun("runs/adam")], { evaluator, linearAlgebra });
 */
export async function analyzeRuns(
  given: readonly Run[],
  tools: AnalysisTools,
  options: AnalyzeOptions = {},
): Promise<RunsAnalysis> {
  const runs = alignRuns(given);
  const resolved = resolveAnalyzeOptions(options);
  const files = resultFiles(runs, options.directory);
  const plane = await pcaStage(atLeastOneRun(runs), tools.linearAlgebra, files, resolved);
  const { surface } = await surfaceStage(plane, tools.evaluator, files, resolved);
  const trajectories = await fidelityStage(runs, plane, tools.evaluator, files, resolved);
  const figure = createTrajectoryFigure({
    title: options.title ?? titleOf(runs),
    surface,
    axes: plane.directions,
    paths: runs.map((run, index) => ({
      name: run.manifest.name,
      snapshots: run.snapshots,
      settings: runSettings(run),
      trajectory: trajectories[index] as Trajectory,
    })),
    ...pick(options, ["dataName", "lossName"]),
  });
  const warnings = [
    runs,
    [{ warnings: tools.evaluator.facts.warnings ?? [] }],
    [plane.directions],
    [surface],
    trajectories,
  ]
    .flat()
    .flatMap((part) => part.warnings ?? []);
  return { runs, directions: plane.directions, trajectories, surface, figure, warnings };
}

function titleOf(runs: readonly Run[]): string {
  return runs.map((run) => run.manifest.name).join(" and ");
}

/**
 * Computes, or reads where it is up to date, only the PCA plane of one or more runs and the paths on it:
 * the part of {@link analyzeRuns} that needs no data and no model.
 *
 * @throws as {@link analyzeRuns}.
 */
export async function analyzePlane(
  given: readonly Run[],
  linearAlgebra: LinearAlgebra,
  options: AnalyzeOptions = {},
): Promise<PlaneStage> {
  const runs = alignRuns(given);
  const resolved = resolveAnalyzeOptions(options);
  return pcaStage(atLeastOneRun(runs), linearAlgebra, resultFiles(runs, options.directory), resolved);
}
