import { InvalidOptionError } from "../errors.js";
import type { DistanceSource } from "./distance-source.js";
import { nearestNeighbours } from "./nearest-neighbours.js";

/** Options of {@link trustworthiness}. */
export interface TrustworthinessOptions {
  /** Size k of a neighbourhood, below N/2. Default 5. */
  readonly nNeighbors?: number;
}

/**
 * Returns how far neighbours in an embedding are neighbours in the data, in [0, 1].
 *
 * T = 1 − 2/(N·k·(2N − 3k − 1)) · Σ_i Σ_j max(0, r(i, j) − k) over the k nearest j of i in the embedding,
 * r the rank of j among the neighbours of i in the data. False neighbours lower it, lost ones do not: swap
 * the arguments for those (continuity). Cost: O(N²·log N).
 *
 * @param data - distances of N points in the data.
 * @param embedded - distances of the same points in the embedding.
 * @throws {@link InvalidOptionError} if k < 1 or k ≥ N/2.
 * @see Venna & Kaski 2001; reference values: scikit-learn, `manifold.trustworthiness`.
 */
export function trustworthiness(
  data: DistanceSource,
  embedded: DistanceSource,
  options: TrustworthinessOptions = {},
): number {
  const { nNeighbors: k = 5 } = options;
  const n = data.rows;
  if (!Number.isInteger(k) || k < 1 || k >= n / 2) {
    throw new InvalidOptionError("nNeighbors", `an integer ≥ 1 and below ${n / 2}`, String(k));
  }
  const neighbours = nearestNeighbours(embedded, k);
  const row = new Float64Array(n);
  let penalty = 0;
  for (let i = 0; i < n; i++) {
    data.readRowInto(row, i);
    for (let p = i * k; p < (i + 1) * k; p++) {
      penalty += Math.max(0, rankAmong(row, neighbours[p], i) - k);
    }
  }
  return 1 - (2 * penalty) / (n * k * (2 * n - 3 * k - 1));
}

/** The rank (from 1) of point j among the neighbours of i; equal distances count by index. */
function rankAmong(row: Float64Array, j: number, i: number): number {
  let rank = 1;
  for (let other = 0; other < row.length; other++) {
    if (other === i || other === j) continue;
    if (row[other] < row[j] || (row[other] === row[j] && other < j)) rank++;
  }
  return rank;
}
