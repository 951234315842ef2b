import type { LossEvaluator } from "../model/loss-evaluator.js";
import type { SampleEvaluator } from "../model/sample-evaluator.js";
import type { Approximation, ApproximationSettings } from "../surface/approximation.js";
import { checkCenter, checkDirections, checkGrid } from "../surface/check-surface.js";
import { originIndex } from "../surface/point-order.js";
import type { PointPolicy } from "../surface/point-policy.js";
import { createSlicePoint, isSliceMap, type SlicePoints } from "../surface/slice-map.js";
import type { Grid, Surface } from "../surface/surface.js";
import { surfaceWarnings } from "../surface/surface-warnings.js";
import { type ApproximateOptions, resolveApproximateOptions } from "./approximate-options.js";
import type { ApproximatedPoint } from "./approximated-point.js";
import { approximationWarnings } from "./approximation-warnings.js";
import { drawSubsample } from "./draw-subsample.js";
import { createPointData, type PointData } from "./point-data.js";
import { createPointEvaluator, type PointEvaluator } from "./point-evaluator.js";
import { type Refined, refine } from "./refine.js";
import { boundOfMost, rangeOf } from "./spread-of-errors.js";

/** Options of {@link approximateSurface}. */
export interface ApproximateSurfaceOptions extends ApproximateOptions {
  /** Stops the work within a batch; the promise rejects with the signal's reason. Default none. */
  readonly signal?: AbortSignal;
  /** Called after each evaluation with the sample evaluations spent and those that may be. */
  readonly onProgress?: (spent: number, budget: number) => void;
  /** What is done with θ at each point first, such as a batch-norm policy. Default nothing. */
  readonly policy?: PointPolicy;
  /**
   * Points evaluated by an earlier call with the same arguments, which are not evaluated again: the surface is
   * the same. Default none.
   */
  readonly known?: Iterable<ApproximatedPoint>;
  /** Called with each point as it is evaluated, in no particular order; the work waits for its promise. */
  readonly onPoint?: (point: ApproximatedPoint) => void | Promise<void>;
}

/**
 * Approximates the surface that `evaluateSurface` computes, from a part of its sample evaluations, and says how
 * far each value may be off.
 *
 * A fixed stratified subsample is evaluated at some points, all samples at few; exact minus subsample is
 * interpolated between them (control variates), and so are values between points. More points are evaluated
 * where the error estimated is above the tolerance, until none is or the budget is spent. Errors come from the
 * variance of the subsample, from leaving out known points, from points drawn at random, and from exact points
 * that are drawn at the end to check all of it. A feature that lies between all points evaluated is not seen.
 * Points of a round are evaluated at once where the evaluator takes several; what is evaluated does not depend
 * on how many.
 * Cost: at most the budget (some twelve exact points at least).
 *
 * @param directions - θ* and as many vectors as the grid has axes, or any map from coordinates to θ.
 * @returns a surface with `approximation`; values at exact points are those of `evaluateSurface`, to rounding
 * where the evaluator has an `openPlane`.
 * @throws {@link InvalidOptionError} if options, grid, directions and evaluator do not fit together.
 * @throws {@link InvalidDataError} if θ* or a direction is not finite.
 */
export async function approximateSurface(
  evaluator: LossEvaluator,
  directions: SlicePoints,
  grid: Grid,
  options: ApproximateSurfaceOptions = {},
): Promise<Surface> {
  const { perSample, samples } = evaluator;
  const settings = resolveApproximateOptions(options, samples, perSample !== undefined);
  checkGrid(grid);
  if (isSliceMap(directions)) checkCenter(directions.center, evaluator.parameterCount);
  else checkDirections(directions, grid, evaluator.parameterCount);
  const { signal, policy } = options;
  const data = createPointData(grid.alpha.length, grid.beta.length, evaluator.metricNames);
  const origin = originIndex(grid);

  let subset: SampleEvaluator | null = null;
  try {
    const drawn =
      settings.subsample === 0 || perSample === undefined
        ? null
        : await drawSubsample(perSample, directions.center, settings.subsample, settings.seed, signal);
    if (drawn !== null) subset = (await perSample?.open(drawn.sample.rows, signal)) ?? null;
    const before = drawn?.evaluations ?? 0;
    const exactEvaluations = samples * (data.state.length + (origin === -1 ? 1 : 0));
    const limit = settings.budget * exactEvaluations;
    const points: PointEvaluator = createPointEvaluator({
      evaluator,
      subset,
      createPlace: () => createSlicePoint(directions),
      grid,
      data,
      policy,
      signal,
      before,
      known: options.known ?? [],
      onPoint: options.onPoint ?? (() => {}),
      report: () => options.onProgress?.(points.spent(), Math.max(limit, points.spent())),
    });
    const center = await points.evaluateCenter(origin);
    const refined = await refine({
      data,
      points,
      sample: drawn?.sample ?? null,
      settings,
      limit,
      samples,
      signal,
    });
    const counts = { sampleEvaluations: points.spent(), exactSampleEvaluations: exactEvaluations };
    const approximation = describe(data, refined, { ...settings, subsample: subset?.samples ?? 0 }, counts);
    const { clippedShare, cappedShare } = points.shares();
    const nonFinite = refined.values.reduce((count, value) => count + (Number.isFinite(value) ? 0 : 1), 0);
    const { lossMode, engine } = evaluator;
    return {
      alpha: grid.alpha,
      beta: grid.beta,
      loss: refined.values,
      metrics: refined.metrics,
      center,
      nonFinite,
      clippedShare,
      lossMode,
      samples,
      engine,
      approximation,
      warnings: [
        ...surfaceWarnings({ nonFinite, points: data.state.length, cappedShare }),
        ...points.undefinedCount.warnings(data.state.length),
        ...approximationWarnings(approximation),
      ],
    };
  } finally {
    subset?.dispose();
  }
}

function describe(
  { state }: PointData,
  { values, errors, metricErrors }: Refined,
  settings: ApproximationSettings,
  counts: Pick<Approximation, "sampleEvaluations" | "exactSampleEvaluations">,
): Approximation {
  return {
    ...settings,
    ...counts,
    error: errors,
    metricErrors,
    method: Int32Array.from(state),
    errorOn95: boundOfMost(errors.filter(Number.isFinite)),
    range: rangeOf(values),
  };
}
