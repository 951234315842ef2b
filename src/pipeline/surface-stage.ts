import type { LossEvaluator } from "../model/loss-evaluator.js";
import { type Provenance, provenanceDigest } from "../store/provenance.js";
import { readSurface, writeSurface } from "../store/surface-file.js";
import { evaluateSurface } from "../surface/evaluate-surface.js";
import { createGrid } from "../surface/grid.js";
import { parseRange } from "../surface/range.js";
import type { Grid, Surface } from "../surface/surface.js";
import type { ResolvedAnalyzeOptions } from "./analyze-options.js";
import type { PlaneStage } from "./pca-stage.js";
import { type ResultFiles, readFirst } from "./result-files.js";

/** A surface and its identity. */
export interface SurfaceStage {
  readonly surface: Surface;
  readonly digest: string;
}

/**
 * Evaluates, or reads where it is up to date, the loss surface of a plane.
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
  const stored = options.force
    ? null
    : await readFirst(
        files,
        ({ surface }) => surface,
        (file) => readSurface(file, provenance),
      );
  if (stored !== null) return { surface: stored, digest };
  const surface = await evaluateSurface(evaluator, plane.directions, grid, {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    onProgress: (done, total) => options.onProgress?.("surface", done, total),
  });
  await writeSurface(files.surface, surface, provenance);
  return { surface, digest };
}

function gridAround(plane: PlaneStage, { range, points, margin }: ResolvedAnalyzeOptions): Grid {
  if (range !== undefined) return createGrid({ range: parseRange(range) });
  const coordinates = plane.trajectories.flatMap((trajectory) => Array.from(trajectory.coordinates));
  return createGrid({ coordinates: Float64Array.from(coordinates), points, margin });
}

/**
 * The engine does not enter: all engines give the same loss to rounding, the surface says which one gave
 * its values, and a choice by measuring must not make a stored surface stale.
 */
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
      dataName: dataName ?? null,
      lossName: lossName ?? null,
    },
    seed: null,
    inputs: { directions: plane.digest, data: evaluator.dataDigest, model: evaluator.modelDigest },
  };
}
