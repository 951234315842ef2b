import { z } from "zod";
import type { WeightStatistics } from "../weights/weight-statistics.js";
import type { ArtifactColumn } from "./artifact.js";
import { float64Column, parseDetails, readArtifact, writeArtifact } from "./artifact-file.js";
import type { Provenance } from "./provenance.js";
import type { SnapshotInfo } from "./run.js";

const detailsSchema = z.object({
  layers: z.array(z.string()),
  kernels: z.array(z.object({ name: z.string(), filters: z.int().nonnegative() })),
});

const totals = ["norm", "distance", "stepLength", "pathLength"] as const;
const filterColumns = ["mean", "least", "largest"] as const;

/**
 * Writes norms and distances of a run as an Arrow file: a row for each snapshot with step, epoch and
 * iteration, the totals, "norm:LAYER" and "filters:mean:KERNEL" (least, largest) as columns.
 */
export async function writeWeightStatistics(
  file: string,
  statistics: WeightStatistics,
  snapshots: readonly Pick<SnapshotInfo, "step" | "epoch" | "iteration">[],
  provenance: Provenance,
): Promise<void> {
  const count = (key: "step" | "epoch" | "iteration"): ArtifactColumn => ({
    values: Int32Array.from(snapshots, (snapshot) => snapshot[key]),
  });
  const columns: Record<string, ArtifactColumn> = {
    step: count("step"),
    epoch: count("epoch"),
    iteration: count("iteration"),
    ...Object.fromEntries(totals.map((name) => [name, { values: statistics[name] }])),
    ...Object.fromEntries(statistics.layers.map(({ name, norm }) => [`norm:${name}`, { values: norm }])),
    ...Object.fromEntries(
      statistics.kernels.flatMap((kernel) =>
        filterColumns.map((name) => [`filters:${name}:${kernel.name}`, { values: kernel[name] }]),
      ),
    ),
  };
  const details = {
    layers: statistics.layers.map(({ name }) => name),
    kernels: statistics.kernels.map(({ name, filters }) => ({ name, filters })),
  };
  await writeArtifact(file, { columns, details, provenance });
}

/**
 * Reads norms and distances back, bit for bit.
 *
 * @param expected - provenance that they must have. Default: any.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 */
export async function readWeightStatistics(
  file: string,
  expected?: Provenance,
): Promise<WeightStatistics | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const { layers, kernels } = parseDetails(file, artifact, detailsSchema);
  const values = (name: string) => float64Column(file, artifact, name);
  return {
    norm: values("norm"),
    distance: values("distance"),
    stepLength: values("stepLength"),
    pathLength: values("pathLength"),
    layers: layers.map((name) => ({ name, norm: values(`norm:${name}`) })),
    kernels: kernels.map(({ name, filters }) => ({
      name,
      filters,
      mean: values(`filters:mean:${name}`),
      least: values(`filters:least:${name}`),
      largest: values(`filters:largest:${name}`),
    })),
  };
}
