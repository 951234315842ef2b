import { InvalidOptionError } from "../../base/errors.js";
import type { DistanceSource } from "../distance-source.js";

/** The value that would stand at index `k` after sorting; reorders `values`. Hoare's selection, O(n). */
export function nthSmallest(values: Float64Array, k: number): number {
  let left = 0;
  let right = values.length - 1;
  while (left < right) {
    const pivot = values[(left + right) >> 1];
    let i = left;
    let j = right;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i > j) break;
      const swap = values[i];
      values[i++] = values[j];
      values[j--] = swap;
    }
    if (k <= j) right = j;
    else if (k >= i) left = i;
    else break;
  }
  return values[k];
}

/**
 * Returns the k nearest neighbours of each of N points (N, k), nearest first, the point itself left out.
 *
 * Equal distances are ordered by index. Cost: O(N²) beyond the distances.
 *
 * @param source - distances of N points to themselves.
 * @throws {@link InvalidOptionError} if k < 1 or k > N − 1.
 */
export function nearestNeighbours(source: DistanceSource, k: number): Int32Array {
  const n = source.rows;
  if (!Number.isInteger(k) || k < 1 || k > n - 1) {
    throw new InvalidOptionError("k", `an integer from 1 to ${n - 1}`, String(k));
  }
  const neighbours = new Int32Array(n * k);
  const row = new Float64Array(n);
  const scratch = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    source.readRowInto(row, i);
    row[i] = Number.POSITIVE_INFINITY;
    scratch.set(row);
    const limit = nthSmallest(scratch, k - 1);
    const near: number[] = [];
    for (let j = 0; j < n; j++) if (j !== i && row[j] <= limit) near.push(j);
    near.sort((a, b) => row[a] - row[b] || a - b);
    neighbours.set(near.slice(0, k), i * k);
  }
  return neighbours;
}

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
 * @example
 * const embedded = distancesFromRows({ rows: coordinates, count: n, dimension: 2 }, "euclidean");
 * const value = trustworthiness(source, embedded, { nNeighbors: 5 });
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

/** An undirected graph without loops or repeated edges. */
export interface Graph {
  /** How many vertices it has. */
  readonly vertexCount: number;
  /** Edges as pairs of vertices (E, 2), the smaller first, in increasing order. */
  readonly edges: Int32Array;
}

/**
 * Returns the graph that joins each of N points to its k nearest others.
 *
 * @param source - distances of N points to themselves, for the topology of a landscape those of the diffusion
 *   potential.
 * @throws {@link InvalidOptionError} if k < 1 or k > N − 1.
 * @example const graph = neighbourGraph(source, 20);
 */
export function neighbourGraph(source: DistanceSource, k = 20): Graph {
  const n = source.rows;
  const neighbours = nearestNeighbours(source, k);
  const keys = new Set<number>();
  neighbours.forEach((j, p) => {
    const i = Math.floor(p / k);
    keys.add(Math.min(i, j) * n + Math.max(i, j));
  });
  const sorted = [...keys].sort((a, b) => a - b);
  return {
    vertexCount: n,
    edges: Int32Array.from(sorted.flatMap((key) => [Math.floor(key / n), key % n])),
  };
}
