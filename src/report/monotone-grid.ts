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
 * Refines a grid `factor` times by monotone cubic interpolation, first along rows, then along columns.
 *
 * Every original value is kept, and no interpolated value leaves the range of its two neighbours in the
 * pass that makes it: no valley or ridge appears that was not evaluated. Cells with a non-finite corner
 * stay NaN.
 *
 * @param values - (height, width), row-major.
 * @see Fritsch and Carlson 1980; the slopes are the weighted harmonic means of Fritsch and Butland 1984.
 */
export function refineMonotone(
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
    for (let i = 0; i < width; i++) row[i] = values[j * width + i] as number;
    const refined = refineLine(row, factor);
    fine.set(refined, j * factor * fineWidth);
  }
  const column = new Float64Array(height);
  for (let i = 0; i < fineWidth; i++) {
    for (let j = 0; j < height; j++) column[j] = fine[j * factor * fineWidth + i] as number;
    const refined = refineLine(column, factor);
    for (let j = 0; j < fineHeight; j++) fine[j * fineWidth + i] = refined[j] as number;
  }
  return { values: fine, width: fineWidth, height: fineHeight, factor };
}

/** Monotone cubic interpolation of equally spaced values; NaN between neighbours that are not both finite. */
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

/** Slope at a point from the two secants beside it: their harmonic mean, 0 at an extremum. */
function slopeAt(values: Float64Array, index: number): number {
  const here = values[index] as number;
  const left = here - (values[index - 1] ?? Number.NaN);
  const right = (values[index + 1] ?? Number.NaN) - here;
  if (!Number.isFinite(left) && !Number.isFinite(right)) return 0;
  if (!Number.isFinite(left))
    return endSlope(right, (values[index + 2] ?? Number.NaN) - (values[index + 1] ?? 0));
  if (!Number.isFinite(right))
    return endSlope(left, (values[index - 1] ?? 0) - (values[index - 2] ?? Number.NaN));
  return left * right > 0 ? (2 * left * right) / (left + right) : 0;
}

/** One-sided three-point slope, limited so that the end segment stays monotone. */
function endSlope(near: number, far: number): number {
  if (!Number.isFinite(far)) return near;
  const slope = (3 * near - far) / 2;
  if (slope * near <= 0) return 0;
  return near * far < 0 && Math.abs(slope) > 3 * Math.abs(near) ? 3 * near : slope;
}

function hermite(a: number, b: number, slopeA: number, slopeB: number, t: number): number {
  const t2 = t * t;
  const t3 = t2 * t;
  return (2 * t3 - 3 * t2 + 1) * a + (t3 - 2 * t2 + t) * slopeA + (3 * t2 - 2 * t3) * b + (t3 - t2) * slopeB;
}
