import type { LossEvaluator } from "../model/loss-evaluator.js";
import type { Provenance } from "../store/provenance.js";
import type { Run } from "../store/run.js";
import { readTrajectory, writeTrajectory } from "../store/trajectory-file.js";
import { evaluateFidelity } from "../trajectory/fidelity.js";
import type { Trajectory } from "../trajectory/trajectory.js";
import type { ResolvedAnalyzeOptions } from "./analyze-options.js";
import type { PlaneStage } from "./pca-stage.js";
import type { ResultFiles } from "./result-files.js";

/** Evaluates, or reads where they are up to date, the true and plane losses along each run's path. */
export async function fidelityStage(
  runs: readonly Run[],
  plane: PlaneStage,
  evaluator: LossEvaluator,
  files: ResultFiles,
  options: ResolvedAnalyzeOptions,
): Promise<Trajectory[]> {
  const total = runs.reduce((sum, run) => sum + 2 * run.snapshots.length, 0);
  const trajectories: Trajectory[] = [];
  let before = 0;
  for (const [index, run] of runs.entries()) {
    const file = files.fidelity[index] as string;
    const provenance = fidelityProvenance(await run.digest(), plane, evaluator, options);
    const stored = options.force ? null : await readTrajectory(file, provenance);
    const start = before;
    const trajectory =
      stored ??
      (await evaluateFidelity(
        plane.trajectories[index] as Trajectory,
        plane.directions,
        evaluator,
        (step) => run.readTheta(step),
        {
          ...(options.signal === undefined ? {} : { signal: options.signal }),
          onProgress: (done) => options.onProgress?.("fidelity", start + done, total),
        },
      ));
    if (stored === null) await writeTrajectory(file, trajectory, provenance);
    trajectories.push(trajectory);
    before += 2 * run.snapshots.length;
  }
  return trajectories;
}

function fidelityProvenance(
  run: string,
  plane: PlaneStage,
  { lossMode, samples, dataDigest, modelDigest }: LossEvaluator,
  { weights }: ResolvedAnalyzeOptions,
): Provenance {
  return {
    kind: "fidelity",
    version: 1,
    options: { weights, loss: lossMode, samples },
    seed: null,
    inputs: { run, directions: plane.digest, data: dataDigest, model: modelDigest },
  };
}
