import { createHash } from "node:crypto";
import { join } from "node:path";
import { RunStateError } from "../errors.js";
import type { Provenance } from "../store/provenance.js";
import type { Run } from "../store/run.js";
import { readStepAngles, writeStepAngles } from "../store/step-angles-file.js";
import { type StepAngles, stepAngles } from "../trajectory/step-angles.js";
import type { Trajectory } from "../trajectory/trajectory.js";
import type { RunsAnalysis } from "./analyze-runs.js";
import { readAnalysis } from "./read-analysis.js";

/** Least number of points a side of a surface that has a slope of second order. */
const LEAST_POINTS = 3;

/**
 * Returns the angles of a run's steps on its own PCA plane, or null where no analysis of the run as it is now is
 * stored, its surface has fewer than 3 points a side, or there is no step.
 */
export async function planeAngles(run: Run): Promise<StepAngles | null> {
  const analysis = await storedAnalysis(run);
  return analysis === null ? null : anglesOf(analysis);
}

/** The same, and stores them as `weights/angles.arrow` where they are not there yet. */
export async function anglesStage(run: Run): Promise<StepAngles | null> {
  const analysis = await storedAnalysis(run);
  if (analysis === null) return null;
  const found = anglesOf(analysis);
  const file = join(run.directory, "weights", "angles.arrow");
  const provenance = await provenanceOf(run, analysis);
  if ((await readStepAngles(file, provenance)) === null) {
    await writeStepAngles(file, found, run.snapshots, provenance);
  }
  return found;
}

async function storedAnalysis(run: Run): Promise<RunsAnalysis | null> {
  if (run.snapshots.length < 2) return null;
  try {
    const analysis = await readAnalysis(run);
    const { alpha, beta } = analysis.surface;
    return Math.min(alpha.length, beta.length) < LEAST_POINTS ? null : analysis;
  } catch (error) {
    if (error instanceof RunStateError) return null;
    throw error;
  }
}

function anglesOf({ directions, surface, trajectories }: RunsAnalysis): StepAngles {
  return stepAngles(trajectories[0] as Trajectory, surface, directions);
}

async function provenanceOf(
  run: Run,
  { surface: { alpha, beta, loss }, directions, trajectories }: RunsAnalysis,
): Promise<Provenance> {
  return {
    kind: "step-angles",
    version: 1,
    options: {},
    seed: null,
    inputs: {
      run: await run.digest(),
      surface: digestOf([alpha, beta, loss]),
      directions: digestOf(directions.vectors.slice(0, 2)),
      trajectory: digestOf([(trajectories[0] as Trajectory).coordinates]),
    },
  };
}

/** sha-256 (hex) of numbers. */
function digestOf(arrays: readonly (Float32Array | Float64Array)[]): string {
  const hash = createHash("sha256");
  for (const { buffer, byteOffset, byteLength } of arrays) {
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest("hex");
}
