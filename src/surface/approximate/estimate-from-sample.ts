import type { EstimateTools } from "./estimate.js";
import { calibrationFactor, heldOut, localError, type Residual, ratio, rounding } from "./held-out.js";
import { cornersOf, EXACT, type PointData, pointsOf, type QuantityData, SAMPLED } from "./point-data.js";
import type { Stencil, Stencils } from "./stencils.js";
import type { StratifiedSample } from "./stratified-sample.js";
import { stratifiedMean } from "./stratified-sample.js";

/** Values at exact and sampled points, NaN elsewhere, with bounds of their errors. */
export interface SampledEstimate {
  readonly values: Float64Array;
  readonly errors: Float64Array;
  /** The sampling error of what a stencil interpolates between such points. */
  errorBetween(point: number, stencil: Stencil): number;
}

/** Standard errors that a bound takes at least: 95 % of a normal distribution. */
const STANDARD_ERRORS = 2;
/** Known points around a point on which its being finite depends. */
const AROUND = 6;

/**
 * Estimates a quantity at the points of the subsample with the exact points as control variates: the mean over
 * the subsample of y(p) − Σ w·y(a), plus Σ w·(exact value at a), over the exact neighbours a with the weights w
 * of an interpolation. That is the subsample's value plus the interpolated difference (exact − subsample).
 *
 * It is unbiased whatever the landscape, since the weights do not depend on the values, and its standard error
 * is that of the differences. What leaving out exact points shows enters beside it, and both are multiplied by
 * the factor with which they bound the errors at the exact points left out, since a rare huge loss may be
 * missing from the subsample. What is interpolated between such points is a mean of the subsample too, with a
 * standard error of its own.
 *
 * @see Cochran, Sampling Techniques, section 7.9 (difference estimators).
 */
export function estimateFromSample(
  points: PointData,
  data: QuantityData,
  { sample, stencils }: EstimateTools,
): SampledEstimate {
  const { state } = points;
  const values = data.exact.slice();
  const errors = new Float64Array(state.length);
  if (sample === null) return { values, errors, errorBetween: () => 0 };
  const anchors = pointsOf(points, EXACT).filter(
    (point) => Number.isFinite(data.exact[point]) && data.samples[point]?.every(Number.isFinite),
  );
  const corners = cornersOf(points);
  const estimateAt = (point: number, stencil: Stencil | null) =>
    differenceEstimate(point, stencil, data, sample);
  const residual = (point: number, { mean, distance }: Difference): Residual => ({
    point,
    residual: Math.abs(data.exact[point] - mean),
    distance,
  });
  const left = anchors
    .filter((point) => !corners.has(point))
    .map((point) => ({ point, own: estimateAt(point, stencils.of(point, anchors)) }));
  const held = heldOut(
    left.map(({ point, own }) => residual(point, own)),
    left.map(({ point }) => residual(point, estimateAt(point, stencils.coarse(point, anchors)))),
    stencils,
  );
  const expected = (point: number, standardError: number, distance: number): number =>
    Math.hypot(
      STANDARD_ERRORS * standardError,
      held.points.length < 2 ? 0 : localError(point, distance, held, stencils),
    );
  const factor = calibrationFactor(
    left.map(({ point, own }, place) =>
      ratio(held.residuals[place], expected(point, own.standardError, own.distance), data.exact[point]),
    ),
  );
  const isDoubtful = finiteness(points, data, stencils);
  const differences = new Map<number, Float64Array>();
  for (const point of pointsOf(points, SAMPLED)) {
    const own = estimateAt(point, stencils.of(point, anchors));
    values[point] = own.mean;
    // A sample without a finite loss leaves the mean over all samples without one too.
    if (!Number.isFinite(own.mean)) continue;
    differences.set(point, own.differences);
    errors[point] = isDoubtful(point)
      ? Number.POSITIVE_INFINITY
      : factor * expected(point, own.standardError, own.distance) + rounding(own.mean);
  }
  const sum = new Float64Array(sample.rows.length);
  const errorBetween = (point: number, stencil: Stencil): number => {
    if (stencil.points.some((other) => errors[other] === Number.POSITIVE_INFINITY)) {
      return Number.POSITIVE_INFINITY;
    }
    sum.fill(0);
    stencil.points.forEach((other, i) => {
      addInto(sum, stencil.weights[i], differences.get(other));
    });
    const [anchor] = stencils.nearest(point, anchors, 1);
    const distance = anchor === undefined ? 0 : stencils.distance(point, anchor);
    return factor * expected(point, stratifiedMean(sum, sample).standardError, distance);
  };
  return { values, errors, errorBetween };
}

/** Adds a multiple of values; exact points have none to add. */
function addInto(sum: Float64Array, weight: number, values: Float64Array | undefined): void {
  if (values === undefined) return;
  for (let k = 0; k < sum.length; k++) sum[k] += weight * values[k];
}

interface Difference {
  readonly mean: number;
  readonly standardError: number;
  /** Distance to the nearest exact point. */
  readonly distance: number;
  /** Sample by sample, less what the exact points explain. */
  readonly differences: Float64Array;
}

function differenceEstimate(
  point: number,
  stencil: Stencil | null,
  { exact, samples }: QuantityData,
  sample: StratifiedSample,
): Difference {
  const own = samples[point] as Float64Array;
  if (stencil === null || !own.every(Number.isFinite)) {
    return { ...stratifiedMean(own, sample), distance: 0, differences: own };
  }
  const differences = own.slice();
  let correction = 0;
  stencil.points.forEach((anchor, i) => {
    correction += stencil.weights[i] * exact[anchor];
    addInto(differences, -stencil.weights[i], samples[anchor] as Float64Array);
  });
  const { mean, standardError } = stratifiedMean(differences, sample);
  return { mean: mean + correction, standardError, distance: stencil.distance, differences };
}

/**
 * Says of which points it is in doubt whether the loss over all samples is finite: those beside exact points
 * where it is not, unless the subsample has shown every one of those.
 */
function finiteness(points: PointData, data: QuantityData, stencils: Stencils): (point: number) => boolean {
  const exact = pointsOf(points, EXACT);
  const gaps = exact.filter((point) => !Number.isFinite(data.exact[point]));
  const isHidden = gaps.some((point) => data.samples[point]?.every(Number.isFinite));
  if (!isHidden) return () => false;
  return (point) =>
    stencils.nearest(point, exact, AROUND).some((other) => !Number.isFinite(data.exact[other]));
}
