import { wholeNumber } from "../base/check-option.js";
import { InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Followed } from "../base/work.js";
import {
  type ColumnRange,
  countColumns,
  embedVector,
  selectColumns,
} from "../directions/column-selection.js";
import type { LossEvaluator } from "../loss/loss-evaluator.js";
import type { ParameterLayout } from "../model/layout.js";
import { norm, normalVector, scaled } from "./vectors.js";

/** Options of {@link curvatureAtScale}; progress counts evaluations. */
export interface CurvatureAtScaleOptions extends Followed {
  /** Radii ρ > 0. */
  readonly radii: readonly number[];
  /** Random unit directions u. Default 20. */
  readonly directions?: number | undefined;
  /** The meaning of the entries of θ: only trained weights move. Default all entries move. */
  readonly layout?: ParameterLayout | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
}

/** Curvature over a distance, for each radius. */
export interface CurvatureAtScale {
  readonly radii: readonly number[];
  /** Mean of D·(L(θ+ρu) − 2·L(θ) + L(θ−ρu))/ρ² over the directions; NaN where a loss is not finite. */
  readonly mean: Float64Array;
  /** Standard error of the mean. */
  readonly standardError: Float64Array;
  /** What float32 losses cannot tell from zero at each radius, as a size: 4·2⁻²⁴·|L|·D/ρ². */
  readonly rounding: Float64Array;
  readonly loss: number;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Estimates the curvature at scale ρ: E over unit vectors u of D·(L(θ+ρu) − 2·L(θ) + L(θ−ρu))/ρ², from losses alone.
 *
 * As ρ → 0 it tends to the trace of the Hessian where the loss is smooth. On ReLU networks it is another quantity at
 * every ρ: kinks count, which the Hessian does not see. It tells what a surface shows at that distance.
 * Cost: 2 · directions · radii + 1 losses.
 *
 * @param theta - θ (parameterCount).
 * @throws {@link InvalidOptionError} if a radius or the number of directions cannot be used.
 * @example const { mean } = await curvatureAtScale(evaluator, theta, { radii: [0.01, 0.1, 1], layout });
 */
export async function curvatureAtScale(
  evaluator: LossEvaluator,
  theta: Float32Array,
  options: CurvatureAtScaleOptions,
): Promise<CurvatureAtScale> {
  const { radii, directions = 20, layout, seed = 0, signal, onProgress } = options;
  checkRadii(radii, true);
  wholeNumber("directions", directions);
  const ranges: readonly ColumnRange[] =
    layout === undefined ? [{ start: 0, end: theta.length }] : selectColumns(layout);
  const size = countColumns(ranges);
  const total = 1 + 2 * directions * radii.length;
  let done = 0;
  const moved = new Float32Array(theta.length);
  const lossAt = async (vector: Float64Array, radius: number): Promise<number> => {
    for (let i = 0; i < theta.length; i++) moved[i] = theta[i] + radius * vector[i];
    const { loss } = await evaluator.evaluate(moved, { signal });
    onProgress?.(++done, total);
    return loss;
  };
  const loss = await lossAt(new Float64Array(theta.length), 0);
  const found: number[][] = radii.map(() => []);
  for (let k = 0; k < directions; k++) {
    const own = normalVector(size, seed, "scale", k);
    const u = embedVector(scaled(own, 1 / norm(own)), ranges, theta.length);
    for (const [r, radius] of radii.entries()) {
      const [ahead, behind] = [await lossAt(u, radius), await lossAt(u, -radius)];
      found[r]?.push((size * (ahead - 2 * loss + behind)) / radius ** 2);
    }
  }
  const mean = Float64Array.from(found, (values) => values.reduce((a, b) => a + b, 0) / values.length);
  const standardError = Float64Array.from(found, (values, r) => {
    const squares = values.reduce((sum, value) => sum + (value - mean[r]) ** 2, 0);
    return values.length < 2 ? Number.NaN : Math.sqrt(squares / (values.length - 1) / values.length);
  });
  const rounding = Float64Array.from(radii, (radius) => (4 * 2 ** -24 * Math.abs(loss) * size) / radius ** 2);
  return { radii, mean, standardError, rounding, loss, warnings: roundingWarnings(radii, mean, rounding) };
}

function roundingWarnings(
  radii: readonly number[],
  mean: Float64Array,
  rounding: Float64Array,
): LandscapeWarning[] {
  const lost = radii.flatMap((radius, r) => (rounding[r] > 0.1 * Math.abs(mean[r]) ? [radius] : []));
  if (lost.length === 0) return [];
  const worst = Math.max(...lost.map((radius) => rounding[radii.indexOf(radius)]));
  const message =
    `curvature at scale ${lost.join(", ")}: rounding of float32 losses alone may amount to ${worst.toPrecision(2)}, ` +
    "more than a tenth of the value; take a larger radius";
  return [{ code: "curvature-rounding", message }];
}

/** Losses around θ by distance. */
export interface RadiusCurves {
  readonly radii: readonly number[];
  /** Loss (direction, radius), row-major. */
  readonly losses: Float64Array;
  /** Mean over the directions at each radius; NaN where one is. */
  readonly mean: Float64Array;
  /** Largest over the directions at each radius; NaN where one is not defined. */
  readonly maximum: Float64Array;
}

/**
 * Evaluates L(θ + ρ·d) for directions d and radii ρ: how fast the loss rises around θ, on average and at worst.
 *
 * @param directions - vectors (parameterCount each), used as they are: filter-normalized random ones
 * (`randomDirections`), or the gradient normalized likewise (`normalizeDirection`), compare across networks.
 * @param radii - in units of the directions; negative ones go the other way.
 * @throws {@link InvalidOptionError} if there is no direction, one has another length, or a radius is not finite.
 * @example const { maximum } = await radiusCurves(evaluator, theta, randomDirections(layout, theta).vectors, [0, 0.1, 0.2]);
 */
export async function radiusCurves(
  evaluator: LossEvaluator,
  theta: Float32Array,
  directions: readonly Float32Array[],
  radii: readonly number[],
  signal?: AbortSignal,
): Promise<RadiusCurves> {
  checkRadii(radii, false);
  if (directions.length === 0 || directions.some(({ length }) => length !== theta.length)) {
    const got = directions.length === 0 ? "none" : `lengths ${directions.map(({ length }) => length)}`;
    throw new InvalidOptionError("directions", `vectors of ${theta.length} numbers`, got);
  }
  const losses = new Float64Array(directions.length * radii.length);
  const moved = new Float32Array(theta.length);
  let at = 0;
  for (const direction of directions) {
    for (const radius of radii) {
      for (let i = 0; i < theta.length; i++) moved[i] = theta[i] + radius * direction[i];
      losses[at++] = (await evaluator.evaluate(moved, { signal })).loss;
    }
  }
  const column = (r: number) => directions.map((_, k) => losses[k * radii.length + r]);
  return {
    radii,
    losses,
    mean: Float64Array.from(radii, (_, r) => column(r).reduce((a, b) => a + b, 0) / directions.length),
    maximum: Float64Array.from(radii, (_, r) => Math.max(...column(r))),
  };
}

function checkRadii(radii: readonly number[], isPositive: boolean): void {
  const isUsable = (radius: number) => Number.isFinite(radius) && (!isPositive || radius > 0);
  if (radii.length > 0 && radii.every(isUsable)) return;
  const expected = isPositive ? "finite numbers above 0" : "finite numbers";
  throw new InvalidOptionError("radii", expected, radii.length === 0 ? "none" : radii.join(", "));
}
