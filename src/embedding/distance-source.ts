import { InvalidDataError } from "../base/errors.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { mirrorLowerInto } from "../math/row-kernels.js";

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

/**
 * Returns the distances (n, n) of n points (n, d) to each other, each pair computed once.
 *
 * @param points - row-major; for `cosine` rows of length 1.
 */
export function ownDistances(
  points: Float32Array | Float64Array,
  n: number,
  d: number,
  metric: DistanceMetric,
): Float64Array {
  const distances = new Float64Array(n * n);
  const block = new Float64Array(4 * n);
  for (let first = 0; first < n; first += 4) {
    const end = Math.min(n, first + 4);
    distanceBlockInto(block, metric, points.subarray(first * d, end * d), points.subarray(0, end * d), d);
    for (let i = first; i < end; i++) {
      const from = (i - first) * end;
      distances.set(block.subarray(from, from + i), i * n);
    }
  }
  mirrorLowerInto(distances, n);
  return distances;
}

/**
 * Distances from some points to N points, one row at a time, so that nothing N×N needs to be in memory.
 */
export interface DistanceSource {
  /** How many rows of distances there are (M; N where points are compared with themselves). */
  readonly rows: number;
  /** How many distances each row has (N). */
  readonly columns: number;
  /** Writes the distances of point i to all N points into `out` (N). */
  readRowInto(out: Float64Array, i: number): void;
}

/** N points of dimension D, flat and row-major. */
export interface PointRows {
  readonly rows: Float32Array | Float64Array;
  /** N. */
  readonly count: number;
  /** D. */
  readonly dimension: number;
}

/** Up to so many points, from so many dimensions on, all distances are computed at once, each pair once. */
const KEPT_POINTS = 2000;
const KEPT_DIMENSION = 16;

/**
 * Returns the distances between N points of dimension D, computed in float64 from the rows themselves.
 *
 * Differences are taken before squaring, so near points far from the origin lose nothing.
 * Cost: D multiply-adds a distance.
 *
 * @param targets - N points; `points` compares them with another set (M), default with themselves.
 * @throws {@link InvalidDataError} for `cosine` if a row has length 0.
 * @example const source = distancesFromRows({ rows, count: 100, dimension: 3 }, "euclidean");
 */
export function distancesFromRows(
  targets: PointRows,
  metric: DistanceMetric,
  points: PointRows = targets,
): DistanceSource {
  const self = points === targets;
  const x = metric === "cosine" ? unitRows(points) : points.rows;
  const y = metric === "cosine" ? (self ? x : unitRows(targets)) : targets.rows;
  const { count, dimension } = targets;
  if (self && count <= KEPT_POINTS && dimension >= KEPT_DIMENSION) {
    return distancesFromMatrix(ownDistances(x, count, dimension, metric), count, count);
  }
  // Four rows at a time, so that each target is read once for four distances.
  const block = new Float64Array(4 * count);
  let first = -1;
  return {
    rows: points.count,
    columns: count,
    readRowInto(out, i) {
      const start = i - (i % 4);
      if (start !== first) {
        const size = Math.min(4, points.count - start);
        distanceBlockInto(
          block,
          metric,
          x.subarray(start * dimension, (start + size) * dimension),
          y,
          dimension,
        );
        first = start;
      }
      out.set(block.subarray((i - start) * count, (i - start + 1) * count));
      if (self) out[i] = 0;
    },
  };
}

/** Returns the rows (count, dimension) minus the column means of `reference` (default: themselves). */
export function centerRows(points: PointRows, reference: PointRows = points): PointRows {
  const { count, dimension } = points;
  const means = new Float64Array(dimension);
  for (let i = 0; i < reference.count; i++) {
    const at = i * dimension;
    for (let c = 0; c < dimension; c++) means[c] = means[c] + reference.rows[at + c];
  }
  for (let c = 0; c < dimension; c++) means[c] = means[c] / reference.count;
  const rows = new Float64Array(count * dimension);
  for (let i = 0; i < count; i++) {
    const at = i * dimension;
    for (let c = 0; c < dimension; c++) rows[at + c] = points.rows[at + c] - means[c];
  }
  return { rows, count, dimension };
}

function unitRows({ rows, count, dimension }: PointRows): Float64Array {
  const unit = new Float64Array(count * dimension);
  for (let i = 0; i < count; i++) {
    const at = i * dimension;
    let sum = 0;
    for (let c = 0; c < dimension; c++) sum += rows[at + c] * rows[at + c];
    if (sum === 0) throw zeroRowError(i);
    const factor = 1 / Math.sqrt(sum);
    for (let c = 0; c < dimension; c++) unit[at + c] = rows[at + c] * factor;
  }
  return unit;
}

/** The error for a row that has no direction, so no cosine distance. */
export function zeroRowError(i: number): InvalidDataError {
  return new InvalidDataError(`row ${i}`, "a row of length > 0 for cosine distance", "length 0", {
    hint: "remove it or use euclidean distance",
  });
}

/**
 * Returns the rows of a dense row-major distance matrix (rows, columns) as a source.
 *
 * @example const source = distancesFromMatrix(distances, n, n);
 */
export function distancesFromMatrix(matrix: Float64Array, rows: number, columns: number): DistanceSource {
  return {
    rows,
    columns,
    readRowInto(out, i) {
      out.set(matrix.subarray(i * columns, (i + 1) * columns));
    },
  };
}

/**
 * Returns the distances between N points from their Gram matrix, so that D may be anything.
 *
 * d² = G_ii + G_jj − 2·G_ij. Where points are close together and far from the origin this cancels:
 * build G from rows minus a common vector (one of them, or their mean).
 *
 * @param gram - (N, N) inner products.
 * @param cross - for other points: `products` (M, N) with the N points and `squares` (M) with themselves.
 * @throws {@link InvalidDataError} for `cosine` if a row has length 0.
 * @example const source = distancesFromGram(gram, n, "cosine");
 */
export function distancesFromGram(
  gram: Float64Array,
  n: number,
  metric: DistanceMetric,
  cross?: { readonly products: Float64Array; readonly squares: Float64Array },
): DistanceSource {
  const targets = Float64Array.from({ length: n }, (_, j) => gram[j * n + j]);
  const products = cross?.products ?? gram;
  const points = cross?.squares ?? targets;
  if (metric === "cosine") {
    for (const squares of [targets, points]) {
      const zero = squares.findIndex((square) => !(square > 0));
      if (zero >= 0) throw zeroRowError(zero);
    }
  }
  return {
    rows: points.length,
    columns: n,
    readRowInto(out, i) {
      for (let j = 0; j < n; j++) {
        const product = products[i * n + j];
        out[j] =
          metric === "cosine"
            ? Math.min(2, Math.max(0, 1 - product / Math.sqrt(points[i] * targets[j])))
            : Math.sqrt(Math.max(0, points[i] + targets[j] - 2 * product));
      }
      if (cross === undefined) out[i] = 0;
    },
  };
}

/** Returns all distances of a source as a dense row-major (rows, columns) matrix. */
export function distanceMatrix(source: DistanceSource): Float64Array {
  const { rows, columns } = source;
  const matrix = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) source.readRowInto(matrix.subarray(i * columns, (i + 1) * columns), i);
  return matrix;
}

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
  for (let i = 0; i < n; i++) sums[i] = shiftRowInto(shifted, matrix, i * m, m, background);
  const gram = await algebra.rowProducts(shifted, n, m);
  return metric === "euclidean"
    ? euclideanFromGram(gram, shifted, n, m)
    : cosineFromGram(gram, n, (i, j) => background * (sums[i] + sums[j] + m * background));
}

/** Writes the row at `row` minus the background, and returns the sum of what is not 0 then. */
function shiftRowInto(
  out: Float64Array,
  matrix: Float64Array,
  row: number,
  m: number,
  background: number,
): number {
  let sum = 0;
  for (let p = row; p < row + m; p++) {
    const value = matrix[p] - background;
    if (Math.abs(value) < 1e-13) continue;
    out[p] = value;
    sum += value;
  }
  return sum;
}

function euclideanFromGram(gram: Float64Array, v: Float64Array, n: number, m: number): Float64Array {
  const distances = new Float64Array(n * n);
  const squares = Float64Array.from({ length: n }, (_, i) => gram[i * n + i]);
  for (let i = 0; i < n; i++) euclideanRowInto(distances, gram, squares, v, i, m);
  mirrorLowerInto(distances, n);
  return distances;
}

/** Writes the distances of row i to those before it. */
function euclideanRowInto(
  out: Float64Array,
  gram: Float64Array,
  squares: Float64Array,
  v: Float64Array,
  i: number,
  m: number,
): void {
  const at = i * squares.length;
  for (let j = 0; j < i; j++) {
    const lengths = squares[i] + squares[j];
    const square = lengths - 2 * gram[at + j];
    const exact = square > CANCELLED * lengths ? square : squaredDifference(v, i * m, j * m, m);
    out[at + j] = Math.sqrt(exact);
  }
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
