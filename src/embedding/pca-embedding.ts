import { InvalidOptionError } from "../errors.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { centeredGram } from "./point-gram.js";
import { scoresFromGram } from "./principal-scores.js";

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
 */
export async function pcaEmbedding(
  gram: Float64Array,
  n: number,
  k: number,
  algebra: LinearAlgebra,
): Promise<PcaEmbedding> {
  if (!(Number.isInteger(k) && k >= 1 && k < n)) {
    throw new InvalidOptionError("components", `an integer from 1 to ${n - 1}`, String(k));
  }
  const centered = centeredGram(gram, n);
  const { scores, values } = await scoresFromGram(centered, n, k, algebra, false);
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
  for (let i = 0; i < n; i++) trace += centered[i * n + i] as number;
  return {
    embedding,
    explainedVarianceRatio: Float64Array.from(values, (value) => (trace > 0 ? value / trace : 0)),
  };
}
