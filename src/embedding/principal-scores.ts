import { InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { LinearAlgebra, SymmetricEigen } from "../math/linear-algebra.js";
import { symmetricTimes, topEigenpairs } from "../math/top-eigenpairs.js";
import { centerRows, type PointRows } from "./distance-source.js";
import { centeredGram, centeredProducts, type GramMeans, gramMeans, pointGram } from "./point-gram.js";

/** Principal component scores of N points, and what projects other points onto the same components. */
export interface PrincipalScores {
  /** Scores (N, k), float64. */
  readonly scores: PointRows;
  /** Eigenvectors of the Gram matrix (k, N), rows of length 1. */
  readonly vectors: Float64Array;
  /** Its eigenvalues (k), non-increasing, ≥ 0. */
  readonly values: Float64Array;
  /** Means that centre products with the N points; null if nothing was centred. */
  readonly means: GramMeans | null;
  /** Why something slower multiplied than is installed. */
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Returns the first k principal component scores of N points from their Gram matrix.
 *
 * Scores are √λ·v for the largest eigenpairs; for points minus their mean these are PCA scores.
 *
 * @param gram - (N, N) inner products of the points as they are.
 * @param centered - subtracts the mean of the points first.
 */
export async function scoresFromGram(
  gram: Float64Array,
  n: number,
  k: number,
  algebra: LinearAlgebra,
  centered: boolean,
): Promise<PrincipalScores> {
  const means = centered ? gramMeans(gram, n) : null;
  const used = means === null ? gram : centeredProducts(gram, n, means);
  const { values, vectors } = await leadingEigenpairs(used, n, k, algebra);
  return withScores(vectors, values, n, k, means);
}

/**
 * Returns the first k principal component scores of N points of dimension D.
 *
 * From the smaller of the D×D and the N×N matrix of products.
 */
export async function scoresFromRows(
  points: PointRows,
  k: number,
  algebra: LinearAlgebra,
  centered: boolean,
): Promise<PrincipalScores> {
  const { count: n, dimension } = points;
  if (dimension >= n) {
    const { gram, warnings } = await pointGram(points, algebra, false);
    return { ...(await scoresFromGram(gram, n, k, algebra, centered)), warnings };
  }
  const used = centered ? centerRows(points) : points;
  const transposed = transposedRows(used);
  const covariance = await pointGram({ rows: transposed, count: dimension, dimension: n }, algebra, false);
  const { values, vectors } = await leadingEigenpairs(covariance.gram, dimension, k, algebra);
  const gramVectors = new Float64Array(k * n);
  for (let c = 0; c < k; c++) {
    const factor = values[c] > 0 ? 1 / Math.sqrt(values[c]) : 0;
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let d = 0; d < dimension; d++) sum += used.rows[i * dimension + d] * vectors[c * dimension + d];
      gramVectors[c * n + i] = factor * sum;
    }
  }
  const means = centered ? productMeans(points) : null;
  return { ...withScores(gramVectors, values, n, k, means), warnings: covariance.warnings };
}

/**
 * Returns the scores (M, k) of other points from their inner products (M, N) with the N points.
 *
 * @param products - of the points as they are, not centred.
 */
export function projectProducts(
  principal: PrincipalScores,
  products: Float64Array,
  count: number,
): PointRows {
  const { values, vectors, means } = principal;
  const n = vectors.length / values.length;
  const k = values.length;
  const used = means === null ? products : centeredProducts(products, n, means);
  const rows = new Float64Array(count * k);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < k; c++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += used[i * n + j] * vectors[c * n + j];
      rows[i * k + c] = values[c] > 0 ? sum / Math.sqrt(values[c]) : 0;
    }
  }
  return { rows, count, dimension: k };
}

/** All eigenpairs where they are cheap or most of them are wanted, otherwise the leading ones alone. */
async function leadingEigenpairs(
  matrix: Float64Array,
  n: number,
  k: number,
  algebra: LinearAlgebra,
): Promise<SymmetricEigen> {
  const pairs =
    n <= 4 * k + 100
      ? await algebra.symmetricEigen(matrix, n)
      : await topEigenpairs((block) => symmetricTimes(matrix, block, n), n, k, algebra, {
          depth: 3,
          restarts: 8,
          tolerance: 1e-7,
        });
  return {
    values: pairs.values.slice(0, k).map((value) => Math.max(0, value)),
    vectors: pairs.vectors.slice(0, k * n),
  };
}

function withScores(
  vectors: Float64Array,
  values: Float64Array,
  n: number,
  k: number,
  means: GramMeans | null,
): PrincipalScores {
  const rows = new Float64Array(n * k);
  for (let c = 0; c < k; c++) {
    const scale = Math.sqrt(values[c]);
    for (let i = 0; i < n; i++) rows[i * k + c] = scale * vectors[c * n + i];
  }
  return { scores: { rows, count: n, dimension: k }, vectors, values, means, warnings: [] };
}

function transposedRows({ rows, count, dimension }: PointRows): Float64Array {
  const out = new Float64Array(count * dimension);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < dimension; c++) out[c * count + i] = rows[i * dimension + c];
  }
  return out;
}

/** The means of the Gram matrix of points without forming it: x_j·μ and μ·μ. */
function productMeans({ rows, count, dimension }: PointRows): GramMeans {
  const mean = new Float64Array(dimension);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < dimension; c++) mean[c] = mean[c] + rows[i * dimension + c] / count;
  }
  const columns = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < dimension; c++) columns[i] = columns[i] + rows[i * dimension + c] * mean[c];
  }
  return { columns, grand: mean.reduce((sum, value) => sum + value * value, 0) };
}

/** Principal component coordinates of N points. */
export interface PcaEmbedding {
  /** Coordinates (N, k) about the mean of the points, row-major; in each column the largest entry is positive. */
  readonly embedding: Float64Array;
  /** Share of the variance along each component (k), non-increasing; all 0 for equal points. */
  readonly explainedVarianceRatio: Float64Array;
}

/**
 * Embeds N points by their first k principal components, from their Gram matrix.
 *
 * @param gram - (N, N) inner products, of the points as they are or minus any common vector.
 * @throws {@link InvalidOptionError} if k is not from 1 to N − 1.
 * @see `pcaDirections`, which gives the components themselves.
 * @example const { embedding } = await pcaEmbedding(gram, n, 2, createLinearAlgebra());
 */
export async function pcaEmbedding(
  gram: Float64Array,
  n: number,
  k: number,
  algebra: LinearAlgebra,
): Promise<PcaEmbedding> {
  if (!(Number.isInteger(k) && k >= 1 && k < n)) {
    throw new InvalidOptionError("dimensions", `an integer from 1 to ${n - 1}`, String(k));
  }
  const products = centeredGram(gram, n);
  const { scores, values } = await scoresFromGram(products, n, k, algebra, false);
  const embedding = Float64Array.from(scores.rows);
  for (let c = 0; c < k; c++) {
    let largest = 0;
    for (let i = 0; i < n; i++) {
      const value = embedding[i * k + c] as number;
      if (Math.abs(value) > Math.abs(largest)) largest = value;
    }
    if (largest < 0) for (let i = 0; i < n; i++) embedding[i * k + c] = -(embedding[i * k + c] as number);
  }
  let trace = 0;
  for (let i = 0; i < n; i++) trace += products[i * n + i] as number;
  return {
    embedding,
    explainedVarianceRatio: Float64Array.from(values, (value) => (trace > 0 ? value / trace : 0)),
  };
}
