import type { LossEvaluator } from "../model/loss-evaluator.js";
import type { PlaneLoss } from "../model/plane-loss.js";
import { CENTER_INDEX, type EvaluatedPoint } from "./evaluated-point.js";
import type { PlanePoint } from "./plane-point.js";
import { originIndex } from "./point-order.js";
import type { PointPolicy } from "./point-policy.js";
import { type Lane, runLanes } from "./run-lanes.js";
import { createSlicePoint, isSliceMap, type SlicePoints } from "./slice-map.js";
import type { Grid } from "./surface.js";
import { nanValue } from "./surface-values.js";

/** What happens at each point beside its evaluation. */
export interface PointOptions {
  /** Stops the work within a batch; the promise rejects with the signal's reason. Default none. */
  readonly signal?: AbortSignal;
  /** What is done with θ at each point first, such as a batch-norm policy. Default nothing. */
  readonly policy?: PointPolicy;
  /** Called with each point as it is evaluated, in no particular order; the work waits for its promise. */
  readonly onPoint?: (point: EvaluatedPoint) => void | Promise<void>;
}

/**
 * Evaluates points, as many at once as the evaluator takes, until the queue is empty (the answer is null) or
 * `take` says what is used up. The first failure stops the others.
 */
export async function evaluatePoints(
  evaluator: LossEvaluator,
  slice: SlicePoints,
  grid: Grid,
  queue: readonly number[],
  options: PointOptions,
  take: () => string | null,
  done: (point: EvaluatedPoint) => void,
): Promise<string | null> {
  if (queue.length === 0) return null;
  const { policy, signal } = options;
  const points = grid.alpha.length * grid.beta.length + (originIndex(grid) === -1 ? 1 : 0);
  const plane = await openPlane(evaluator, slice, points, options);
  const needsTheta = plane.needsTheta !== false || (policy !== undefined && policy.isIdle !== true);
  let next = 0;
  let usedUp: string | null = null;

  const evaluateAt = async (index: number, point: PlanePoint, stop: AbortSignal | undefined) => {
    const [alpha, beta] = coordinatesOf(grid, index);
    if (needsTheta) point.moveTo(alpha, beta);
    const undefinedWeights = (await policy?.prepare(point.theta, stop)) ?? [];
    const value =
      undefinedWeights.length > 0
        ? nanValue(evaluator)
        : await plane.evaluate(point.theta, alpha, beta, stop, nameOfPoint(grid, index));
    const evaluated = { index, value, undefinedWeights };
    await options.onPoint?.(evaluated);
    done(evaluated);
  };
  const evaluateSome: Lane = async (stop, goesOn) => {
    const point = needsTheta ? createSlicePoint(slice) : { theta: slice.center, moveTo: () => {} };
    while (next < queue.length && usedUp === null) {
      stop?.throwIfAborted();
      usedUp = take();
      if (usedUp === null) await evaluateAt(queue[next++] as number, point, stop);
      if (!goesOn()) return;
    }
  };
  try {
    const left = (): number => (usedUp === null ? queue.length - next : 0);
    await runLanes({ width: () => evaluator.concurrency ?? 1, left }, signal, evaluateSome);
  } finally {
    plane.dispose();
  }
  return usedUp;
}

function coordinatesOf({ alpha, beta }: Grid, index: number): readonly [number, number] {
  if (index === CENTER_INDEX) return [0, 0];
  const width = alpha.length;
  return [alpha[index % width] as number, beta[Math.floor(index / width)] as number];
}

/** "grid point 12 (column 2, row 1: α = 0.5, β = -1)" */
function nameOfPoint(grid: Grid, index: number): string {
  if (index === CENTER_INDEX) return "the centre of the grid (α = 0, β = 0)";
  const [alpha, beta] = coordinatesOf(grid, index);
  const [column, row] = [index % grid.alpha.length, Math.floor(index / grid.alpha.length)];
  return `grid point ${index} (column ${column}, row ${row}: α = ${alpha}, β = ${beta})`;
}

/** Fewest points for which preparing a plane, which costs about three, is worthwhile. */
const POINTS_FOR_PLANE = 16;

/** Returns what evaluates the points: the evaluator's own plane where it has one, else the evaluator. */
async function openPlane(
  evaluator: LossEvaluator,
  slice: SlicePoints,
  points: number,
  { policy, signal }: PointOptions,
): Promise<PlaneLoss> {
  // Only θ that are exactly where the directions say can share work.
  const isPlain = !isSliceMap(slice) && (policy?.isReadOnly ?? true);
  if (isPlain && evaluator.openPlane !== undefined && points >= POINTS_FOR_PLANE) {
    return evaluator.openPlane({ center: slice.center, vectors: slice.vectors.slice(0, 2) }, signal);
  }
  return {
    isCached: false,
    evaluate: (theta, _alpha, _beta, stop, name) => evaluator.evaluate(theta, stop, name),
    dispose() {},
  };
}
