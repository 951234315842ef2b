/**
 * Kernels over a block of columns of N weight vectors. Rows are float32 arrays of equal length (the
 * columns of the block); every sum is float64. Four accumulators break the chain of dependent
 * additions, which otherwise costs more than the reads.
 */

/**
 * Returns ‖a − b‖² (float64, differences taken in float64).
 */
export function squaredDistance(a: Float32Array, b: Float32Array): number {
  const n = a.length;
  const whole = n - (n % 4);
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let c = 0; c < whole; c += 4) {
    const d0 = a[c] - b[c];
    const d1 = a[c + 1] - b[c + 1];
    const d2 = a[c + 2] - b[c + 2];
    const d3 = a[c + 3] - b[c + 3];
    s0 += d0 * d0;
    s1 += d1 * d1;
    s2 += d2 * d2;
    s3 += d3 * d3;
  }
  for (let c = whole; c < n; c++) {
    const d = a[c] - b[c];
    s0 += d * d;
  }
  return s0 + s1 + (s2 + s3);
}

/** Returns a·b (float64). */
export function dot(a: Float32Array, b: Float32Array): number {
  const n = a.length;
  const whole = n - (n % 4);
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let c = 0; c < whole; c += 4) {
    s0 += a[c] * b[c];
    s1 += a[c + 1] * b[c + 1];
    s2 += a[c + 2] * b[c + 2];
    s3 += a[c + 3] * b[c + 3];
  }
  for (let c = whole; c < n; c++) s0 += a[c] * b[c];
  return s0 + s1 + (s2 + s3);
}

/** Returns (a − b)·d (float64, the difference taken in float64). */
export function differenceDot(a: Float32Array, b: Float32Array, d: Float32Array): number {
  const n = a.length;
  const whole = n - (n % 4);
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let c = 0; c < whole; c += 4) {
    s0 += (a[c] - b[c]) * d[c];
    s1 += (a[c + 1] - b[c + 1]) * d[c + 1];
    s2 += (a[c + 2] - b[c + 2]) * d[c + 2];
    s3 += (a[c + 3] - b[c + 3]) * d[c + 3];
  }
  for (let c = whole; c < n; c++) s0 += (a[c] - b[c]) * d[c];
  return s0 + s1 + (s2 + s3);
}

/** Writes a − b, rounded to float32, into `out` from index `at` on. */
export function subtractInto(out: Float32Array, at: number, a: Float32Array, b: Float32Array): void {
  for (let c = 0; c < a.length; c++) out[at + c] = a[c] - b[c];
}

/**
 * Adds Σ_i weights[i]·rows[i] into `out` (float64), four rows at a time so that `out` is read and
 * written once for every four products.
 */
export function addCombinationInto(
  out: Float64Array,
  rows: readonly Float32Array[],
  weights: ArrayLike<number>,
): void {
  const n = rows.length;
  const length = rows[0]?.length ?? 0;
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const [r0, r1, r2, r3] = [rows[i], rows[i + 1], rows[i + 2], rows[i + 3]];
    const [w0, w1, w2, w3] = [weights[i], weights[i + 1], weights[i + 2], weights[i + 3]];
    for (let c = 0; c < length; c++) {
      out[c] = out[c] + (w0 * r0[c] + w1 * r1[c] + (w2 * r2[c] + w3 * r3[c]));
    }
  }
  for (; i < n; i++) {
    const row = rows[i];
    const w = weights[i];
    for (let c = 0; c < length; c++) out[c] = out[c] + w * row[c];
  }
}

/** Adds X·Xᵀ into `gram` (rows, rows) in float64; X (rows, columns) float32. Cost: O(rows²·columns). */
export function addGramExactInto(
  gram: Float64Array,
  block: Float32Array,
  rows: number,
  columns: number,
): void {
  for (let i = 0; i < rows; i++) {
    const a = block.subarray(i * columns, (i + 1) * columns);
    for (let j = 0; j <= i; j++) {
      const value = dot(a, block.subarray(j * columns, (j + 1) * columns));
      gram[i * rows + j] = gram[i * rows + j] + value;
      if (j !== i) gram[j * rows + i] = gram[j * rows + i] + value;
    }
  }
}
