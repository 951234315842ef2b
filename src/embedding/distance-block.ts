/** Distance between two rows: `euclidean` |x − y|, `cosine` 1 − x·y/(|x|·|y|). */
export type DistanceMetric = "euclidean" | "cosine";

type Rows = Float32Array | Float64Array;

/**
 * Writes the distances of one to four points x (m, d) to all points y (n, d) into `out`, row after row.
 *
 * For `cosine` both are rows of length 1. Four accumulators; sums are in order of the columns, so that a
 * distance does not depend on which rows are taken together.
 */
export function distanceBlockInto(
  out: Float64Array,
  metric: DistanceMetric,
  x: Rows,
  y: Rows,
  d: number,
): void {
  const m = x.length / d;
  const n = y.length / d;
  // Missing rows of an incomplete block repeat the last one and are not written.
  const at = [0, 1, 2, 3].map((r) => Math.min(r, m - 1) * d);
  const sums = new Float64Array(4);
  const sum = metric === "cosine" ? productsInto : squaresInto;
  for (let j = 0; j < n; j++) {
    sum(sums, x, at[0], at[1], at[2], at[3], y, j * d, d);
    for (let r = 0; r < m; r++) {
      out[r * n + j] = metric === "cosine" ? Math.min(2, Math.max(0, 1 - sums[r])) : Math.sqrt(sums[r]);
    }
  }
}

function squaresInto(
  sums: Float64Array,
  x: Rows,
  a0: number,
  a1: number,
  a2: number,
  a3: number,
  y: Rows,
  b: number,
  d: number,
): void {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  for (let c = 0; c < d; c++) {
    const value = y[b + c];
    const d0 = x[a0 + c] - value;
    const d1 = x[a1 + c] - value;
    const d2 = x[a2 + c] - value;
    const d3 = x[a3 + c] - value;
    s0 += d0 * d0;
    s1 += d1 * d1;
    s2 += d2 * d2;
    s3 += d3 * d3;
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}

function productsInto(
  sums: Float64Array,
  x: Rows,
  a0: number,
  a1: number,
  a2: number,
  a3: number,
  y: Rows,
  b: number,
  d: number,
): void {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  for (let c = 0; c < d; c++) {
    const value = y[b + c];
    s0 += x[a0 + c] * value;
    s1 += x[a1 + c] * value;
    s2 += x[a2 + c] * value;
    s3 += x[a3 + c] * value;
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}
