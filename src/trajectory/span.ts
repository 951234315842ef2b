import { InvalidOptionError } from "../errors.js";
import { cholesky, solveCholesky } from "../math/cholesky.js";
import { dot } from "../math/row-kernels.js";

/** Directions ready to solve the normal equations. */
export interface Span {
  /** Returns c (k) with (dᵀd)·c = b, for b the products of a vector with each direction. */
  solve(products: ArrayLike<number>): Float64Array;
}

/** Below this angle (radians) to the others a direction does not span a plane with them. */
const SMALLEST_ANGLE = 1e-4;

/**
 * Prepares directions of any lengths and angles for least squares.
 *
 * @throws {@link InvalidOptionError} naming a direction that is zero or not finite, or that lies within 1e-4 radians
 * of the span of those before it, with the angle.
 */
export function createSpan(vectors: readonly Float32Array[]): Span {
  const k = vectors.length;
  if (k === 0) throw new InvalidOptionError("directions", "at least one direction", "none");
  const lengths = vectors.map((vector) => Math.sqrt(dot(vector, vector)));
  lengths.forEach((length, a) => {
    if (length > 0 && Number.isFinite(length)) return;
    throw new InvalidOptionError(
      `direction ${a}`,
      "a finite vector other than zero",
      `one of length ${length}`,
    );
  });
  // Normalised to a unit diagonal, so that a pivot is the squared sine of an angle.
  const gram = new Float64Array(k * k);
  for (let a = 0; a < k; a++) {
    for (let b = 0; b < k; b++) {
      gram[a * k + b] = a === b ? 1 : dot(vectors[a], vectors[b]) / (lengths[a] * lengths[b]);
    }
  }
  const { lower, pivots } = cholesky(gram, k);
  pivots.forEach((pivot, a) => {
    const angle = Math.asin(Math.sqrt(Math.min(1, Math.max(0, pivot))));
    if (angle >= SMALLEST_ANGLE) return;
    const others = a === 1 ? "direction 0" : "the span of the directions before it";
    throw new InvalidOptionError(
      `direction ${a}`,
      `an angle of at least ${SMALLEST_ANGLE} radians to ${others}`,
      `${angle.toPrecision(2)} (collinear)`,
    );
  });
  return {
    solve(products) {
      const scaled = lengths.map((length, a) => products[a] / length);
      return solveCholesky(lower, k, scaled).map((value, a) => value / lengths[a]);
    },
  };
}
