import { z } from "zod";
import { FormatError } from "../../base/errors.js";
import { jsonNumber, numberSchema, warningsSchema } from "../../base/json-schema.js";
import type { Provenance } from "../../base/provenance.js";
import type { PathStatistics } from "../../directions/path-statistics.js";
import {
  type Artifact,
  type ArtifactColumn,
  column,
  float64Column,
  int32Column,
  parseDetails,
  readArtifact,
  writeArtifact,
} from "../results/artifact.js";
import type { SnapshotInfo } from "../run/run.js";

const detailsSchema = z.object({
  origin: z.int().nonnegative(),
  weights: z.int().positive(),
  meanMap: numberSchema,
  walkMeanMap: numberSchema,
  directness: numberSchema,
  layers: z.array(z.object({ name: z.string(), weights: z.int().nonnegative() })),
  precision: z.string(),
  warnings: warningsSchema,
});

/** Matrices over pairs of snapshots: a list of N numbers in each row. */
const MATRICES = ["gram", "map", "updateCosines"] as const;
const VECTORS = ["stepLength", "distance"] as const;

/**
 * Writes the statistics of a path as an Arrow file: a row for each snapshot with step, epoch and iteration, lengths, the
 * rows of the trajectory map, of the cosines of updates and of their products as lists, and the autocorrelation whose
 * lag is the number of the row (NaN in the last).
 *
 * @example await writePathStatistics("statistics.arrow", shape, run.snapshots, provenance);
 */
export async function writePathStatistics(
  file: string,
  statistics: PathStatistics,
  snapshots: readonly Pick<SnapshotInfo, "step" | "epoch" | "iteration">[],
  provenance: Provenance,
): Promise<void> {
  const n = statistics.stepLength.length;
  const count = (key: "step" | "epoch" | "iteration"): ArtifactColumn => ({
    values: Int32Array.from(snapshots, (snapshot) => snapshot[key]),
  });
  const { origin, weights, meanMap, walkMeanMap, directness, layers, precision, warnings } = statistics;
  await writeArtifact(file, {
    columns: {
      step: count("step"),
      epoch: count("epoch"),
      iteration: count("iteration"),
      ...Object.fromEntries(VECTORS.map((name) => [name, { values: statistics[name] }])),
      autocorrelation: { values: Float64Array.from([...statistics.autocorrelation, Number.NaN]) },
      pairs: { values: Int32Array.from([...statistics.pairs, 0]) },
      ...Object.fromEntries(MATRICES.map((name) => [name, { values: statistics[name], width: n }])),
      ...Object.fromEntries(
        layers.flatMap(({ name, stepLength, distance }) => [
          [`stepLength:${name}`, { values: stepLength }],
          [`distance:${name}`, { values: distance }],
        ]),
      ),
    },
    details: {
      origin,
      weights,
      meanMap: jsonNumber(meanMap),
      walkMeanMap: jsonNumber(walkMeanMap),
      directness: jsonNumber(directness),
      layers: layers.map(({ name, weights: own }) => ({ name, weights: own })),
      precision,
      warnings: warnings.map(({ code, message }) => ({ code, message })),
    },
    provenance,
  });
}

/**
 * Reads the statistics of a path back, bit for bit.
 *
 * @param expected - provenance that they must have. Default: any.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 * @example const statistics = await readPathStatistics("runs/adam/path/statistics.arrow"); // null if there is no such file
 */
export async function readPathStatistics(
  file: string,
  expected?: Provenance,
): Promise<PathStatistics | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const { layers, ...facts } = parseDetails(file, artifact, detailsSchema);
  const values = (name: string) => float64Column(file, artifact, name);
  const n = values("stepLength").length;
  return {
    ...facts,
    gram: matrix(file, artifact, "gram", n),
    map: matrix(file, artifact, "map", n),
    updateCosines: matrix(file, artifact, "updateCosines", n),
    autocorrelation: values("autocorrelation").slice(0, -1),
    pairs: int32Column(file, artifact, "pairs").slice(0, -1),
    stepLength: values("stepLength"),
    distance: values("distance"),
    layers: layers.map(({ name, weights }) => ({
      name,
      weights,
      stepLength: values(`stepLength:${name}`),
      distance: values(`distance:${name}`),
    })),
  };
}

function matrix(file: string, artifact: Artifact, name: string, n: number): Float64Array {
  const { values, width } = column(file, artifact, name);
  if (values instanceof Float64Array && width === n) return values;
  throw new FormatError(`${file}: ${name}`, `lists of ${n} float64`, "another type");
}
