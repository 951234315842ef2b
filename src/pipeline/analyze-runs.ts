import pick from "lodash/pick.js";
import type { Directions } from "../directions/directions.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import type { LossEvaluator } from "../model/loss-evaluator.js";
import { createTrajectoryFigure } from "../report/create-trajectory-figure.js";
import type { TrajectoryFigure } from "../report/figure.js";
import { runSettings } from "../report/run-settings.js";
import type { Run } from "../store/run.js";
import type { Surface } from "../surface/surface.js";
import type { Trajectory } from "../trajectory/trajectory.js";
import type { LandscapeWarning } from "../warning.js";
import { type AnalyzeOptions, resolveAnalyzeOptions } from "./analyze-options.js";
import { atLeastOneRun } from "./at-least-one-run.js";
import { fidelityStage } from "./fidelity-stage.js";
import { pcaStage } from "./pca-stage.js";
import { resultFiles } from "./result-files.js";
import { surfaceStage } from "./surface-stage.js";

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
  readonly figure: TrajectoryFigure;
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
  runs: readonly Run[],
  tools: AnalysisTools,
  options: AnalyzeOptions = {},
): Promise<RunsAnalysis> {
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
  const warnings = [runs, [tools.evaluator], [plane.directions], [surface], trajectories]
    .flat()
    .flatMap((part) => part.warnings ?? []);
  return { runs, directions: plane.directions, trajectories, surface, figure, warnings };
}

function titleOf(runs: readonly Run[]): string {
  return runs.map((run) => run.manifest.name).join(" and ");
}
