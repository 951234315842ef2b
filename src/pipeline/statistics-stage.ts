import { join } from "node:path";
import type { Provenance } from "../store/provenance.js";
import type { Run } from "../store/run.js";
import { readWeightStatistics, writeWeightStatistics } from "../store/weights-file.js";
import { type WeightStatistics, weightStatistics } from "../weights/weight-statistics.js";

/** Options of {@link statisticsStage}. */
export interface StatisticsOptions {
  /** Computes everything again. Default false. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
  /** Called after each snapshot with the snapshots done and all of its run. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Computes weight statistics of a run, or reads them from `weights/statistics.arrow` where they are up to date. */
export async function statisticsStage(run: Run, options: StatisticsOptions): Promise<WeightStatistics> {
  const known = options.force ? null : await storedStatistics(run);
  if (known !== null) return known;
  const { signal, onProgress } = options;
  const found = await weightStatistics(
    { layout: run.layout, count: run.snapshots.length, readTheta: (index) => run.readTheta(index) },
    { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) },
  );
  await writeWeightStatistics(fileOf(run), found, run.snapshots, await provenanceOf(run));
  return found;
}

/** Reads the statistics of a run as it is; null where none are stored. */
export async function storedStatistics(run: Run): Promise<WeightStatistics | null> {
  return readWeightStatistics(fileOf(run), await provenanceOf(run));
}

function fileOf(run: Run): string {
  return join(run.directory, "weights", "statistics.arrow");
}

async function provenanceOf(run: Run): Promise<Provenance> {
  return {
    kind: "weight-statistics",
    version: 1,
    options: { snapshots: run.snapshots.map(({ step, epoch, iteration }) => [step, epoch, iteration]) },
    seed: null,
    inputs: { run: await run.digest() },
  };
}
