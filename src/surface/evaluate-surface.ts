import type { LossEvaluator, LossValue } from "../model/loss-evaluator.js";
import { type SurfaceBudget, startBudget } from "./budget.js";
import { checkCenter, checkDirections, checkGrid } from "./check-surface.js";
import { evaluatePoints, type PointOptions } from "./evaluate-points.js";
import { CENTER_INDEX, type EvaluatedPoint } from "./evaluated-point.js";
import { originIndex, type PointOrder, pointOrder } from "./point-order.js";
import { createUndefinedCount } from "./point-policy.js";
import { isSliceMap, type SlicePoints } from "./slice-map.js";
import type { Grid, Surface } from "./surface.js";
import { createSurfaceValues, nanValue } from "./surface-values.js";
import { surfaceWarnings } from "./surface-warnings.js";

/** Options of {@link evaluateSurface} and {@link evaluateLine}. */
export interface EvaluateSurfaceOptions extends PointOptions {
  /** Called after each point with the points done, all to do, and the seconds left by the present speed. */
  readonly onProgress?: (done: number, total: number, etaSeconds: number) => void;
  /**
   * Returns the flat indices j·W + i of all grid points in the order in which they are evaluated. The values
   * do not depend on it. Default from coarse to fine, so that a beginning of it is a picture.
   */
  readonly order?: PointOrder;
  /** Ends early with a surface that says which points it has (`partial`). Default no limit. */
  readonly budget?: SurfaceBudget;
  /** Points evaluated earlier, which are not evaluated again. Default none. */
  readonly known?: Iterable<EvaluatedPoint>;
}

/**
 * Evaluates loss and metrics at θ* + alpha[i]·d₀ + beta[j]·d₁ for every point of a grid, as many at once as
 * the evaluator takes.
 *
 * θ* itself is evaluated first, and is the grid's value at (0, 0) where the grid has that point. Values that
 * are not finite are kept and counted.
 * Cost: one evaluation per point; memory for one θ for each evaluation at a time, and the values.
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
  const indices = pointOrder(grid, options.order);
  const origin = originIndex(grid);
  const budget = startBudget(options.budget, evaluator.samples);
  const undefinedCount = createUndefinedCount();
  const values = createSurfaceValues(evaluator, indices.length);
  let center: LossValue | null = null;
  const put = ({ index, value, undefinedWeights }: EvaluatedPoint): void => {
    const place = index === CENTER_INDEX ? origin : index;
    if (index === CENTER_INDEX) center = value;
    if (place === -1) return;
    values.put(place, value);
    undefinedCount.add(undefinedWeights);
  };
  for (const point of options.known ?? []) put(point);

  const pending = indices.filter((index) => index !== origin && values.evaluated[index] === 0);
  const queue = center === null ? [CENTER_INDEX, ...pending] : pending;
  const total = indices.length + (origin === -1 ? 1 : 0);
  const report = progressReporter(total - queue.length, total, options.onProgress);
  const usedUp = await evaluatePoints(
    evaluator,
    directions,
    grid,
    queue,
    options,
    () => budget.take(),
    (point) => {
      put(point);
      report();
    },
  );
  const partial = usedUp === null ? undefined : { evaluated: values.evaluated, budget: usedUp };
  const { loss, metrics, evaluated } = values;
  const nonFinite = loss.reduce(
    (count, value, i) => count + (evaluated[i] === 0 || Number.isFinite(value) ? 0 : 1),
    0,
  );
  const { lossMode, samples, engine } = evaluator;
  const clippedShare = values.clippedShare();
  const warnings = [
    ...surfaceWarnings({ nonFinite, points: loss.length, cappedShare: values.cappedShare(), partial }),
    ...undefinedCount.warnings(loss.length),
  ];
  const facts = { nonFinite, clippedShare, lossMode, samples, engine, warnings };
  const known = center ?? nanValue(evaluator);
  return {
    alpha,
    beta,
    loss,
    metrics,
    center: known,
    ...facts,
    ...(partial === undefined ? {} : { partial }),
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

function progressReporter(
  before: number,
  total: number,
  onProgress: EvaluateSurfaceOptions["onProgress"],
): () => void {
  const start = performance.now();
  let now = 0;
  return () => {
    now++;
    const done = before + now;
    onProgress?.(done, total, ((performance.now() - start) / 1000 / now) * (total - done));
  };
}
