import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import { type Provenance, provenanceDigest } from "../base/provenance.js";
import { embedDirections, restrictDirections } from "../directions/column-selection.js";
import type { Directions } from "../directions/directions.js";
import { pcaDirections } from "../directions/pca.js";
import type { Trajectory } from "../directions/project.js";
import { projectTrajectory } from "../directions/project.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { readDirections, writeDirections } from "../store/kinds/directions-file.js";
import { readTrajectory, writeTrajectory } from "../store/kinds/trajectory-file.js";
import { memo } from "../store/results/memo.js";
import type { Run } from "../store/run/run.js";
import type { ResolvedAnalyzeOptions } from "./analyze-options.js";
import { type RunRowSource, rowSourceOfRuns } from "./row-source.js";
import type { ResultFiles } from "./slice-options.js";

/** Directions of a plane and the paths on it. */
export interface PlaneStage {
  readonly directions: Directions;
  /** Coordinates of each run's path, in the order of the runs. */
  readonly trajectories: readonly Trajectory[];
  /** Identity of the directions, for the provenance of what is computed from them. */
  readonly digest: string;
}

/**
 * Computes, or reads where they are up to date, the PCA plane of one or more runs and their paths on
 * it. The plane passes through the final weights of the first run.
 */
export async function pcaStage(
  runs: readonly [Run, ...Run[]],
  linearAlgebra: LinearAlgebra,
  files: ResultFiles,
  options: ResolvedAnalyzeOptions,
): Promise<PlaneStage> {
  const provenance = await pcaProvenance(runs, linearAlgebra, options);
  const digest = provenanceDigest(provenance);
  const directions = await memo(
    {
      file: files.directions,
      elsewhere: files.elsewhere && [files.elsewhere.directions],
      provenance,
      read: readDirections,
      write: writeDirections,
      force: options.force,
    },
    () => computePca(runs, linearAlgebra, options),
  );
  const trajectories: Trajectory[] = [];
  for (const [index, run] of runs.entries()) {
    trajectories.push(await projectRun(run, index, directions, digest, files, options));
  }
  return { directions, trajectories, digest };
}

async function pcaProvenance(
  runs: readonly Run[],
  linearAlgebra: LinearAlgebra,
  { center, components, weights }: ResolvedAnalyzeOptions,
): Promise<Provenance> {
  const digests = await Promise.all(runs.map((run) => run.digest()));
  return {
    kind: "pca-directions",
    version: 1,
    options: { center, components, weights, linearAlgebra: linearAlgebra.name },
    seed: null,
    inputs: Object.fromEntries(digests.map((digest, index) => [`run${index}`, digest])),
  };
}

async function computePca(
  runs: readonly [Run, ...Run[]],
  linearAlgebra: LinearAlgebra,
  { center, components, weights, signal, onProgress }: ResolvedAnalyzeOptions,
): Promise<Directions> {
  const source = rowSourceOfRuns(runs, weights);
  checkComponents(runs, source.rows, components);
  const found = await pcaDirections(source, {
    centering: center,
    components,
    linearAlgebra,
    ...(signal === undefined ? {} : { signal }),
    onProgress: (done, total) => onProgress?.("directions", done, total),
  });
  const final = await runs[0].readTheta(runs[0].snapshots.length - 1);
  return embedDirections<Directions>(found, source.ranges, final);
}

/** N snapshots have N − 1 components. */
function checkComponents(runs: readonly Run[], rows: number, components: readonly [number, number]): void {
  const where = runs.map(({ directory }) => directory).join(", ");
  if (rows < 3) {
    throw new InvalidDataError(where, "at least 3 snapshots for a plane", String(rows), {
      hint: "train at least 2 epochs, or record more often",
    });
  }
  const largest = Math.max(...components) + 1;
  if (largest < rows) return;
  throw new InvalidOptionError(
    "components",
    `numbers up to ${rows - 1}, one less than snapshots`,
    String(largest),
  );
}

async function projectRun(
  run: Run,
  index: number,
  directions: Directions,
  digest: string,
  files: ResultFiles,
  { weights, signal, force }: ResolvedAnalyzeOptions,
): Promise<Trajectory> {
  const inputs = { run: await run.digest(), directions: digest };
  const provenance: Provenance = { kind: "trajectory", version: 1, options: { weights }, seed: null, inputs };
  const elsewhere = files.elsewhere?.trajectories[index];
  return memo(
    {
      file: files.trajectories[index] as string,
      elsewhere: elsewhere === undefined ? [] : [elsewhere],
      provenance,
      read: readTrajectory,
      write: writeTrajectory,
      force,
    },
    () => {
      const source: RunRowSource = rowSourceOfRuns([run], weights);
      const plane = restrictDirections(directions, source.ranges);
      return projectTrajectory(source, plane, signal === undefined ? {} : { signal });
    },
  );
}
