import { defined } from "../base/json.js";
import { isSliceMap, type SlicePoints } from "../directions/slice-map.js";
import type { LossEvaluator, LossValue } from "../loss/loss-evaluator.js";
import { createUndefinedCount, nanValue } from "../loss/slice-loss.js";
import {
  evaluatePoints,
  type OnPointProgress,
  type PointOptions,
  pointProgress,
  type SurfaceBudget,
  type SurfaceShard,
  startBudget,
} from "./evaluate-points.js";
import { originIndex, type PointOrder, pointOrder } from "./grid.js";
import {
  CENTER_INDEX,
  checkCenter,
  checkDirections,
  checkGrid,
  createSurfaceValues,
  type EvaluatedPoint,
  type Grid,
  type Surface,
  surfaceWarnings,
} from "./surface.js";

/** A surface whose points are evaluated part by part, in their order. */
export interface SurfaceInProgress {
  /** Points of the grid, and θ* where it is none of them. */
  readonly total: number;
  /** Points that are not evaluated yet. */
  pending(): number;
  /**
   * Evaluates points until so many are known, or `take` says what is used up.
   *
   * @param slice - where the points lie: the same at each call.
   * @param done - called after each point.
   * @throws as `evaluateSurface`.
   */
  evaluate(
    slice: SlicePoints,
    until: number,
    take: () => string | null,
    done: () => void,
  ): Promise<string | null>;
  /** The surface as far as it is known; `usedUp` is why that is not all of it. */
  finish(usedUp: string | null): Surface;
}

/** What a surface is evaluated with beside its slice. */
export interface SurfacePartOptions extends PointOptions {
  /** Order of the grid points. Default from coarse to fine. */
  readonly order?: PointOrder;
  /** Points evaluated earlier, which are not evaluated again. Default none. */
  readonly known?: Iterable<EvaluatedPoint>;
  /** Evaluates θ* and this part of the points only. Default all. */
  readonly shard?: SurfaceShard | undefined;
}

/**
 * Begins a surface; θ* comes first.
 *
 * @throws {@link InvalidOptionError} for a grid or an order that cannot be used.
 */
export function beginSurface(
  evaluator: LossEvaluator,
  grid: Grid,
  options: SurfacePartOptions = {},
): SurfaceInProgress {
  checkGrid(grid);
  const indices = pointOrder(grid, options.order);
  const origin = originIndex(grid);
  const undefinedCount = createUndefinedCount();
  const values = createSurfaceValues(evaluator.facts, indices.length);
  let center: LossValue | null = null;
  const put = ({ index, value, undefinedWeights }: EvaluatedPoint): void => {
    const place = index === CENTER_INDEX ? origin : index;
    if (index === CENTER_INDEX) center = value;
    if (place === -1) return;
    values.put(place, value);
    undefinedCount.add(undefinedWeights);
  };
  for (const point of options.known ?? []) put(point);

  const { shard } = options;
  const left = indices.filter((index) => index !== origin && values.evaluated[index] === 0);
  const others = shard === undefined ? new Set<number>() : outsideOf(shard, indices, origin);
  const own = left.filter((index) => !others.has(index));
  let queue = center === null ? [CENTER_INDEX, ...own] : own;
  const total = indices.length - others.size + (origin === -1 ? 1 : 0);

  return {
    total,
    pending: () => queue.length,
    async evaluate(slice, until, take, done) {
      if (isSliceMap(slice)) checkCenter(slice.center, evaluator.facts.parameterCount);
      else checkDirections(slice, grid, evaluator.facts.parameterCount);
      const part = queue.slice(0, Math.max(0, until - (total - queue.length)));
      const now = new Set<number>();
      const usedUp = await evaluatePoints(evaluator, slice, grid, part, options, take, (point) => {
        put(point);
        now.add(point.index);
        done();
      });
      queue = queue.filter((index) => !now.has(index));
      return usedUp;
    },
    finish(usedUp) {
      const { loss, metrics, evaluated } = values;
      const reason =
        queue.length > 0
          ? usedUp
          : own.length < left.length
            ? `shard ${shard?.index} of ${shard?.count}`
            : null;
      const partial = reason === null ? undefined : { evaluated, budget: reason };
      const nonFinite = loss.reduce(
        (count, value, i) => count + (evaluated[i] === 0 || Number.isFinite(value) ? 0 : 1),
        0,
      );
      const { lossMode, weights, samples, engine } = evaluator.facts;
      const clippedShare = values.clippedShare();
      const cappedShare = values.cappedShare();
      const warnings = [
        ...surfaceWarnings({ nonFinite, points: loss.length, cappedShare, partial }),
        ...undefinedCount.warnings(loss.length),
      ];
      return {
        alpha: grid.alpha,
        beta: grid.beta,
        loss,
        metrics,
        center: center ?? nanValue(evaluator.facts),
        nonFinite,
        clippedShare,
        cappedShare,
        lossMode,
        ...defined({ weights }),
        samples,
        engine,
        warnings,
        ...defined({ partial }),
      };
    },
  };
}

/** The points that other parts have; θ* is in every part. */
function outsideOf({ index, count }: SurfaceShard, indices: readonly number[], origin: number): Set<number> {
  return new Set(indices.filter((at, place) => at !== origin && place % count !== index - 1));
}

/** Options of {@link evaluateSurface} and `evaluateLine`. */
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
  /** Evaluates θ* and this part of the points only; the surface is `partial` then. Default all. */
  readonly shard?: SurfaceShard | undefined;
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
 * @example const surface = await evaluateSurface(evaluator, directions, createGrid({ coordinates }));
 */
export async function evaluateSurface(
  evaluator: LossEvaluator,
  directions: SlicePoints,
  grid: Grid,
  options: EvaluateSurfaceOptions = {},
): Promise<Surface> {
  const { samples } = evaluator.facts;
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
