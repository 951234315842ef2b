import { InvalidOptionError } from "../../base/errors.js";
import { defined } from "../../base/json.js";
import { refuseRenamed } from "../../base/option-names.js";
import type { LandscapeWarning } from "../../base/warning.js";
import type { Stoppable } from "../../base/work.js";
import { isSliceMap, type SlicePoints } from "../../directions/slice-map.js";
import type { LossEvaluator, SampleEvaluator, SliceLoss } from "../../loss/loss-evaluator.js";
import { type BatchNormPolicyName, openSlice } from "../../loss/slice-loss.js";
import { checkSeed } from "../../math/random.js";
import { originIndex } from "../grid.js";
import {
  type Approximation,
  type ApproximationSettings,
  checkCenter,
  checkDirections,
  checkGrid,
  type Grid,
  type Surface,
  surfaceWarnings,
} from "../surface.js";
import { boundOfMost, rangeOf } from "./estimate.js";
import { createPointData, type PointData } from "./point-data.js";
import { type ApproximatedPoint, createPointEvaluator, type PointEvaluator } from "./point-evaluator.js";
import { leastEvaluations, type Refined, refine } from "./refine.js";
import { drawSubsample } from "./stratified-sample.js";

/** How exact an approximate surface is to be, and what it may cost. */
export interface ApproximateOptions {
  /**
   * The error aimed at on 95 % of the points, as a share of the range of the loss. Default 0.01: a hundredth of
   * it is hardly seen in a contour map. Where it is not reached, the surface says which error was.
   */
  readonly tolerance?: number;
  /**
   * Most sample evaluations, as a share of those of the exact surface; fewer are spent where the tolerance is
   * reached before. A small grid may take more than a small share: some twelve points are always exact, and
   * without a subsample a tenth of the points and up to 70 more, by which the bound of the error is checked.
   * Default 0.1.
   */
  readonly share?: number;
  /**
   * Samples in the fixed subsample. Default 3·√N, none below 256 samples or where the evaluator cannot evaluate
   * single samples: all evaluations are then exact, at fewer points. 0 asks for that.
   */
  readonly subsample?: number;
  /** Seed of the subsample and of the points drawn at random. Default 0. */
  readonly seed?: number;
}

/** Below this a subsample is nearly a fifth of the set. */
const LEAST_SAMPLES = 256;
/**
 * The subsample grows with the root of the set. With 4·√N points on the subsample cost more than the exact points
 * that they spare; with 2.5·√N the worst surfaces need more exact points.
 */
const SAMPLES_A_ROOT = 3;

/**
 * Checks options and fills in the defaults.
 *
 * @param samples - samples of the evaluation set.
 * @param isDivisible - whether single samples can be evaluated.
 * @throws {@link InvalidOptionError} if a value cannot be used.
 */
export function resolveApproximateOptions(
  options: ApproximateOptions,
  samples: number,
  isDivisible: boolean,
): ApproximationSettings {
  const { tolerance, share } = checkApproximateOptions(options);
  const usual = isDivisible && samples >= LEAST_SAMPLES ? Math.round(SAMPLES_A_ROOT * Math.sqrt(samples)) : 0;
  const subsample = options.subsample ?? usual;
  if (!Number.isInteger(subsample) || subsample < 0 || subsample > samples || subsample === 1) {
    throw new InvalidOptionError("subsample", `0, or from 2 to ${samples} samples`, String(subsample));
  }
  if (subsample > 0 && !isDivisible) {
    throw new InvalidOptionError("subsample", "0 with an evaluator of whole sets", String(subsample));
  }
  // All samples are no part of them.
  return {
    tolerance,
    share,
    subsample: subsample === samples ? 0 : subsample,
    seed: checkSeed(options.seed ?? 0),
  };
}

/**
 * Checks what can be checked before the data are there.
 *
 * @param other - a limit for exact surfaces, which goes with no approximate one.
 * @throws {@link InvalidOptionError} if a value cannot be used.
 */
export function checkApproximateOptions(
  options: ApproximateOptions,
  other?: object,
): {
  readonly tolerance: number;
  readonly share: number;
} {
  refuseRenamed(options, "approximate");
  const { tolerance = 0.01, share = 0.1, seed = 0 } = options;
  checkSeed(seed);
  if (other !== undefined) {
    throw new InvalidOptionError("approximate", "no budget beside it", "both");
  }
  if (!(Number.isFinite(tolerance) && tolerance > 0)) {
    throw new InvalidOptionError("tolerance", "a finite share of the loss range above 0", String(tolerance));
  }
  if (!(share > 0 && share <= 1)) {
    throw new InvalidOptionError("share", "a number above 0 and at most 1", String(share));
  }
  return { tolerance, share };
}

/** Returns what the reader of an approximate surface should know beside its caption. */
export function approximationWarnings(approximation: Approximation): LandscapeWarning[] {
  const { error, errorOn95, range, tolerance, sampleEvaluations, exactSampleEvaluations } = approximation;
  const warnings: LandscapeWarning[] = [];
  const unknown = error.reduce((count, value) => count + (value === Number.POSITIVE_INFINITY ? 1 : 0), 0);
  if (unknown > 0) {
    const message = `the error is not known at ${unknown} of ${error.length} grid points, which lie beside values that are not finite`;
    warnings.push({ code: "unknown-error", message });
  }
  if (errorOn95 > tolerance * range && errorOn95 > 0 && Number.isFinite(errorOn95)) {
    const reached = percent(errorOn95 / range);
    const spent = percent(sampleEvaluations / exactSampleEvaluations);
    const message = `the error is up to ${reached} of the loss range, not ${percent(tolerance)} as asked for, after ${spent} of the sample evaluations of an exact surface; a larger share makes it smaller`;
    warnings.push({ code: "tolerance-not-reached", message });
  }
  return warnings;
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${Number((100 * share).toPrecision(2))} %` : "an unknown share";
}

const REFUSED: LandscapeWarning = {
  code: "cannot-promise",
  message:
    "values that are not finite lie scattered among finite ones, so that no error could be promised: every point was evaluated",
};

/** Options of {@link approximateSurface}. */
export interface ApproximateSurfaceOptions extends ApproximateOptions, Stoppable {
  /** Called after each evaluation with the sample evaluations spent and those that may be. */
  readonly onProgress?: (spent: number, budget: number) => void;
  /** What becomes of batch norm's statistics at each point. Default: they move with the other weights. */
  readonly batchNorm?: BatchNormPolicyName | undefined;
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
 * that are drawn at the end to check all of it; without a subsample from points drawn at random, so many that
 * their errors bound those of 95 % of the others, each left out in turn. A feature that lies between all points evaluated is not seen.
 * Points of a round are evaluated at once where the evaluator takes several; what is evaluated does not depend
 * on how many.
 * Cost: at most the budget (some twelve exact points at least; without a subsample a tenth of the points and up to
 * 70 more; all of them where no error can be promised).
 *
 * @param directions - θ* and as many vectors as the grid has axes, or any map from coordinates to θ.
 * @returns a surface with `approximation`; values at exact points are those of `evaluateSurface`, to rounding
 * where the evaluator shares work on a plane.
 * @throws {@link InvalidOptionError} if options, grid, directions and evaluator do not fit together.
 * @throws {@link InvalidDataError} if θ* or a direction is not finite.
 * @example const surface = await approximateSurface(evaluator, directions, grid, { tolerance: 0.01 });
 */
export async function approximateSurface(
  evaluator: LossEvaluator,
  directions: SlicePoints,
  grid: Grid,
  options: ApproximateSurfaceOptions = {},
): Promise<Surface> {
  const { samples } = evaluator.facts;
  const divisible = isDivisible(evaluator) ? evaluator : null;
  const settings = resolveApproximateOptions(options, samples, divisible !== null);
  checkGrid(grid);
  if (isSliceMap(directions)) checkCenter(directions.center, evaluator.facts.parameterCount);
  else checkDirections(directions, grid, evaluator.facts.parameterCount);
  const { signal, batchNorm } = options;
  const data = createPointData(grid.alpha.length, grid.beta.length, evaluator.facts.metricNames);
  const origin = originIndex(grid);

  let subset: SampleEvaluator | null = null;
  let slice: SliceLoss | null = null;
  let points: PointEvaluator | null = null;
  try {
    slice = await openSlice(evaluator, directions, { batchNorm, signal });
    const drawn =
      settings.subsample === 0 || divisible === null
        ? null
        : await drawSubsample(divisible, directions.center, settings.subsample, settings.seed, signal);
    if (drawn !== null) subset = (await divisible?.openSamples(drawn.sample.rows, signal)) ?? null;
    const before = drawn?.evaluations ?? 0;
    const exactEvaluations = samples * (data.state.length + (origin === -1 ? 1 : 0));
    const least = drawn === null ? samples * leastEvaluations(data.state.length) : 0;
    const limit = Math.max(settings.share * exactEvaluations, least);
    const opened: PointEvaluator = createPointEvaluator({
      evaluator,
      subset,
      slice,
      batchNorm,
      grid,
      origin,
      data,
      signal,
      before,
      known: options.known ?? [],
      onPoint: options.onPoint ?? (() => {}),
      report: () => options.onProgress?.(opened.spent(), Math.max(limit, opened.spent())),
    });
    points = opened;
    const refined = await refine({
      data,
      points,
      sample: drawn?.sample ?? null,
      settings,
      limit,
      samples,
      origin,
      signal,
    });
    const counts = { sampleEvaluations: points.spent(), exactSampleEvaluations: exactEvaluations };
    const approximation = describe(data, refined, { ...settings, subsample: subset?.samples ?? 0 }, counts);
    const { clippedShare, cappedShare } = points.shares();
    const nonFinite = refined.values.reduce((count, value) => count + (Number.isFinite(value) ? 0 : 1), 0);
    const { lossMode, weights, engine } = evaluator.facts;
    return {
      alpha: grid.alpha,
      beta: grid.beta,
      loss: refined.values,
      metrics: refined.metrics,
      center: points.center(),
      nonFinite,
      clippedShare,
      cappedShare,
      lossMode,
      ...defined({ weights }),
      samples,
      engine,
      approximation,
      warnings: [
        ...surfaceWarnings({ nonFinite, points: data.state.length, cappedShare }),
        ...points.undefinedCount.warnings(data.state.length),
        ...approximationWarnings(approximation),
        ...(refined.refused ? [REFUSED] : []),
      ],
    };
  } finally {
    await points?.close();
    subset?.dispose();
    slice?.dispose();
  }
}

function isDivisible(
  evaluator: LossEvaluator,
): evaluator is LossEvaluator & Required<Pick<LossEvaluator, "openSamples">> {
  return evaluator.openSamples !== undefined;
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
