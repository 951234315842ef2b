import { InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Followed } from "../base/work.js";
import type { Directions } from "../directions/directions.js";
import type { Trajectory } from "../directions/project.js";
import { createPlanePoint } from "../directions/slice-map.js";
import type { LossEvaluator, LossValue } from "../loss/loss-evaluator.js";
import { type BatchNormPolicyName, openSlice } from "../loss/slice-loss.js";
import { runLanes } from "./evaluate-points.js";
import type { EvaluatedPoint } from "./surface.js";

/** Some snapshots of a path, and the words that name them. */
export interface SnapshotSubset {
  /** Positions, increasing; the first and the last are among them. */
  readonly positions: Int32Array;
  /** Says which they are; null where they are all. */
  readonly warning: LandscapeWarning | null;
}

/**
 * Chooses snapshots whose losses stand for a long path: all up to `most`, otherwise as many, evenly spaced, the
 * first and the last among them.
 *
 * @param count - snapshots of the path.
 * @param most - at least 2; infinity for all.
 */
export function chooseSnapshots(count: number, most: number): SnapshotSubset {
  const chosen = Math.min(count, Math.max(2, most));
  const spacing = chosen > 1 ? (count - 1) / (chosen - 1) : 0;
  const positions = Int32Array.from({ length: chosen }, (_, i) => Math.round(i * spacing));
  if (chosen === count) return { positions, warning: null };
  const message = `the loss of ${chosen} of ${count} snapshots is evaluated: every ${Number(spacing.toFixed(1))}th, the first and the last among them`;
  return { positions, warning: { code: "some-snapshots", message } };
}

/** Options of {@link evaluateFidelity}; progress counts evaluations. */
export interface FidelityOptions extends Followed {
  /**
   * What becomes of batch norm's statistics on the plane. With "recalibrate" each snapshot is also evaluated with
   * recalibrated statistics, so that the same networks are compared. Default: they move with the other weights.
   */
  readonly batchNorm?: BatchNormPolicyName | undefined;
  /**
   * Points evaluated earlier, which are not evaluated again: of N snapshots, 2·i is the snapshot at position i as it
   * was trained, 2·i + 1 the plane at its coordinates, 2·N + i the snapshot with recalibrated statistics. Default
   * none.
   */
  readonly known?: Iterable<EvaluatedPoint> | undefined;
  /** Snapshots to evaluate, see {@link chooseSnapshots}; the losses of the others are NaN. Default all. */
  readonly snapshots?: SnapshotSubset | undefined;
  /** Called with each point as it is evaluated; the work waits for its promise. */
  readonly onPoint?: ((point: EvaluatedPoint) => void | Promise<void>) | undefined;
}

/**
 * Returns the trajectory with, for each snapshot, its own loss and the loss of the plane at its coordinates.
 *
 * Both are means over the same data in evaluation mode. Where they differ, the contour drawn under a snapshot is not
 * the loss it had. `trueLoss` is that of all its own weights, batch-norm statistics included. Where the plane has
 * recalibrated statistics, `recalibratedLoss` is the snapshot's with statistics recalibrated in the same way: that is
 * what the plane is to be compared with. Losses that are not finite are kept so, with a warning.
 * Cost: 2·N evaluations (less one for a snapshot at θ*), 3·N with "recalibrate", as many at once as the evaluator
 * takes; two vectors of D numbers for each at a time.
 *
 * @param trajectory - coordinates of N snapshots about `directions.center`.
 * @param directions - θ* and k vectors in the full layout of θ (parameterCount).
 * @param readTheta - returns the whole θ (parameterCount) of the snapshot at a position.
 * @throws {@link InvalidOptionError} if trajectory, directions and evaluator are of different sizes.
 */
export async function evaluateFidelity(
  trajectory: Trajectory,
  directions: Pick<Directions, "center" | "vectors">,
  evaluator: LossEvaluator,
  readTheta: (index: number) => Promise<Float32Array>,
  options: FidelityOptions = {},
): Promise<Trajectory> {
  assertSizes(trajectory, directions, evaluator);
  const { batchNorm, signal, onProgress, onPoint, known = [] } = options;
  const isRecalibrated = batchNorm === "recalibrate";
  const { coordinates, dimensions } = trajectory;
  const all = trajectory.distance.length;
  const { positions, warning } = options.snapshots ?? chooseSnapshots(all, Number.POSITIVE_INFINITY);
  const n = positions.length;
  const total = (isRecalibrated ? 3 : 2) * n;
  const losses = new Map(Array.from(known, ({ index, value }) => [index, value.loss]));
  let done = 0;
  const lossAt = async (index: number, evaluate: () => Promise<LossValue>): Promise<number> => {
    if (!losses.has(index)) {
      const value = await evaluate();
      await onPoint?.({ index, value, undefinedWeights: value.undefinedWeights ?? [] });
      losses.set(index, value.loss);
    }
    onProgress?.(++done, total);
    return losses.get(index) as number;
  };
  const slice =
    dimensions === 2
      ? await openSlice(
          evaluator,
          { center: directions.center, vectors: directions.vectors },
          { batchNorm, signal },
        )
      : null;
  let next = 0;
  const work = { width: () => evaluator.concurrency ?? 1, left: () => n - next };
  const isKnown = (i: number) =>
    losses.has(2 * i) && losses.has(2 * i + 1) && (!isRecalibrated || losses.has(2 * all + i));
  try {
    await runLanes(work, signal, async (stop, goesOn) => {
      const point = createPlanePoint(directions);
      while (next < n) {
        stop?.throwIfAborted();
        const i = positions[next++] as number;
        if (isKnown(i)) {
          done += total / n;
          onProgress?.(done, total);
          continue;
        }
        const theta = await readTheta(i);
        const how = { name: `snapshot ${i}`, signal: stop };
        const own = await lossAt(2 * i, () => evaluator.evaluate(theta, how));
        const compared = isRecalibrated
          ? await lossAt(2 * all + i, () => evaluator.evaluate(theta.slice(), { ...how, batchNorm }))
          : own;
        const place = coordinates.subarray(i * dimensions, (i + 1) * dimensions);
        const [alpha = 0, beta = 0] = place;
        if (slice === null) point.moveTo(...place);
        else slice.writeInto(point.theta, alpha, beta);
        if (isSame(point.theta, theta)) losses.set(2 * i + 1, compared);
        const named = { name: `the plane at snapshot ${i}`, signal: stop };
        await lossAt(2 * i + 1, () =>
          slice === null
            ? evaluator.evaluate(point.theta, { ...named, batchNorm })
            : slice.evaluate(alpha, beta, named),
        );
        if (!goesOn()) return;
      }
    });
  } finally {
    slice?.dispose();
  }
  const lossesAt = (of: (i: number) => number) =>
    Float64Array.from({ length: all }, (_, i) => losses.get(of(i)) ?? Number.NaN);
  const trueLoss = lossesAt((i) => 2 * i);
  const planeLoss = lossesAt((i) => 2 * i + 1);
  const recalibratedLoss = isRecalibrated ? lossesAt((i) => 2 * all + i) : null;
  const warnings = [
    ...trajectory.warnings,
    ...(warning === null ? [] : [warning]),
    ...nonFiniteWarning(
      recalibratedLoss === null ? "snapshots" : "snapshots as trained",
      trueLoss,
      positions,
    ),
    ...(recalibratedLoss === null
      ? []
      : nonFiniteWarning("recalibrated snapshots", recalibratedLoss, positions)),
    ...nonFiniteWarning("projected snapshots", planeLoss, positions),
  ];
  const recalibrated = recalibratedLoss === null ? {} : { recalibratedLoss };
  const subset = n === all ? {} : { evaluated: positions };
  return { ...trajectory, trueLoss, planeLoss, ...recalibrated, ...subset, warnings };
}

function assertSizes(
  trajectory: Trajectory,
  { center, vectors }: Pick<Directions, "center" | "vectors">,
  { facts: { parameterCount } }: LossEvaluator,
): void {
  const wrong = [center, ...vectors].find((vector) => vector.length !== parameterCount);
  if (wrong !== undefined) {
    const expected = `vectors of ${parameterCount} entries, the whole of θ`;
    throw new InvalidOptionError("directions", expected, String(wrong.length));
  }
  if (trajectory.dimensions !== vectors.length) {
    const got = `${trajectory.dimensions}`;
    throw new InvalidOptionError("trajectory", `${vectors.length} coordinates per snapshot`, got);
  }
}

function isSame(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, c) => value === b[c]);
}

function nonFiniteWarning(what: string, losses: Float64Array, positions: Int32Array): LandscapeWarning[] {
  const bad = Array.from(positions).filter((i) => !Number.isFinite(losses[i]));
  if (bad.length === 0) return [];
  const named = bad.slice(0, 5).join(", ") + (bad.length > 5 ? ", …" : "");
  return [{ code: "non-finite-loss", message: `the loss of ${bad.length} ${what} is not finite: ${named}` }];
}
