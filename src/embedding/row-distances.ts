import type { LinearAlgebra } from "../math/linear-algebra.js";
import type { DistanceMetric } from "./distance-source.js";
import { zeroRowError } from "./distance-source.js";

/** Options of {@link rowDistances}. */
export interface RowDistanceOptions {
  /** `euclidean` or `cosine`. Default "euclidean". */
  readonly metric?: DistanceMetric;
  /**
   * Value that most entries have; it changes the speed, not the result. Default 0. For a diffusion
   * potential with γ = 1 it is −ln(1e-7), the potential of a point that diffusion does not reach.
   */
  readonly background?: number;
}

/**
 * Below this share of the two squared lengths a squared distance is summed from differences: what is left of the
 * inner products has lost half of its digits, and equal rows must be at distance 0.
 */
const CANCELLED = 1e-9;

/**
 * Returns the distances between the rows of a dense matrix (n, m) as a dense (n, n) matrix.
 *
 * From inner products of the rows minus the background: d² = G_ii + G_jj − 2·G_ij; close rows by their
 * differences, so equal ones are at distance 0 exactly. Entries within 1e-13 of the background count as equal to
 * it (the error of a distance is below 1e-13·√m).
 * Cost: n²·m/2 multiply-adds, less where many entries equal the background.
 *
 * @param algebra - gives the inner products.
 * @throws {@link InvalidDataError} for `cosine` if a row has length 0.
 */
export async function rowDistances(
  matrix: Float64Array,
  n: number,
  m: number,
  algebra: LinearAlgebra,
  options: RowDistanceOptions = {},
): Promise<Float64Array> {
  const { metric = "euclidean", background = 0 } = options;
  const shifted = new Float64Array(n * m);
  const sums = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let p = i * m; p < (i + 1) * m; p++) {
      const value = matrix[p] - background;
      if (Math.abs(value) < 1e-13) continue;
      shifted[p] = value;
      sums[i] = sums[i] + value;
    }
  }
  const gram = await algebra.rowProducts(shifted, n, m);
  return metric === "euclidean"
    ? euclideanFromGram(gram, shifted, n, m)
    : cosineFromGram(gram, n, (i, j) => background * (sums[i] + sums[j] + m * background));
}

function euclideanFromGram(gram: Float64Array, v: Float64Array, n: number, m: number): Float64Array {
  const distances = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const lengths = gram[i * n + i] + gram[j * n + j];
      const square = lengths - 2 * gram[i * n + j];
      const exact = square > CANCELLED * lengths ? square : squaredDifference(v, i * m, j * m, m);
      const distance = Math.sqrt(exact);
      distances[i * n + j] = distance;
      distances[j * n + i] = distance;
    }
  }
  return distances;
}

function squaredDifference(v: Float64Array, a: number, b: number, m: number): number {
  let sum = 0;
  for (let c = 0; c < m; c++) sum += (v[a + c] - v[b + c]) * (v[a + c] - v[b + c]);
  return sum;
}

function cosineFromGram(
  gram: Float64Array,
  n: number,
  extra: (i: number, j: number) => number,
): Float64Array {
  const lengths = Float64Array.from({ length: n }, (_, i) => Math.sqrt(gram[i * n + i] + extra(i, i)));
  const zero = lengths.findIndex((length) => !(length > 0));
  if (zero >= 0) throw zeroRowError(zero);
  const distances = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const cosine = (gram[i * n + j] + extra(i, j)) / (lengths[i] * lengths[j]);
      const distance = Math.min(2, Math.max(0, 1 - cosine));
      distances[i * n + j] = distance;
      distances[j * n + i] = distance;
    }
  }
  return distances;
}
