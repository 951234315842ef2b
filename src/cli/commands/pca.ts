import type { Command } from "commander";
import { analyzePlane } from "../../analysis/analyze-plane.js";
import { openSubject } from "../../analysis/model-point.js";
import type { BackendChoice } from "../../backend/current-backend.js";
import { toRows } from "../../base/json.js";
import type { Directions } from "../../directions/directions.js";
import type { Trajectory } from "../../directions/project.js";
import type { Run } from "../../store/run/run.js";
import {
  backendOption,
  parseCount,
  planeOptions,
  type StepCommandOptions,
  stepOptions,
} from "../command-options.js";
import { startBackend } from "../open-evaluator.js";
import { analysisProgress, createOutput, type Output, shortened } from "../output.js";

/** Options of the commands that work on a PCA plane. */
export interface PlaneCommandOptions extends StepCommandOptions {
  readonly centering?: "mean" | "final";
  readonly components?: readonly [number, number];
  readonly weights?: "trainable" | "all";
  readonly force?: boolean;
  readonly backend?: BackendChoice;
}

/** `pca RUN`: principal components of the trajectory and the path on them. */
export async function pca(
  reference: string,
  options: PlaneCommandOptions & { readonly seed?: number },
  output: Output,
): Promise<void> {
  const subject = await openSubject(reference);
  await startBackend(options.backend, output);
  const { centering, components, weights, seed, force, from, until } = options;
  const { onProgress, stop } = analysisProgress(output);
  const spec = { kind: "pca", centering, components, weights, seed } as const;
  const analysis = await analyzePlane([subject], spec, { force, from, until, onProgress }).finally(stop);
  const [trajectory] = analysis.trajectories as [Trajectory];
  const [run] = analysis.runs as [Run];
  const directions = analysis.directions as Directions;
  output.warn([...analysis.warnings, ...trajectory.warnings]);
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
  stepOptions(planeOptions(command))
    .argument("<run>", "run directory, or RUN@A..B for a part of it")
    .option("--seed <n>", "seed of a random second direction (default: 0)", parseCount("--seed", 0))
    .addOption(backendOption())
    .action((run, options) => pca(run, options, createOutput(options)));
}
