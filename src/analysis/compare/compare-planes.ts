import { join } from "node:path";
import pick from "lodash/pick.js";
import type { LinearAlgebra } from "../../math/linear-algebra.js";
import { axisOfGrid } from "../../surface/grid.js";
import type { Grid, Surface } from "../../surface/surface.js";
import { evaluatePlane } from "../analyze-plane.js";
import { resolveGrid } from "../options.js";
import type { PcaPlaneOptions } from "../plane-directions.js";
import { type OpenedPlane, openPlane } from "../plane-spec.js";
import type { CompareRunsOptions, OpenedRun } from "./compare-options.js";

/** One run's plane and the loss on it. */
export interface RunPlane extends Pick<OpenedPlane, "paths"> {
  readonly directions: NonNullable<OpenedPlane["directions"]>;
  readonly surface: Surface;
}

/**
 * Computes, or reads if they are current, each run's own PCA plane and the loss on it, over windows of the same
 * size: what covers the longest path along either axis, around the middle of each path.
 *
 * Results are stored under `directory`, one folder per run; the run's own are read if they are what is needed.
 */
export async function comparedPlanes(
  runs: readonly OpenedRun[],
  linearAlgebra: LinearAlgebra,
  options: CompareRunsOptions,
): Promise<RunPlane[]> {
  const { directory, onProgress, signal, force, batchNorm } = options;
  const places = runs.map(({ run }, index) => ({
    directory: join(directory, "runs", String(index)),
    elsewhere: [run.directory],
  }));
  const planes: OpenedPlane[] = [];
  for (const [index, { run }] of runs.entries()) {
    planes.push(
      await openPlane([run], pcaSpec(options), {
        ...(places[index] as (typeof places)[number]),
        ...pick(options, ["from", "until", "signal", "force"]),
        linearAlgebra,
        onProgress: (_, done, total) => onProgress?.("directions", done, total),
      }),
    );
  }
  const windows = windowsAround(planes, options);
  const found: RunPlane[] = [];
  for (const [index, plane] of planes.entries()) {
    const [train] = (runs[index] as OpenedRun).sets;
    const analysis = await evaluatePlane(plane, windows[index] as Grid, {
      ...(places[index] as (typeof places)[number]),
      sets: [train],
      batchNorm,
      force,
      signal,
      figure: { names: namesOf(options) },
      withPaths: false,
      onProgress: (_, done, total) => onProgress?.("planes", index * total + done, runs.length * total),
    });
    const { directions, surfaces } = analysis;
    const surface = surfaces[0]?.surface as Surface;
    found.push({ directions: directions as RunPlane["directions"], paths: plane.paths, surface });
  }
  return found;
}

/** The plane of each run, and of all together. */
export function pcaSpec(options: PcaPlaneOptions) {
  return { kind: "pca", ...pick(options, ["centering", "components", "weights"]) } as const;
}

/** Names for the captions of the planes. */
export function namesOf({ names }: CompareRunsOptions) {
  return { data: names?.data, loss: names?.loss ?? "training loss" };
}

/**
 * Grids of one size around several paths, with 0 among the coordinates where the path stays covered.
 */
function windowsAround(planes: readonly OpenedPlane[], options: CompareRunsOptions): Grid[] {
  const { size, margin } = resolveGrid(pick(options, ["size", "margin"]));
  const boxes = planes.map(({ paths }) =>
    [0, 1].map((axis) => {
      const values = paths.flatMap(({ coordinates }) =>
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
      windowAxis(box[axis] as Interval, (extents[axis] as number) * (1 + 2 * margin), size[axis] as number),
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
  return axisOfGrid("window", { from: start, to: start + extent, size: points });
}
