/** Lower Cholesky factor of a symmetric matrix, and its pivots. */
export interface Cholesky {
  /** L (n, n), row-major, with L·Lᵀ = A; zeros above the diagonal. */
  readonly lower: Float64Array;
  /**
   * The pivots (n), before the square root. For a Gram matrix pivot i is the squared distance of vector
   * i to the span of those before it.
   */
  readonly pivots: Float64Array;
}

/**
 * Returns the Cholesky factor of a small symmetric positive definite matrix (n, n), float64.
 *
 * A pivot that is not positive leaves a zero column in L; the caller judges the pivots.
 */
export function cholesky(matrix: Float64Array, n: number): Cholesky {
  const lower = new Float64Array(n * n);
  const pivots = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    let pivot = matrix[j * n + j];
    for (let k = 0; k < j; k++) pivot -= lower[j * n + k] ** 2;
    pivots[j] = pivot;
    if (!(pivot > 0)) continue;
    const diagonal = Math.sqrt(pivot);
    lower[j * n + j] = diagonal;
    for (let i = j + 1; i < n; i++) {
      let value = matrix[i * n + j];
      for (let k = 0; k < j; k++) value -= lower[i * n + k] * lower[j * n + k];
      lower[i * n + j] = value / diagonal;
    }
  }
  return { lower, pivots };
}

/** Returns x with L·Lᵀ·x = b, L from {@link cholesky} with positive pivots. */
export function solveCholesky(lower: Float64Array, n: number, b: ArrayLike<number>): Float64Array {
  const x = solveLower(lower, n, b);
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] -= lower[k * n + i] * x[k];
    x[i] /= lower[i * n + i];
  }
  return x;
}

/** Returns x with L·x = b, L lower triangular (n, n). */
export function solveLower(lower: Float64Array, n: number, b: ArrayLike<number>): Float64Array {
  const x = Float64Array.from(b);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] -= lower[i * n + k] * x[k];
    x[i] /= lower[i * n + i];
  }
  return x;
}
