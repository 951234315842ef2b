import type { Directions } from "../directions/directions.js";
import { InvalidOptionError } from "../errors.js";
import type { LossEvaluator } from "../model/loss-evaluator.js";
import type { LandscapeWarning } from "../warning.js";
import type { Trajectory } from "./trajectory.js";

/** Options of {@link evaluateFidelity}. */
export interface FidelityOptions {
  /** Stops the work between two evaluations. Default none. */
  readonly signal?: AbortSignal;
  /** Called after each evaluation with the evaluations done and all to do. Default none. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Returns the trajectory with, for each snapshot, its own loss and the loss of the plane at its coordinates.
 *
 * Both are means over the same data in evaluation mode. Where they differ, the contour drawn under a
 * snapshot is not the loss it had. A snapshot is evaluated with all its own weights, batch-norm statistics
 * included; a point of the plane has those of θ*, unless the directions move them. Losses that are not finite are kept so, with a warning.
 * Cost: 2·N evaluations (less one for a snapshot at θ*); two vectors of D numbers.
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
  const { signal, onProgress } = options;
  const n = trajectory.distance.length;
  const trueLoss = new Float64Array(n);
  const planeLoss = new Float64Array(n);
  const point = new Float32Array(evaluator.parameterCount);
  for (let i = 0; i < n; i++) {
    signal?.throwIfAborted();
    const theta = await readTheta(i);
    trueLoss[i] = (await evaluator.evaluate(theta, signal)).loss;
    onProgress?.(2 * i + 1, 2 * n);
    planePointInto(point, directions, trajectory.coordinates.subarray(i * trajectory.dimensions));
    planeLoss[i] = isSame(point, theta) ? trueLoss[i] : (await evaluator.evaluate(point, signal)).loss;
    onProgress?.(2 * i + 2, 2 * n);
  }
  const warnings = [...trajectory.warnings, ...nonFiniteWarning("snapshots", trueLoss)];
  warnings.push(...nonFiniteWarning("projected snapshots", planeLoss));
  return { ...trajectory, trueLoss, planeLoss, warnings };
}

/**
 * Writes the point θ* + Σ_k coordinates[k]·vectors[k] of the plane into `out`, summed in float64.
 *
 * @param coordinates - at least k coefficients.
 */
export function planePointInto(
  out: Float32Array,
  { center, vectors }: Pick<Directions, "center" | "vectors">,
  coordinates: ArrayLike<number>,
): void {
  const k = vectors.length;
  for (let c = 0; c < out.length; c++) {
    let value = center[c];
    for (let a = 0; a < k; a++) value += coordinates[a] * vectors[a][c];
    out[c] = value;
  }
}

function assertSizes(
  trajectory: Trajectory,
  { center, vectors }: Pick<Directions, "center" | "vectors">,
  { parameterCount }: LossEvaluator,
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

function nonFiniteWarning(what: string, losses: Float64Array): LandscapeWarning[] {
  const bad = Array.from(losses.keys()).filter((i) => !Number.isFinite(losses[i]));
  if (bad.length === 0) return [];
  const named = bad.slice(0, 5).join(", ") + (bad.length > 5 ? ", …" : "");
  return [{ code: "non-finite-loss", message: `the loss of ${bad.length} ${what} is not finite: ${named}` }];
}
