import { join } from "node:path";
import pick from "lodash/pick.js";
import type { LinearAlgebra } from "../../math/linear-algebra.js";
import { axisFromRange } from "../../surface/grid.js";
import type { Grid, Surface } from "../../surface/surface.js";
import { type ResolvedAnalyzeOptions, resolveAnalyzeOptions } from "../analyze-options.js";
import { surfaceStage } from "../analyze-runs.js";
import { type PlaneStage, pcaStage } from "../pca-stage.js";
import { resultFiles } from "../slice-options.js";
import type { OpenedRun } from "./compare-evaluators.js";
import type { CompareRunsOptions, CompareStep } from "./compare-options.js";

/** One run's plane and the loss on it. */
export interface RunPlane extends PlaneStage {
  readonly surface: Surface;
}

/**
 * Computes, or reads where they are up to date, each run's own PCA plane and the loss on it, over windows of the
 * same size: what covers the longest path along either axis, around the middle of each path.
 *
 * Results are stored under `directory`, a folder a run; the run's own are read where they are what is needed.
 */
export async function comparedPlanes(
  runs: readonly OpenedRun[],
  linearAlgebra: LinearAlgebra,
  options: CompareRunsOptions,
): Promise<RunPlane[]> {
  const { directory } = options;
  const places = runs.map(({ run }, index) => ({
    ...resultFiles([run], join(directory, "runs", String(index))),
    elsewhere: resultFiles([run]),
  }));
  const planes: PlaneStage[] = [];
  for (const [index, { run }] of runs.entries()) {
    const settings = planeOptions(options, (done, total) => options.onProgress?.("directions", done, total));
    planes.push(await pcaStage([run], linearAlgebra, places[index] as (typeof places)[number], settings));
  }
  const resolved = planeOptions(options);
  const windows = windowsAround(planes, resolved);
  const found: RunPlane[] = [];
  for (const [index, plane] of planes.entries()) {
    const [train] = (runs[index] as OpenedRun).sets;
    const grid = windows[index] as Grid;
    const settings = planeOptions(options, (done, total) =>
      options.onProgress?.("planes", index * total + done, runs.length * total),
    );
    const files = places[index] as (typeof places)[number];
    const { surface } = await surfaceStage(plane, train.evaluator, files, settings, grid);
    found.push({ ...plane, surface });
  }
  return found;
}

function planeOptions(
  options: CompareRunsOptions,
  onProgress?: (done: number, total: number) => void,
): ResolvedAnalyzeOptions {
  return resolveAnalyzeOptions({
    ...sharedOptions(options),
    ...(onProgress === undefined
      ? {}
      : { onProgress: (_step: CompareStep, done, total) => onProgress(done, total) }),
  });
}

/** The options that the planes of a comparison have in common. */
export function sharedOptions(options: CompareRunsOptions) {
  const given = pick(options, [
    "center",
    "components",
    "weights",
    "points",
    "margin",
    "force",
    "signal",
    "dataName",
  ]);
  return { ...given, lossName: "training loss" };
}

/**
 * Grids of one size around several paths, with 0 among the coordinates where the path stays covered.
 */
function windowsAround(planes: readonly PlaneStage[], { points, margin }: ResolvedAnalyzeOptions): Grid[] {
  const boxes = planes.map(({ trajectories }) =>
    [0, 1].map((axis) => {
      const values = trajectories.flatMap(({ coordinates }) =>
        Array.from(coordinates).filter((_, i) => i % 2 === axis),
      );
      return { low: Math.min(...values), high: Math.max(...values) };
    }),
  );
  const largest = [0, 1].map((axis) =>
    Math.max(...boxes.map((box) => (box[axis] as Interval).high - (box[axis] as Interval).low)),
  );
  // A path that is straight to rounding has no second extent: half the first one shows the ground beside it.
  const extents = largest.map((extent, axis) => Math.max(extent, 0.1 * (largest[1 - axis] as number)) || 1);
  return boxes.map((box) => {
    const [alpha, beta] = [0, 1].map((axis) =>
      windowAxis(box[axis] as Interval, (extents[axis] as number) * (1 + 2 * margin), points[axis] as number),
    );
    return { alpha: alpha as Float64Array, beta: beta as Float64Array };
  });
}

interface Interval {
  readonly low: number;
  readonly high: number;
}

function windowAxis({ low, high }: Interval, extent: number, points: number): Float64Array {
  const from = (low + high - extent) / 2;
  const step = extent / (points - 1);
  const shifted = Math.round(from / step) * step;
  const start = shifted <= low && shifted + extent >= high ? shifted : from;
  return axisFromRange("window", { from: start, to: start + extent, points });
}
