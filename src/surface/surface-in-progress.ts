import type { LossEvaluator, LossValue } from "../model/loss-evaluator.js";
import { checkCenter, checkDirections, checkGrid } from "./check-surface.js";
import { evaluatePoints, type PointOptions } from "./evaluate-points.js";
import { CENTER_INDEX, type EvaluatedPoint } from "./evaluated-point.js";
import { originIndex, type PointOrder, pointOrder } from "./point-order.js";
import { createUndefinedCount } from "./point-policy.js";
import { isSliceMap, type SlicePoints } from "./slice-map.js";
import type { Grid, Surface } from "./surface.js";
import { createSurfaceValues, nanValue } from "./surface-values.js";
import { surfaceWarnings } from "./surface-warnings.js";

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

  const left = indices.filter((index) => index !== origin && values.evaluated[index] === 0);
  let queue = center === null ? [CENTER_INDEX, ...left] : left;
  const total = indices.length + (origin === -1 ? 1 : 0);

  return {
    total,
    pending: () => queue.length,
    async evaluate(slice, until, take, done) {
      if (isSliceMap(slice)) checkCenter(slice.center, evaluator.parameterCount);
      else checkDirections(slice, grid, evaluator.parameterCount);
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
      const partial = usedUp === null || queue.length === 0 ? undefined : { evaluated, budget: usedUp };
      const nonFinite = loss.reduce(
        (count, value, i) => count + (evaluated[i] === 0 || Number.isFinite(value) ? 0 : 1),
        0,
      );
      const { lossMode, samples, engine } = evaluator;
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
        center: center ?? nanValue(evaluator),
        nonFinite,
        clippedShare,
        lossMode,
        samples,
        engine,
        warnings,
        ...(partial === undefined ? {} : { partial }),
      };
    },
  };
}
