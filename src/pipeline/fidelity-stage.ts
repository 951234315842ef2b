import pick from "lodash/pick.js";
import type { LossEvaluator } from "../model/loss-evaluator.js";
import type { Provenance } from "../store/provenance.js";
import type { Run } from "../store/run.js";
import { curvePointTiles } from "../store/surface-journal.js";
import { readTrajectory, writeTrajectory } from "../store/trajectory-file.js";
import { evaluateFidelity } from "../trajectory/fidelity.js";
import type { Trajectory } from "../trajectory/trajectory.js";
import type { ResolvedAnalyzeOptions } from "./analyze-options.js";
import { engineFact } from "./engine-fact.js";
import type { PlaneStage } from "./pca-stage.js";
import type { ResultFiles } from "./result-files.js";
import { computeResumably } from "./resumable.js";

/**
 * Evaluates, or reads where they are up to date, the true and plane losses along each run's path. One that was
 * interrupted goes on.
 */
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
    const compute = () =>
      computeResumably(
        {
          what: "path",
          file,
          provenance,
          engines: [evaluator.engine],
          metrics: evaluator.metricNames,
          codec: curvePointTiles,
          compute: (known, onPoint) =>
            evaluateFidelity(
              plane.trajectories[index] as Trajectory,
              plane.directions,
              evaluator,
              (step) => run.readTheta(step),
              {
                ...pick(options, ["signal"]),
                known,
                onPoint: (point) => onPoint({ ...point, curve: 0 }),
                onProgress: (done) => options.onProgress?.("fidelity", start + done, total),
              },
            ),
          isPartial: () => false,
          write: (trajectory) => writeTrajectory(file, trajectory, provenance),
        },
        pick(options, ["force", "resume"]),
      );
    trajectories.push(stored ?? (await compute()));
    before += 2 * run.snapshots.length;
  }
  return trajectories;
}

function fidelityProvenance(
  run: string,
  plane: PlaneStage,
  evaluator: LossEvaluator,
  { weights }: ResolvedAnalyzeOptions,
): Provenance {
  const { lossMode, samples, dataDigest, modelDigest } = evaluator;
  return {
    kind: "fidelity",
    version: 1,
    options: { weights, loss: lossMode, samples, engine: engineFact(evaluator) },
    seed: null,
    inputs: { run, directions: plane.digest, data: dataDigest, model: modelDigest },
    chosen: { engine: { ...evaluator.engine } },
  };
}
