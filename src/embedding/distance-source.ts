import { InvalidDataError } from "../errors.js";
import { type DistanceMetric, distanceBlockInto } from "./distance-block.js";
import { ownDistances } from "./own-distances.js";

export type { DistanceMetric } from "./distance-block.js";

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

/** Returns the rows of a dense row-major distance matrix (rows, columns) as a source. */
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
