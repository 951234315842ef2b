import { InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Directions } from "../directions/directions.js";
import { createPlanePoint } from "../directions/plane-point.js";
import type { Trajectory } from "../directions/project.js";
import type { LossEvaluator } from "../loss/loss-evaluator.js";
import { runLanes } from "./evaluate-points.js";
import type { EvaluatedPoint } from "./surface.js";

/** Snapshots of which all are evaluated without asking. */
const ALL_UP_TO = 200;

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
 * @param most - default 200; infinity for all.
 */
export function chooseSnapshots(count: number, most = ALL_UP_TO): SnapshotSubset {
  const chosen = Math.min(count, Math.max(2, most));
  const spacing = chosen > 1 ? (count - 1) / (chosen - 1) : 0;
  const positions = Int32Array.from({ length: chosen }, (_, i) => Math.round(i * spacing));
  if (chosen === count) return { positions, warning: null };
  const message = `the loss of ${chosen} of ${count} snapshots is evaluated: every ${Number(spacing.toFixed(1))}th, the first and the last among them`;
  return { positions, warning: { code: "some-snapshots", message } };
}

/** Options of {@link evaluateFidelity}. */
export interface FidelityOptions {
  /** Snapshots to evaluate, see {@link chooseSnapshots}; the losses of the others are NaN. Default all. */
  readonly snapshots?: SnapshotSubset | undefined;
  /** Stops the work within a batch. Default none. */
  readonly signal?: AbortSignal;
  /** Called after each evaluation with the evaluations done and all to do. Default none. */
  readonly onProgress?: (done: number, total: number) => void;
  /**
   * Points evaluated earlier, which are not evaluated again: 2·i is the snapshot at position i, 2·i + 1 the plane
   * at its coordinates. Default none.
   */
  readonly known?: Iterable<EvaluatedPoint>;
  /** Called with each point as it is evaluated; the work waits for its promise. */
  readonly onPoint?: (point: EvaluatedPoint) => void | Promise<void>;
}

/**
 * Returns the trajectory with, for each snapshot, its own loss and the loss of the plane at its coordinates.
 *
 * Both are means over the same data in evaluation mode. Where they differ, the contour drawn under a
 * snapshot is not the loss it had. A snapshot is evaluated with all its own weights, batch-norm statistics
 * included; a point of the plane has those of θ*, unless the directions move them. Losses that are not finite are kept so, with a warning.
 * Cost: 2·N evaluations (less one for a snapshot at θ*), as many at once as the evaluator takes; two vectors of D
 * numbers for each at a time.
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
  const { signal, onProgress, onPoint, known = [] } = options;
  const { coordinates, dimensions } = trajectory;
  const all = trajectory.distance.length;
  const { positions, warning } = options.snapshots ?? chooseSnapshots(all, Number.POSITIVE_INFINITY);
  const n = positions.length;
  const losses = new Map(Array.from(known, ({ index, value }) => [index, value.loss]));
  let done = 0;
  const lossAt = async (
    index: number,
    theta: Float32Array,
    name: string,
    stop: AbortSignal | undefined,
  ): Promise<void> => {
    if (!losses.has(index)) {
      const value = await evaluator.evaluate(theta, { signal: stop, name });
      await onPoint?.({ index, value, undefinedWeights: [] });
      losses.set(index, value.loss);
    }
    onProgress?.(++done, 2 * n);
  };
  let next = 0;
  const work = { width: () => evaluator.concurrency ?? 1, left: () => n - next };
  await runLanes(work, signal, async (stop, goesOn) => {
    const point = createPlanePoint(directions);
    while (next < n) {
      stop?.throwIfAborted();
      const i = positions[next++] as number;
      if (losses.has(2 * i) && losses.has(2 * i + 1)) {
        done += 2;
        onProgress?.(done, 2 * n);
        continue;
      }
      const theta = await readTheta(i);
      await lossAt(2 * i, theta, `snapshot ${i}`, stop);
      point.moveTo(...coordinates.subarray(i * dimensions, (i + 1) * dimensions));
      if (isSame(point.theta, theta)) losses.set(2 * i + 1, losses.get(2 * i) as number);
      await lossAt(2 * i + 1, point.theta, `the plane at snapshot ${i}`, stop);
      if (!goesOn()) return;
    }
  });
  const [trueLoss, planeLoss] = [0, 1].map((side) =>
    Float64Array.from({ length: all }, (_, i) => losses.get(2 * i + side) ?? Number.NaN),
  ) as [Float64Array, Float64Array];
  const warnings = [
    ...trajectory.warnings,
    ...(warning === null ? [] : [warning]),
    ...nonFiniteWarning("snapshots", trueLoss, positions),
    ...nonFiniteWarning("projected snapshots", planeLoss, positions),
  ];
  return { ...trajectory, trueLoss, planeLoss, warnings };
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
