import type { LossEvaluator } from "../model/loss-evaluator.js";
import { type SurfaceBudget, startBudget } from "./budget.js";
import type { PointOptions } from "./evaluate-points.js";
import type { EvaluatedPoint } from "./evaluated-point.js";
import type { PointOrder } from "./point-order.js";
import { type OnPointProgress, pointProgress } from "./point-progress.js";
import type { SlicePoints } from "./slice-map.js";
import type { Grid, Surface } from "./surface.js";
import { beginSurface } from "./surface-in-progress.js";

/** Options of {@link evaluateSurface} and {@link evaluateLine}. */
export interface EvaluateSurfaceOptions extends PointOptions {
  /** Called after each point with the points done, all to do, and the seconds left by the present speed. */
  readonly onProgress?: OnPointProgress;
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
  const { samples } = evaluator;
  const surface = beginSurface(evaluator, grid, options);
  const budget = startBudget(options.budget, samples);
  const done = pointProgress(surface.total - surface.pending(), surface.total, options.onProgress);
  const usedUp = await surface.evaluate(directions, surface.total, () => budget.take(samples), done);
  return surface.finish(usedUp);
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
