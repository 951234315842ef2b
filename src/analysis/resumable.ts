import type { JsonValue, Provenance } from "../base/provenance.js";
import type { SlicePoints } from "../directions/slice-map.js";
import type { LossEvaluator } from "../loss/loss-evaluator.js";
import { readSurface, writeSurface } from "../store/kinds/surface-file.js";
import { curvePointTiles } from "../store/kinds/surface-journal.js";
import { memoResumably } from "../store/results/memo.js";
import { type EvaluateSurfaceOptions, evaluateSurface } from "../surface/evaluate-surface.js";
import type { Grid, Surface } from "../surface/surface.js";

/** What becomes of stored and interrupted results. */
export interface ResumeOptions {
  /** Computes everything again. Default false. */
  readonly force?: boolean | undefined;
  /** As `AnalyzeOptions` has it. */
  readonly resume?: boolean | undefined;
}

/**
 * What a stored result is known by of its engine: what was asked for, so that values of "auto" are found again
 * whatever was chosen, and values of one engine are not taken for those of another that is asked for by name.
 */
export function engineFact({ facts: { request, engine } }: LossEvaluator): JsonValue {
  if (request !== undefined) return { ...request };
  const { name, batchSize, threads } = engine;
  return { engine: name, batchSize, threads };
}

/** Options of {@link storedSurface}. */
export interface StoredSurfaceOptions
  extends ResumeOptions,
    Pick<EvaluateSurfaceOptions, "signal" | "onProgress" | "batchNorm" | "budget"> {}

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
  { force, resume, ...options }: StoredSurfaceOptions,
): Promise<Surface> {
  return memoResumably(
    {
      what: "surface",
      file,
      provenance,
      read: readSurface,
      write: writeSurface,
      engines: [evaluator.facts.engine],
      metrics: evaluator.facts.metricNames,
      tiles: curvePointTiles,
      isPartial: ({ partial }) => partial !== undefined,
      force,
      resume,
    },
    ({ known, onPoint }) =>
      evaluateSurface(evaluator, points, grid, {
        ...options,
        known,
        onPoint: (point) => onPoint({ ...point, curve: 0 }),
      }),
  );
}
