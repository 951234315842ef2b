import { z } from "zod";
import type { Provenance } from "../../base/provenance.js";
import type { WeightHistograms, WeightStatistics } from "../../directions/weight-statistics.js";
import type { StepAngles } from "../../surface/step-angles.js";
import {
  type ArtifactColumn,
  float64Column,
  parseDetails,
  readArtifact,
  writeArtifact,
} from "../results/artifact.js";
import type { SnapshotInfo } from "../run/run.js";

const detailsSchema = z.object({
  layers: z.array(z.string()),
  kernels: z.array(z.object({ name: z.string(), filters: z.int().nonnegative() })),
});

const totals = ["norm", "distance", "stepLength", "pathLength"] as const;
const filterColumns = ["mean", "least", "largest"] as const;

/**
 * Writes norms and distances of a run as an Arrow file: a row for each snapshot with step, epoch and
 * iteration, the totals, "norm:LAYER" and "filters:mean:KERNEL" (least, largest) as columns.
 *
 * @example await writeWeightStatistics("statistics.arrow", statistics, run.snapshots, provenance);
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
 * @example const statistics = await readWeightStatistics("runs/adam/weights/statistics.arrow"); // null if there is no such file
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

const histogramDetailsSchema = z.object({
  weights: z.int().nonnegative(),
  solutions: z.array(z.object({ name: z.string(), outside: z.int().nonnegative() })),
});

/**
 * Writes histograms of weights as an Arrow file: a row for each bin with its edges `from` and `to`, and
 * "density:NUMBER" for each solution, whose names are in the details.
 *
 * @example await writeHistograms("histogram.arrow", histograms, provenance);
 */
export async function writeHistograms(
  file: string,
  { edges, histograms, weights }: WeightHistograms,
  provenance: Provenance,
): Promise<void> {
  await writeArtifact(file, {
    columns: {
      from: { values: edges.slice(0, -1) },
      to: { values: edges.slice(1) },
      ...Object.fromEntries(histograms.map(({ density }, i) => [`density:${i}`, { values: density }])),
    },
    details: { weights, solutions: histograms.map(({ name, outside }) => ({ name, outside })) },
    provenance,
  });
}

/**
 * Reads histograms back, bit for bit.
 *
 * @param expected - provenance that they must have. Default: any.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 * @example const histograms = await readHistograms("runs/adam/weights/histogram.arrow"); // null if there is no such file
 */
export async function readHistograms(file: string, expected?: Provenance): Promise<WeightHistograms | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const { weights, solutions } = parseDetails(file, artifact, histogramDetailsSchema);
  const values = (name: string) => float64Column(file, artifact, name);
  const [from, to] = [values("from"), values("to")];
  return {
    edges: Float64Array.of(...from, ...to.slice(-1)),
    weights,
    histograms: solutions.map(({ name, outside }, i) => ({ name, outside, density: values(`density:${i}`) })),
  };
}

/**
 * Writes the angles of a path's steps as an Arrow file: a row for each step, with step, epoch and iteration of the
 * snapshot in which it ends.
 *
 * @param snapshots - of the whole path, one more than there are steps.
 * @example await writeStepAngles("angles.arrow", angles, run.snapshots, provenance);
 */
export async function writeStepAngles(
  file: string,
  { degrees, error, inPlaneStep, gradientNorm }: StepAngles,
  snapshots: readonly Pick<SnapshotInfo, "step" | "epoch" | "iteration">[],
  provenance: Provenance,
): Promise<void> {
  const ends = snapshots.slice(1);
  const count = (key: "step" | "epoch" | "iteration") => ({
    values: Int32Array.from(ends, (snapshot) => snapshot[key]),
  });
  await writeArtifact(file, {
    columns: {
      step: count("step"),
      epoch: count("epoch"),
      iteration: count("iteration"),
      degrees: { values: degrees },
      ...(error === undefined ? {} : { error: { values: error } }),
      inPlaneStep: { values: inPlaneStep },
      gradientNorm: { values: gradientNorm },
    },
    details: null,
    provenance,
  });
}

/**
 * Reads the angles of a path's steps back, bit for bit.
 *
 * @param expected - provenance that they must have. Default: any.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 * @example const angles = await readStepAngles("runs/adam/weights/angles.arrow"); // null if there is no such file
 */
export async function readStepAngles(file: string, expected?: Provenance): Promise<StepAngles | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const values = (name: string) => float64Column(file, artifact, name);
  return {
    degrees: values("degrees"),
    ...(Object.hasOwn(artifact.columns, "error") ? { error: values("error") } : {}),
    inPlaneStep: values("inPlaneStep"),
    gradientNorm: values("gradientNorm"),
  };
}
