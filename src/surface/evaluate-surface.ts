import { InvalidOptionError } from "../errors.js";
import type { LossEvaluator, LossValue } from "../model/loss-evaluator.js";
import type { PlaneLoss } from "../model/plane-loss.js";
import { checkCenter, checkDirections, checkGrid } from "./check-surface.js";
import { createPlanePoint } from "./plane-point.js";
import { createUndefinedCount, type PointPolicy } from "./point-policy.js";
import { createMappedPoint, isSliceMap, type SlicePoints } from "./slice-map.js";
import type { Grid, Surface } from "./surface.js";
import { surfaceWarnings } from "./surface-warnings.js";

/** Options of {@link evaluateSurface} and {@link evaluateLine}. */
export interface EvaluateSurfaceOptions {
  /** Stops the work within a batch; the promise rejects with the signal's reason. Default none. */
  readonly signal?: AbortSignal;
  /** Called after each point with the points done, all to do, and the seconds left by the present speed. */
  readonly onProgress?: (done: number, total: number, etaSeconds: number) => void;
  /**
   * Returns the flat indices j·W + i of all grid points in the order in which they are evaluated. The values
   * do not depend on it. Default row by row.
   */
  readonly order?: (width: number, height: number) => Iterable<number>;
  /** What is done with θ at each point first, such as a batch-norm policy. Default nothing. */
  readonly policy?: PointPolicy;
}

/**
 * Evaluates loss and metrics at θ* + alpha[i]·d₀ + beta[j]·d₁ for every point of a grid, one θ at a time.
 *
 * θ* itself is evaluated first, and is the grid's value at (0, 0) where the grid has that point. Values that
 * are not finite are kept and counted.
 * Cost: one evaluation per point; memory for one θ and the values.
 *
 * @param directions - θ* and at least as many vectors as the grid has axes (a line needs one); or any other
 * map from coordinates to θ.
 * @returns values (H, W), row-major: H rows over beta, W columns over alpha.
 * @throws {@link InvalidOptionError} if grid, directions and evaluator do not fit together.
 * @throws {@link InvalidDataError} if θ* or a direction is not finite.
 */
export async function evaluateSurface(
  evaluator: LossEvaluator,
  directions: SlicePoints,
  grid: Grid,
  options: EvaluateSurfaceOptions = {},
): Promise<Surface> {
  checkGrid(grid);
  if (isSliceMap(directions)) checkCenter(directions.center, evaluator.parameterCount);
  else checkDirections(directions, grid, evaluator.parameterCount);
  const { alpha, beta } = grid;
  const width = alpha.length;
  const indices = pointOrder(grid, options.order);
  const origin = originIndex(grid);
  const point = isSliceMap(directions) ? createMappedPoint(directions) : createPlanePoint(directions);
  const undefinedCount = createUndefinedCount();
  const total = indices.length + (origin === -1 ? 1 : 0);
  const report = progressReporter(total, options.onProgress);

  const plane = await openPlane(evaluator, directions, total, options);
  const evaluateAt = async (x: number, y: number, isOnGrid: boolean): Promise<LossValue> => {
    const names = (await options.policy?.prepare(point.theta, options.signal)) ?? [];
    if (names.length === 0) return plane.evaluate(point.theta, x, y, options.signal);
    if (isOnGrid) undefinedCount.add(names);
    return nanValue(evaluator);
  };
  const values = createValues(evaluator, indices.length);
  let center: LossValue;
  try {
    center = await evaluateAt(0, 0, origin !== -1);
    report();
    if (origin !== -1) values.put(origin, center);
    for (const index of indices) {
      if (index === origin) continue;
      options.signal?.throwIfAborted();
      const [x, y] = [alpha[index % width] as number, beta[Math.floor(index / width)] as number];
      point.moveTo(x, y);
      values.put(index, await evaluateAt(x, y, true));
      report();
    }
  } finally {
    plane.dispose();
  }
  const { loss, metrics } = values;
  const nonFinite = loss.reduce((count, value) => count + (Number.isFinite(value) ? 0 : 1), 0);
  const { lossMode, samples, engine } = evaluator;
  const clippedShare = values.clippedShare();
  const warnings = [
    ...surfaceWarnings({ nonFinite, points: loss.length, cappedShare: values.cappedShare() }),
    ...undefinedCount.warnings(loss.length),
  ];
  return { alpha, beta, loss, metrics, center, nonFinite, clippedShare, lossMode, samples, engine, warnings };
}

/** Fewest points for which preparing a plane, which costs about three, is worthwhile. */
const POINTS_FOR_PLANE = 16;

/** Returns what evaluates the points: the evaluator's own plane where it has one, else the evaluator. */
async function openPlane(
  evaluator: LossEvaluator,
  slice: SlicePoints,
  points: number,
  { policy, signal }: EvaluateSurfaceOptions,
): Promise<PlaneLoss> {
  // Only θ that are exactly where the directions say can share work.
  const isPlain = !isSliceMap(slice) && (policy?.isReadOnly ?? true);
  if (isPlain && evaluator.openPlane !== undefined && points >= POINTS_FOR_PLANE) {
    return evaluator.openPlane({ center: slice.center, vectors: slice.vectors.slice(0, 2) }, signal);
  }
  return {
    isCached: false,
    evaluate: (theta, _alpha, _beta, stop) => evaluator.evaluate(theta, stop),
    dispose() {},
  };
}

/**
 * Evaluates loss and metrics along the first direction: a surface with beta = [0].
 *
 * @param alpha - coordinates (W), increasing.
 * @throws as {@link evaluateSurface} does.
 */
export async function evaluateLine(
  evaluator: LossEvaluator,
  directions: SlicePoints,
  alpha: Float64Array,
  options: EvaluateSurfaceOptions = {},
): Promise<Surface> {
  return evaluateSurface(evaluator, directions, { alpha, beta: Float64Array.of(0) }, options);
}

/** Values gathered point by point. */
interface SurfaceValues {
  readonly loss: Float64Array;
  readonly metrics: Readonly<Record<string, Float64Array>>;
  put(index: number, value: LossValue): void;
  clippedShare(): number | null;
  cappedShare(): number | null;
}

function createValues({ metricNames }: LossEvaluator, points: number): SurfaceValues {
  const loss = new Float64Array(points).fill(Number.NaN);
  const metrics = Object.fromEntries(
    metricNames.map((name) => [name, new Float64Array(points).fill(Number.NaN)]),
  );
  let clipped: number | null = null;
  let capped: number | null = null;
  return {
    loss,
    metrics,
    put(index, value) {
      loss[index] = value.loss;
      for (const name of metricNames) {
        (metrics[name] as Float64Array)[index] = value.metrics[name] ?? Number.NaN;
      }
      clipped = larger(clipped, value.clippedShare);
      capped = larger(capped, value.cappedShare ?? null);
    },
    clippedShare: () => clipped,
    cappedShare: () => capped,
  };
}

/** The value where there is none. */
function nanValue({ metricNames }: LossEvaluator): LossValue {
  const metrics = Object.fromEntries(metricNames.map((name) => [name, Number.NaN]));
  return { loss: Number.NaN, metrics, clippedShare: null };
}

function larger(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}

/** Flat index of the point (0, 0), or −1 where the grid does not have it. */
function originIndex({ alpha, beta }: Grid): number {
  const i = alpha.indexOf(0);
  const j = beta.indexOf(0);
  return i === -1 || j === -1 ? -1 : j * alpha.length + i;
}

function pointOrder({ alpha, beta }: Grid, order: EvaluateSurfaceOptions["order"]): readonly number[] {
  const points = alpha.length * beta.length;
  const indices =
    order === undefined ? Array.from({ length: points }, (_, i) => i) : [...order(alpha.length, beta.length)];
  const valid = indices.filter((index) => Number.isInteger(index) && index >= 0 && index < points);
  if (indices.length === points && new Set(valid).size === points) return indices;
  throw new InvalidOptionError("order", `each of ${points} grid points once`, `${indices.length} indices`);
}

function progressReporter(total: number, onProgress: EvaluateSurfaceOptions["onProgress"]): () => void {
  const start = performance.now();
  let done = 0;
  return () => {
    done++;
    onProgress?.(done, total, ((performance.now() - start) / 1000 / done) * (total - done));
  };
}
