import { stat } from "node:fs/promises";
import { type Provenance, provenanceDigest } from "../base/provenance.js";
import type { SlicePoints } from "../directions/slice-map.js";
import type { BatchNormPolicyName } from "../loss/batch-norm-policy.js";
import type { LossEvaluator } from "../loss/loss-evaluator.js";
import { approximateFile, readSurface, writeSurface } from "../store/kinds/surface-file.js";
import { approximatedPointTiles } from "../store/kinds/surface-journal.js";
import { memoResumably } from "../store/results/memo.js";
import {
  type ApproximateOptions,
  approximateSurface,
  resolveApproximateOptions,
} from "../surface/approximate/approximate-surface.js";
import type { Grid, Surface } from "../surface/surface.js";

/** What an approximate surface is computed with, and what the exact one would be. */
export interface ApproximateStageParts {
  readonly evaluator: LossEvaluator;
  readonly points: SlicePoints;
  readonly grid: Grid;
  /** Where the exact surface would be stored, and its provenance. */
  readonly file: string;
  readonly provenance: Provenance;
  readonly approximate: ApproximateOptions;
  readonly force: boolean;
  /** As `AnalyzeOptions` has it. */
  readonly resume?: boolean | undefined;
  readonly batchNorm?: BatchNormPolicyName | undefined;
  readonly signal?: AbortSignal;
  /** Called with what is done and all that may be, in points of the exact surface. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Approximates a surface, or reads it where it is up to date. It has a file of its own beside the exact one's,
 * and its settings are in its provenance, so that neither is ever taken for the other. An exact surface that is
 * complete and up to date is returned instead. While it is computed its points are written tile by tile; one
 * that is interrupted goes on from them to the same surface, bit for bit.
 *
 * @throws `RunStateError` if an interrupted surface is to be resumed that is of something else.
 */
export async function approximateStage(
  parts: ApproximateStageParts,
): Promise<{ readonly surface: Surface; readonly digest: string }> {
  const { evaluator, points, grid, file, approximate, force, resume, batchNorm, signal, onProgress } = parts;
  const provenance = approximateProvenance(parts);
  const exact = force ? null : await readSurface(file, parts.provenance);
  if (exact !== null && exact.partial === undefined) {
    return { surface: exact, digest: provenanceDigest(parts.provenance) };
  }
  const digest = provenanceDigest(provenance);
  const { samples } = evaluator.facts;
  const surface = await memoResumably(
    {
      what: "surface",
      file: approximateFile(file),
      provenance,
      read: readSurface,
      write: writeSurface,
      engines: [evaluator.facts.engine],
      metrics: evaluator.facts.metricNames,
      tiles: approximatedPointTiles,
      isPartial: () => false,
      force,
      resume,
    },
    ({ known, onPoint }) =>
      approximateSurface(evaluator, points, grid, {
        ...approximate,
        batchNorm,
        ...(signal === undefined ? {} : { signal }),
        known,
        onPoint,
        onProgress: (spent, budget) => onProgress?.(Math.ceil(spent / samples), Math.ceil(budget / samples)),
      }),
  );
  return { surface, digest };
}

/** With the settings in effect: whether there is a subsample by default depends on the evaluator. */
function approximateProvenance({ evaluator, provenance, approximate }: ApproximateStageParts): Provenance {
  const isDivisible = evaluator.openSamples !== undefined;
  const settings = resolveApproximateOptions(approximate, evaluator.facts.samples, isDivisible);
  // Version 1 without a subsample stated bounds that too many points did not keep.
  const version = settings.subsample === 0 ? 2 : 1;
  return { ...provenance, options: { ...provenance.options, approximate: { ...settings, version } } };
}

/** The file of the surface that was stored last, the exact or the approximate one. */
export async function latestSurfaceFile(file: string): Promise<string> {
  const other = approximateFile(file);
  const [exact, approximate] = await Promise.all([timeOf(file), timeOf(other)]);
  return approximate > exact ? other : file;
}

async function timeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Number.NEGATIVE_INFINITY;
    throw error;
  }
}
