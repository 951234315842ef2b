import { z } from "zod";
import { FormatError } from "../../base/errors.js";
import type { Provenance } from "../../base/provenance.js";
import type { Predictions } from "../../loss/predictions.js";
import { column, parseDetails, readArtifact, writeArtifact } from "../results/artifact.js";
import type { SnapshotInfo } from "../run/run.js";

const detailsSchema = z.object({
  samples: z.int().positive(),
  classes: z.int().positive(),
  labels: z.array(z.int().nonnegative()),
  dataDigest: z.string(),
});

/**
 * Writes what the snapshots of a run predict on a probe set as an Arrow file: a row for each snapshot with step, epoch and
 * iteration, and `logProbability`, a list of samples × classes numbers. The labels stand in the details.
 */
export async function writePredictions(
  file: string,
  { samples, classes, labels, dataDigest, logProbabilities }: Predictions,
  snapshots: readonly Pick<SnapshotInfo, "step" | "epoch" | "iteration">[],
  provenance: Provenance,
): Promise<void> {
  const width = samples * classes;
  const values = new Float32Array(width * logProbabilities.length);
  logProbabilities.forEach((row, i) => {
    values.set(row, i * width);
  });
  const count = (key: "step" | "epoch" | "iteration") => ({
    values: Int32Array.from(snapshots, (snapshot) => snapshot[key]),
  });
  await writeArtifact(file, {
    columns: {
      step: count("step"),
      epoch: count("epoch"),
      iteration: count("iteration"),
      logProbability: { values, width },
    },
    details: { samples, classes, labels: Array.from(labels), dataDigest },
    provenance,
  });
}

/**
 * Reads what the snapshots of a run predict, bit for bit; null if there is no file or it is stale.
 *
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 */
export async function readPredictions(file: string, expected?: Provenance): Promise<Predictions | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const { labels, ...facts } = parseDetails(file, artifact, detailsSchema);
  const width = facts.samples * facts.classes;
  const { values, width: stored } = column(file, artifact, "logProbability");
  if (!(values instanceof Float32Array) || stored !== width) {
    throw new FormatError(`${file}: logProbability`, `lists of ${width} float32`, "another type");
  }
  return {
    ...facts,
    labels: Int32Array.from(labels),
    logProbabilities: Array.from({ length: values.length / width }, (_, i) =>
      values.subarray(i * width, (i + 1) * width),
    ),
  };
}
