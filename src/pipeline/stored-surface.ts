import type { LossEvaluator } from "../model/loss-evaluator.js";
import type { Provenance } from "../store/provenance.js";
import { readSurface, writeSurface } from "../store/surface-file.js";
import { curvePointTiles } from "../store/surface-journal.js";
import { type EvaluateSurfaceOptions, evaluateSurface } from "../surface/evaluate-surface.js";
import type { SlicePoints } from "../surface/slice-map.js";
import type { Grid, Surface } from "../surface/surface.js";
import { computeResumably, type ResumeOptions } from "./resumable.js";

/** Options of {@link storedSurface}. */
export interface StoredSurfaceOptions
  extends ResumeOptions,
    Pick<EvaluateSurfaceOptions, "signal" | "onProgress" | "policy" | "budget"> {}

/**
 * Reads a surface where it is up to date, else evaluates it, or what is missing of it, and writes it.
 *
 * While it is evaluated its points are written tile by tile; one that is interrupted, or ends early, goes on
 * from them with the same bits.
 *
 * @throws `RunStateError` if an interrupted surface is to be resumed that is of something else.
 */
export async function storedSurface(
  file: string,
  provenance: Provenance,
  evaluator: LossEvaluator,
  points: SlicePoints,
  grid: Grid,
  { force = false, resume, ...options }: StoredSurfaceOptions,
): Promise<Surface> {
  const stored = force ? null : await readSurface(file, provenance);
  if (stored !== null && stored.partial === undefined) return stored;
  return computeResumably(
    {
      what: "surface",
      file,
      provenance,
      engines: [evaluator.engine],
      metrics: evaluator.metricNames,
      codec: curvePointTiles,
      compute: (known, onPoint) =>
        evaluateSurface(evaluator, points, grid, {
          ...options,
          known,
          onPoint: (point) => onPoint({ ...point, curve: 0 }),
        }),
      isPartial: ({ partial }) => partial !== undefined,
      write: (surface) => writeSurface(file, surface, provenance),
    },
    { force, ...(resume === undefined ? {} : { resume }) },
  );
}
