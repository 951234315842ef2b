import { procrustes } from "./procrustes.js";

/** Differences in shape between several embeddings of the same points. */
export interface PairwiseDisparities {
  /** Procrustes disparity of each pair (R, R), row-major: 0 same shape, 1 nothing in common. */
  readonly disparities: Float64Array;
  /** Mean over pairs; 0 for a single embedding. */
  readonly meanDisparity: number;
  /** Largest over pairs; 0 for a single embedding. */
  readonly maxDisparity: number;
}

/** Compares R embeddings (N, k) of the same points pair by pair. */
export function pairwiseDisparities(
  embeddings: readonly Float64Array[],
  n: number,
  k: number,
): PairwiseDisparities {
  const count = embeddings.length;
  const disparities = new Float64Array(count * count);
  const pairs: number[] = [];
  embeddings.forEach((first, a) => {
    embeddings.slice(0, a).forEach((second, b) => {
      const { disparity } = procrustes(first, second, n, k);
      disparities[a * count + b] = disparity;
      disparities[b * count + a] = disparity;
      pairs.push(disparity);
    });
  });
  return {
    disparities,
    meanDisparity: pairs.reduce((sum, value) => sum + value, 0) / Math.max(1, pairs.length),
    maxDisparity: Math.max(0, ...pairs),
  };
}
