import { InvalidOptionError } from "../errors.js";
import type { DistanceSource } from "./distance-source.js";
import { nthSmallest } from "./nth-smallest.js";

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
