import { estimateFromSample } from "./estimate-from-sample.js";
import { calibrationFactor, heldOut, localError, type Residual, ratio, rounding } from "./held-out.js";
import { cornersOf, type PointData, type QuantityData, UNKNOWN } from "./point-data.js";
import type { Stencil, Stencils } from "./stencils.js";
import type { StratifiedSample } from "./stratified-sample.js";

/** Values of a quantity over a grid, with bounds of their errors that hold at 95 % of the points. */
export interface Estimate {
  readonly values: Float64Array;
  /** Bound of the error: 0 at exact points, infinite where nothing is known of it. */
  readonly errors: Float64Array;
  /** Whether the points drawn show that bounds hold: false where one that is not finite lies among finite ones. */
  readonly isPromised: boolean;
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

/**
 * Known points around a place that must all be finite for it to be interpolated: without a subsample the first
 * number by which no drawn point was taken for finite.
 */
const AROUND = [6, 10, 16, 24];
/**
 * Without a subsample bounds are multiplied by this beside what the drawn points show: the largest ratio of some
 * 60 bounds 95 % of the others in 95 % of cases, and no more.
 */
const MARGIN = 1.3;

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
  if (known.length === total) return { values, errors, sampling, isPromised: true };

  const corners = cornersOf(points);
  const isOpen = (point: number) => !corners.has(point);
  const residual = (point: number, stencil: Stencil | null): Residual[] => {
    if (stencil === null) return [];
    const off = values[point] - interpolate(stencil, values);
    return [{ point, residual: Math.abs(off), distance: stencil.distance }];
  };
  const held = heldOut(
    finite.filter(isOpen).flatMap((point) => residual(point, stencils.of(point, finite))),
    drawn
      .filter((point) => Number.isFinite(values[point]))
      .flatMap((point) => residual(point, stencils.coarse(point, finite))),
    stencils,
  );
  const ratios = drawn.flatMap((point) => {
    const place = held.places.get(point);
    if (place === undefined) return [];
    const expected = localError(point, held.distances[place], held, stencils);
    return [ratio(held.residuals[place], expected, values[point])];
  });
  const factor = calibrationFactor(ratios) * (tools.sample === null ? MARGIN : 1);
  const isMixed = finite.length < known.length;
  const isBeside = (point: number, around: number): boolean =>
    stencils.nearest(point, known, around).some((other) => !Number.isFinite(values[other]));
  const isTakenForFinite = (around: number): boolean =>
    drawn.some((point) => !Number.isFinite(values[point]) && !isBeside(point, around));
  const around = tools.sample !== null || !isMixed ? AROUND[0] : AROUND.find((one) => !isTakenForFinite(one));
  for (let point = 0; point < total; point++) {
    if (state[point] !== UNKNOWN) continue;
    const stencil = stencils.of(point, finite);
    errors[point] = Number.POSITIVE_INFINITY;
    if (stencil !== null) values[point] = interpolate(stencil, values);
    if (stencil === null || (isMixed && (around === undefined || isBeside(point, around)))) continue;
    const local = localError(point, stencil.distance, held, stencils);
    sampling[point] = sampled.errorBetween(point, stencil);
    errors[point] = sampling[point] + factor * local + rounding(values[point]);
  }
  return { values, errors, sampling, isPromised: around !== undefined };
}

function interpolate({ points, weights }: Stencil, values: Float64Array): number {
  let value = 0;
  for (let i = 0; i < points.length; i++) value += weights[i] * values[points[i]];
  return value;
}

function knownPoints(state: Uint8Array, values: Float64Array) {
  const known = Array.from(state.keys()).filter((point) => state[point] !== UNKNOWN);
  return { known, finite: known.filter((point) => Number.isFinite(values[point])) };
}

/** Greatest minus least finite value; 0 where there is none. */
export function rangeOf(values: Float64Array): number {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return most >= least ? most - least : 0;
}

/**
 * Returns the bound that 97.5 % of the points keep. With bounds that hold at 97.5 % of the points, the error is
 * no larger than this at 95 % of them.
 */
export function boundOfMost(errors: Float64Array): number {
  const sorted = errors.slice().sort();
  return sorted.length === 0 ? Number.NaN : sorted[Math.max(0, Math.ceil(0.975 * sorted.length) - 1)];
}
