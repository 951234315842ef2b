import { estimateFromSample, type SampledEstimate } from "./estimate-from-sample.js";
import { calibrationFactor, heldOut, localError, type Residual, ratio, rounding } from "./held-out.js";
import { cornersOf, type PointData, type QuantityData, UNKNOWN } from "./point-data.js";
import type { Stencil, Stencils } from "./stencils.js";
import type { StratifiedSample } from "./stratified-sample.js";

/** Values of a quantity over a grid, with bounds of their errors that hold at 95 % of the points. */
export interface Estimate {
  readonly values: Float64Array;
  /** Bound of the error: 0 at exact points, infinite where nothing is known of it. */
  readonly errors: Float64Array;
  /** The part of the bound that evaluating more samples near a point makes smaller. */
  readonly sampling: Float64Array;
}

/** What an estimate is made from beside the data. */
export interface EstimateTools {
  /** The subsample, or null where every evaluation is exact. */
  readonly sample: StratifiedSample | null;
  readonly stencils: Stencils;
  /** Points that were drawn at random, by which the interpolation error is calibrated. */
  readonly drawn: readonly number[];
}

/** Known points around a place that must all be finite for it to be interpolated. */
const AROUND = 6;

/**
 * Estimates a quantity at every grid point.
 *
 * Points of the subsample: its mean plus the difference that exact neighbours have from theirs, interpolated
 * (see {@link estimateFromSample}). Other points: interpolated between known ones, with the error that leaving
 * out known points shows, calibrated on points drawn at random. Points beside values that are not finite are
 * not interpolated over: their error is infinite until they are evaluated.
 */
export function estimate(points: PointData, data: QuantityData, tools: EstimateTools): Estimate {
  const { state } = points;
  const { stencils, drawn } = tools;
  const total = state.length;
  const sampled = estimateFromSample(points, data, tools);
  const values = Float64Array.from(sampled.values);
  const errors = Float64Array.from(sampled.errors);
  const sampling = Float64Array.from(sampled.errors);
  const { known, finite } = knownPoints(state, values);
  if (known.length === total) return { values, errors, sampling };

  const corners = cornersOf(points);
  const isOpen = (point: number) => !corners.has(point);
  const residual = (point: number, stencil: Stencil | null): Residual[] => {
    if (stencil === null) return [];
    const own = predict(stencil, values, sampled);
    return [{ point, residual: Math.abs(values[point] - own.value), distance: stencil.distance }];
  };
  const held = heldOut(
    finite.filter(isOpen).flatMap((point) => residual(point, stencils.of(point, finite))),
    drawn
      .filter((point) => Number.isFinite(values[point]))
      .flatMap((point) => residual(point, stencils.coarse(point, finite))),
  );
  const ratios = drawn.flatMap((point) => {
    const place = held.places.get(point);
    if (place === undefined) return [];
    const expected = localError(point, held.distances[place], held, stencils);
    return [ratio(held.residuals[place], expected, values[point])];
  });
  const factor = calibrationFactor(ratios);
  const isMixed = finite.length < known.length;
  for (let point = 0; point < total; point++) {
    if (state[point] !== UNKNOWN) continue;
    const stencil = stencils.of(point, finite);
    const own = stencil === null ? null : predict(stencil, values, sampled);
    values[point] = own?.value ?? Number.NaN;
    sampling[point] = own?.sampling ?? 0;
    const isBeside =
      isMixed && stencils.nearest(point, known, AROUND).some((other) => !Number.isFinite(values[other]));
    if (own === null || isBeside) {
      errors[point] = Number.POSITIVE_INFINITY;
      continue;
    }
    const local = localError(point, own.distance, held, stencils);
    errors[point] = own.sampling + factor * local + rounding(own.value);
  }
  return { values, errors, sampling };
}

interface Prediction {
  readonly value: number;
  /** Sampling errors of the neighbours, as they add up at worst. */
  readonly sampling: number;
  readonly distance: number;
}

function predict(
  { points, weights, distance }: Stencil,
  values: Float64Array,
  { errors }: SampledEstimate,
): Prediction {
  let value = 0;
  let sampling = 0;
  points.forEach((other, i) => {
    value += weights[i] * values[other];
    if (errors[other] > 0) sampling += Math.abs(weights[i]) * errors[other];
  });
  return { value, sampling, distance };
}

function knownPoints(state: Uint8Array, values: Float64Array) {
  const known = Array.from(state.keys()).filter((point) => state[point] !== UNKNOWN);
  return { known, finite: known.filter((point) => Number.isFinite(values[point])) };
}
