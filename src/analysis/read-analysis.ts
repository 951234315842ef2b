import isEqual from "lodash/isEqual.js";
import pick from "lodash/pick.js";
import { RunStateError } from "../base/errors.js";
import { type Provenance, provenanceDigest } from "../base/provenance.js";
import { createTrajectoryFigure } from "../figure/make/create-trajectory-figure.js";
import { runSettings } from "../figure/make/run-settings.js";
import { readDirections } from "../store/kinds/directions-file.js";
import { readSurface } from "../store/kinds/surface-file.js";
import { readTrajectory } from "../store/kinds/trajectory-file.js";
import { readArtifact } from "../store/results/artifact.js";
import type { Run } from "../store/run/run.js";
import type { RunsAnalysis } from "./analyze-runs.js";
import { latestSurfaceFile } from "./approximate-stage.js";
import { resultFiles } from "./slice-options.js";

/**
 * Reads what {@link analyzeRuns} stored for one run and makes its figure again; computes nothing. Of
 * an exact and an approximate surface the one that was stored last is shown.
 *
 * @param title - default the run's name.
 * @throws {@link RunStateError} if there is no complete analysis, or one of other snapshots than the run
 * holds now.
 * @throws {@link FormatError} if a file is damaged.
 */
export async function readAnalysis(run: Run, title: string = run.manifest.name): Promise<RunsAnalysis> {
  const files = resultFiles([run]);
  const fidelityFile = files.fidelity[0] as string;
  const surfaceFile = await latestSurfaceFile(files.surface);
  const made = {
    directions: await provenanceOf(files.directions, run),
    fidelity: await provenanceOf(fidelityFile, run),
    surface: await provenanceOf(surfaceFile, run),
  };
  await assertCurrent(run, made);
  const directions = await readDirections(files.directions);
  const surface = await readSurface(surfaceFile);
  const trajectory = await readTrajectory(fidelityFile);
  if (directions === null || surface === null || trajectory === null) throw missing(run, "none");
  const { dataName, lossName } = made.surface.options;
  const figure = createTrajectoryFigure({
    title,
    surface,
    axes: directions,
    paths: [{ name: run.manifest.name, snapshots: run.snapshots, settings: runSettings(run), trajectory }],
    ...(typeof dataName === "string" ? { dataName } : {}),
    ...(typeof lossName === "string" ? { lossName } : {}),
  });
  const warnings = [run, directions, surface, trajectory].flatMap((part) => part.warnings);
  return { runs: [run], directions, trajectories: [trajectory], surface, figure, warnings };
}

async function provenanceOf(file: string, run: Run): Promise<Provenance> {
  const artifact = await readArtifact(file);
  if (artifact === null) throw missing(run, `no ${file}`);
  return artifact.provenance;
}

/** What makes two losses the same: mode, number of samples, data and model. */
const LOSS_FACTS = ["loss", "samples", "data", "model"];

/** Every part must come from the snapshots that the run holds now, and from the same plane. */
async function assertCurrent(
  run: Run,
  { directions, fidelity, surface }: Readonly<Record<"directions" | "fidelity" | "surface", Provenance>>,
): Promise<void> {
  const digest = await run.digest();
  const plane = provenanceDigest(directions);
  if (directions.inputs.run0 !== digest || fidelity.inputs.run !== digest) {
    throw missing(run, "one of other snapshots");
  }
  if (fidelity.inputs.directions !== plane || surface.inputs.directions !== plane) {
    throw missing(run, "a surface of another plane");
  }
  const sameLoss = isEqual(
    pick({ ...fidelity.options, ...fidelity.inputs }, LOSS_FACTS),
    pick({ ...surface.options, ...surface.inputs }, LOSS_FACTS),
  );
  if (!sameLoss) throw missing(run, "a surface and a path of different losses or data");
}

function missing(run: Run, got: string): RunStateError {
  return new RunStateError(run.directory, "a stored analysis of the run as it is", got, {
    hint: `compute it with: tfjs-landscape surface ${run.directory} --data MODULE`,
  });
}
