import type { StepAngles } from "../trajectory/step-angles.js";
import { float64Column, readArtifact, writeArtifact } from "./artifact-file.js";
import type { Provenance } from "./provenance.js";
import type { SnapshotInfo } from "./run.js";

/**
 * Writes the angles of a path's steps as an Arrow file: a row for each step, with step, epoch and iteration of the
 * snapshot in which it ends.
 *
 * @param snapshots - of the whole path, one more than there are steps.
 */
export async function writeStepAngles(
  file: string,
  { degrees, inPlaneStep, gradientNorm }: StepAngles,
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
 */
export async function readStepAngles(file: string, expected?: Provenance): Promise<StepAngles | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const values = (name: string) => float64Column(file, artifact, name);
  return {
    degrees: values("degrees"),
    inPlaneStep: values("inPlaneStep"),
    gradientNorm: values("gradientNorm"),
  };
}
