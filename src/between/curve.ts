import { InvalidOptionError } from "../base/errors.js";
import type { SliceMap } from "../directions/slice-map.js";

/**
 * What a curve between two models is:
 * - "bezier": quadratic, with one bend (Garipov et al. 2018);
 * - "polychain": straight pieces between bends;
 * - "neb": a nudged elastic band, straight pieces between pivots that lie evenly along it (Draxler et al. 2018).
 */
export type CurveKind = "bezier" | "polychain" | "neb";

/** All kinds. */
export const CURVE_KINDS: readonly CurveKind[] = ["bezier", "polychain", "neb"];

/** A curve in weight space, given by a few of its points. */
export interface Curve {
  readonly kind: CurveKind;
  /** θ_A, the bends or pivots in their order, θ_B (each parameterCount). A Bezier curve has 3 and misses the second. */
  readonly points: readonly Float32Array[];
}

/**
 * Returns the weights with which the points of a curve are added up at a coordinate; they sum to 1.
 *
 * @param knots - coordinates of the points of a chain, from 0 to 1.
 */
export function curveWeights(kind: CurveKind, knots: ArrayLike<number>, t: number): Float64Array {
  const weights = new Float64Array(knots.length);
  if (kind === "bezier") return weights.map((_, k) => [(1 - t) ** 2, 2 * t * (1 - t), t * t][k] as number);
  let piece = 0;
  while (piece < knots.length - 2 && t >= knots[piece + 1]) piece++;
  const width = knots[piece + 1] - knots[piece];
  const share = width > 0 ? (t - knots[piece]) / width : 1;
  weights[piece] = 1 - share;
  weights[piece + 1] = share;
  return weights;
}

/** Coordinates of a curve's points: even for a trained chain, by length along a band. */
export function curveKnots({ kind, points }: Curve): Float64Array {
  const last = points.length - 1;
  const even = Float64Array.from({ length: points.length }, (_, k) => k / last);
  if (kind !== "neb") return even;
  const knots = new Float64Array(points.length);
  for (let k = 1; k <= last; k++) knots[k] = knots[k - 1] + distanceBetween(points[k - 1], points[k]);
  const whole = knots[last];
  return whole > 0 ? knots.map((length, k) => (k === last ? 1 : length / whole)) : even;
}

/**
 * Returns a curve as a path from θ_A (t = 0) to θ_B (t = 1), exact at both ends.
 *
 * @throws {@link InvalidOptionError} for too few points, or points of different lengths.
 * @example const path = await evaluatePath("curve", curvePath(curve), sets, "recalibrate", { points: 61 });
 */
export function curvePath(curve: Curve): SliceMap {
  const { kind, points } = curve;
  const needed = kind === "bezier" ? points.length === 3 : points.length >= 2;
  if (!needed) throw new InvalidOptionError("curve", `points of a ${kind} curve`, `${points.length}`);
  const [a, b] = [points[0], points[points.length - 1]];
  const other = points.find(({ length }) => length !== a.length);
  if (other !== undefined) throw new InvalidOptionError("curve", `${a.length} weights`, `${other.length}`);
  const knots = curveKnots(curve);
  return {
    center: a,
    writeInto(out, t) {
      if (t === 0 || t === 1) {
        out.set(t === 0 ? a : b);
        return;
      }
      const weights = curveWeights(kind, knots, t);
      const terms = points.flatMap((point, k) => (weights[k] === 0 ? [] : [{ point, by: weights[k] }]));
      for (let i = 0; i < out.length; i++) {
        let value = 0;
        for (const { point, by } of terms) value += by * point[i];
        out[i] = value;
      }
    },
  };
}

/** ‖a − b‖ (float64). */
export function distanceBetween(a: Float32Array, b: Float32Array): number {
  let square = 0;
  for (let i = 0; i < a.length; i++) square += (a[i] - b[i]) ** 2;
  return Math.sqrt(square);
}

/** The point at a share of the way from a to b, as a new vector. */
export function pointBetween(a: Float32Array, b: Float32Array, share: number): Float32Array {
  return a.map((value, i) => (1 - share) * value + share * b[i]);
}
