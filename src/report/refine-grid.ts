import { finiteRange } from "./finite-range.js";

/** A grid of values refined between its points. */
export interface RefinedGrid {
  /** Values (height, width), row-major; NaN wherever a corner of the original cell is not finite. */
  readonly values: Float64Array;
  readonly width: number;
  readonly height: number;
  /** Number of fine steps in one original step. */
  readonly factor: number;
}

/**
 * Refines a grid `factor` times by modified Akima interpolation, first along rows, then along columns.
 *
 * Every given value is kept, planes are reproduced, and the result is held inside the range of the given
 * finite values: no loss is drawn that is lower or higher than all that were evaluated. Akima's slopes keep
 * ripples away from plateaus and cliffs, which a plain cubic spline does not. Cells with a non-finite
 * corner stay NaN.
 *
 * @param values - (height, width), row-major.
 * @see Akima 1970; the modified weights avoid the jump of the original where neighbouring slopes are equal.
 */
export function refineGrid(
  values: ArrayLike<number>,
  width: number,
  height: number,
  factor: number,
): RefinedGrid {
  const fineWidth = (width - 1) * factor + 1;
  const fineHeight = (height - 1) * factor + 1;
  const fine = new Float64Array(fineWidth * fineHeight);
  const row = new Float64Array(width);
  for (let j = 0; j < height; j++) {
    for (let i = 0; i < width; i++) {
      const value = values[j * width + i] as number;
      row[i] = Number.isFinite(value) ? value : Number.NaN;
    }
    const refined = refineLine(row, factor);
    fine.set(refined, j * factor * fineWidth);
  }
  const column = new Float64Array(height);
  for (let i = 0; i < fineWidth; i++) {
    for (let j = 0; j < height; j++) column[j] = fine[j * factor * fineWidth + i] as number;
    const refined = refineLine(column, factor);
    for (let j = 0; j < fineHeight; j++) fine[j * fineWidth + i] = refined[j] as number;
  }
  clampInto(fine, values);
  return { values: fine, width: fineWidth, height: fineHeight, factor };
}

/** Holds refined values inside the range of the given finite ones; NaN stays. */
function clampInto(fine: Float64Array, values: ArrayLike<number>): void {
  const range = finiteRange(values);
  if (range === null) return;
  for (let k = 0; k < fine.length; k++) fine[k] = Math.min(Math.max(fine[k] as number, range[0]), range[1]);
}

/** Piecewise cubic interpolation of equally spaced values; NaN between neighbours that are not both finite. */
function refineLine(values: Float64Array, factor: number): Float64Array {
  const slopes = values.map((_, index) => slopeAt(values, index));
  const out = new Float64Array((values.length - 1) * factor + 1);
  for (let i = 0; i < values.length - 1; i++) {
    const a = values[i] as number;
    const b = values[i + 1] as number;
    const isFinitePair = Number.isFinite(a) && Number.isFinite(b);
    out[i * factor] = a;
    for (let k = 1; k < factor; k++) {
      out[i * factor + k] = isFinitePair
        ? hermite(a, b, slopes[i] as number, slopes[i + 1] as number, k / factor)
        : Number.NaN;
    }
  }
  out[out.length - 1] = values[values.length - 1] as number;
  return out;
}

/** Slope at a point: the secants beside it, each weighted by how even the secants on the other side are. */
function slopeAt(values: Float64Array, index: number): number {
  const secant = (k: number): number => (values[k + 1] ?? Number.NaN) - (values[k] ?? Number.NaN);
  let left = secant(index - 1);
  let right = secant(index);
  if (!Number.isFinite(left) && !Number.isFinite(right)) return 0;
  // Where values end, secants go on as they changed last: a parabola.
  if (!Number.isFinite(left)) left = extend(right, secant(index + 1));
  if (!Number.isFinite(right)) right = extend(left, secant(index - 2));
  const farLeft = extendIfMissing(secant(index - 2), left, right);
  const farRight = extendIfMissing(secant(index + 1), right, left);
  const leftWeight = Math.abs(farRight - right) + Math.abs(farRight + right) / 2;
  const rightWeight = Math.abs(left - farLeft) + Math.abs(left + farLeft) / 2;
  const total = leftWeight + rightWeight;
  return total === 0 ? 0 : (leftWeight * left + rightWeight * right) / total;
}

/** The secant before `near`, continuing the change from `far` to `near`. */
function extend(near: number, far: number): number {
  return Number.isFinite(far) ? 2 * near - far : near;
}

function extendIfMissing(secant: number, near: number, far: number): number {
  return Number.isFinite(secant) ? secant : extend(near, far);
}

function hermite(a: number, b: number, slopeA: number, slopeB: number, t: number): number {
  const t2 = t * t;
  const t3 = t2 * t;
  return (2 * t3 - 3 * t2 + 1) * a + (t3 - 2 * t2 + t) * slopeA + (3 * t2 - 2 * t3) * b + (t3 - t2) * slopeB;
}
