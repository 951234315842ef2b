import type { LossEvaluator } from "../model/loss-evaluator.js";
import { type Provenance, provenanceDigest } from "../store/provenance.js";
import { readSurface } from "../store/surface-file.js";
import { createGrid } from "../surface/grid.js";
import { parseRange } from "../surface/range.js";
import type { Grid, Surface } from "../surface/surface.js";
import type { ResolvedAnalyzeOptions } from "./analyze-options.js";
import { approximateStage } from "./approximate-stage.js";
import { engineFact } from "./engine-fact.js";
import type { PlaneStage } from "./pca-stage.js";
import type { ResultFiles } from "./result-files.js";
import { storedSurface } from "./stored-surface.js";

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
  const { lossMode, metricNames, samples } = evaluator;
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
    inputs: { directions: plane.digest, data: evaluator.dataDigest, model: evaluator.modelDigest },
    chosen: { engine: { ...evaluator.engine } },
  };
}
