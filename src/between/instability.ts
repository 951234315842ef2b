import type * as tf from "@tensorflow/tfjs";
import { InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Followed } from "../base/work.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import { hasStatistics } from "../loss/slice-loss.js";
import type { Run } from "../store/run/run.js";
import type { EvaluationSet } from "../surface/lines/level-set-width.js";
import { type ContinuationOptions, openContinuation } from "../training/continue-training.js";
import { barriersOf, type PathBarrier } from "./barrier.js";
import { evaluatePath, linePath, type PathLosses, type PathPolicy } from "./path-losses.js";

/** Options of {@link instabilityAnalysis}; progress counts forks. */
export interface InstabilityOptions extends ContinuationOptions, Followed {
  /** Steps of the snapshots that runs are forked from. Default all. */
  readonly steps?: readonly number[] | undefined;
  /** Epochs at which both forks end, counted from the start of the run. Default those of the run. */
  readonly epochs?: number | undefined;
  /** Seeds of the two orders of the samples. Default 0 and 1. */
  readonly seeds?: readonly [number, number] | undefined;
  /** Points of each line. Default 25. */
  readonly points?: number | undefined;
}

/** Two trainings from one snapshot, and the line between their ends. */
export interface Fork {
  readonly step: number;
  /** Epochs of the run before the fork. */
  readonly epoch: number;
  /** Epochs that each fork was trained. */
  readonly epochs: number;
  /** ‖θ_1 − θ_2‖ of the ends, over all weights. */
  readonly distance: number;
  readonly path: PathLosses;
  readonly barriers: readonly PathBarrier[];
}

/** Barriers between two trainings against the snapshot that they were forked from. */
export interface Instability {
  readonly forks: readonly Fork[];
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Forks two trainings from each of some snapshots of a run, with the samples in different orders, and evaluates the line
 * between their ends: from the step on at which the barrier (above the mean) vanishes, training is stable to the noise of
 * SGD. Batch norm's statistics are interpolated.
 *
 * The optimizer starts anew at the fork, with the settings given here: snapshots hold no moments. With Adam or momentum
 * the first updates of a fork therefore differ from those of the run.
 * Cost: two trainings to the end for each snapshot.
 *
 * @param run - the run that is forked; its layout is the model's.
 * @param model - its architecture, compiled.
 * @param data - the training set.
 * @param sets - evaluation sets, the training set first.
 * @throws {@link InvalidOptionError} for steps that the run does not have, or seeds that are equal; as
 * `openContinuation` and {@link evaluatePath}.
 * @see Frankle, Dziugaite, Roy and Carbin 2020, section 2.
 * @example
 * const { forks } = await instabilityAnalysis(run, model, { xs, ys }, sets, { steps: [0, 2, 8], optimizer: "sgd" });
 * console.log(forks.map(({ step, barriers }) => [step, barriers[0].loss.aboveMean]));
 */
export async function instabilityAnalysis(
  run: Run,
  model: tf.LayersModel,
  data: EvaluationData,
  sets: readonly EvaluationSet[],
  options: InstabilityOptions = {},
): Promise<Instability> {
  const { snapshots } = run;
  const { steps = snapshots.map(({ step }) => step), seeds = [0, 1], points, signal, onProgress } = options;
  const { epochs = snapshots.at(-1)?.epoch ?? 0 } = options;
  if (seeds[0] === seeds[1]) throw new InvalidOptionError("seeds", "two seeds that differ", String(seeds));
  const origins = steps.map((step) => {
    const index = snapshots.findIndex((snapshot) => snapshot.step === step);
    const snapshot = snapshots[index];
    if (snapshot === undefined) {
      const known = `steps of the run, 0 to ${snapshots.at(-1)?.step}`;
      throw new InvalidOptionError("steps", known, String(step));
    }
    if (!(epochs >= snapshot.epoch)) {
      throw new InvalidOptionError(
        "epochs",
        `at least ${snapshot.epoch}, those of step ${step}`,
        String(epochs),
      );
    }
    return { index, step, epoch: snapshot.epoch };
  });
  const policy: Exclude<PathPolicy, "repair"> = hasStatistics(run.layout) ? "interpolate" : "none";
  const continuation = await openContinuation(model, data, options);
  try {
    const forks: Fork[] = [];
    for (const { index, step, epoch } of origins) {
      const theta = await run.readTheta(index);
      const how = { epochs: epochs - epoch, signal };
      const first = await continuation.train(theta, { ...how, seed: seeds[0] });
      const second = await continuation.train(theta, { ...how, seed: seeds[1] });
      const path = await evaluatePath("line", linePath(first, second), sets, policy, { points, signal });
      const distance = path.arcLength[path.arcLength.length - 1];
      forks.push({ step, epoch, epochs: how.epochs, distance, path, barriers: barriersOf(path) });
      onProgress?.(forks.length, origins.length);
    }
    return { forks, warnings: continuation.warnings };
  } finally {
    continuation.dispose();
  }
}
