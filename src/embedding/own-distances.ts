import { type DistanceMetric, distanceBlockInto } from "./distance-block.js";

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
    const size = Math.min(4, n - first);
    const width = n - first;
    const rows = points.subarray(first * d, (first + size) * d);
    distanceBlockInto(block, metric, rows, points.subarray(first * d), d);
    for (let r = 0; r < size; r++) {
      const i = first + r;
      for (let j = i + 1; j < n; j++) {
        const distance = block[r * width + j - first] as number;
        distances[i * n + j] = distance;
        distances[j * n + i] = distance;
      }
    }
  }
  return distances;
}
