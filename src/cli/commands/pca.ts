import type { Command } from "commander";
import { analyzePlane } from "../../analysis/analyze-runs.js";
import type { BackendChoice } from "../../backend/current-backend.js";
import { createLinearAlgebra } from "../../backend/linear-algebra/create-linear-algebra.js";
import { toRows } from "../../base/json.js";
import type { Trajectory } from "../../directions/project.js";
import { openRun } from "../../store/run/open-run.js";
import { backendOption, defined, planeOptions } from "../command-options.js";
import { startBackend } from "../open-evaluator.js";
import type { Output } from "../output.js";
import { analysisProgress, createOutput, shortened } from "../output.js";

/** Options of the commands that work on a PCA plane. */
export interface PlaneCommandOptions {
  readonly center?: "mean" | "final";
  readonly components?: readonly [number, number];
  readonly weights?: "trainable" | "all";
  readonly force?: boolean;
  readonly backend?: BackendChoice;
}

/** `pca RUN`: principal components of the trajectory and the path on them. */
export async function pca(directory: string, options: PlaneCommandOptions, output: Output): Promise<void> {
  const run = await openRun(directory);
  await startBackend(options.backend, output);
  const { center, components, weights, force } = options;
  const { onProgress, stop } = analysisProgress(output);
  const { directions, trajectories } = await analyzePlane(
    [run],
    createLinearAlgebra(),
    defined({ center, components, weights, force, onProgress }),
  ).finally(stop);
  const [trajectory] = trajectories as [Trajectory];
  output.warn([...run.warnings, ...directions.warnings, ...trajectory.warnings]);
  output.result({
    explainedVarianceRatio: directions.explainedVarianceRatio,
    randomWalkBaseline: directions.randomWalkBaseline,
    coordinates: toRows(trajectory.coordinates, run.snapshots.length),
    inPlaneShare: trajectory.inPlaneShare,
  });
  for (const [index, label] of directions.labels.entries()) {
    const observed = percent(directions.explainedVarianceRatio?.[index]);
    const walk = percent(directions.randomWalkBaseline?.[index]);
    output.print(`${label}: ${observed} of the variance (random walk: ${walk})`);
  }
  const path = run.snapshots.map(({ epoch }, index) => {
    const [x, y] = trajectory.coordinates.subarray(2 * index);
    const share = percent(trajectory.inPlaneShare[index]);
    return `epoch ${epoch}: (${x?.toFixed(4)}, ${y?.toFixed(4)}), in-plane share ${share}`;
  });
  for (const line of shortened(path)) output.print(line);
}

function percent(share: number | undefined): string {
  return share === undefined ? "–" : `${(100 * share).toFixed(1)} %`;
}

/** Declares the arguments and options of `pca`. */
export function declarePca(command: Command): void {
  planeOptions(command)
    .argument("<run>", "run directory")
    .addOption(backendOption())
    .action((run, options) => pca(run, options, createOutput(options.json)));
}
