import { refuseRenamed } from "../../base/renamed-options.js";
import { guttmanInto, type MdsResult } from "./stress.js";

/** Options of {@link nonmetricMds}. */
export interface NonmetricMdsOptions {
  /** Dimensions k of the embedding. Default 2. */
  readonly dimensions?: number;
  /** Iterations at most. Default 3000. */
  readonly maxIter?: number;
  /** Stops when an iteration lowers the stress by less than this share of it. Default 1e-6. */
  readonly eps?: number;
  /** When it is aborted, its reason is thrown. Default none. */
  readonly signal?: AbortSignal;
}

/**
 * Returns the nonmetric multidimensional scaling of a distance matrix: only the order of distances counts.
 *
 * Alternates a monotone regression of the current distances on the order of δ (equal δ keep the order of
 * the current distances) with a Guttman transform; disparities have the sum of squares n(n − 1)/2.
 * Cost: O(n²·log n) an iteration.
 *
 * @param distances - δ (n, n), symmetric, diagonal 0.
 * @param init - start (n, k), row-major.
 * @returns coordinates, and the stress against the last disparities.
 * @see Kruskal 1964; De Leeuw & Heiser 1980.
 */
export function nonmetricMds(
  distances: Float64Array,
  n: number,
  init: Float64Array,
  options: NonmetricMdsOptions = {},
): MdsResult {
  refuseRenamed(options, "embedding");
  const { dimensions: k = 2, maxIter = 3000, eps = 1e-6, signal } = options;
  const pairs = pairsByDistance(distances, n);
  const disparities = new Float64Array(n * n);
  let x = init;
  let next = new Float64Array(n * k);
  let stress = Infinity;
  let iterations = 0;
  while (iterations < maxIter) {
    signal?.throwIfAborted();
    monotoneInto(disparities, pairs, distances, x, n, k);
    const current = guttmanInto(next, disparities, x, n, k);
    const previous = stress;
    stress = current;
    iterations++;
    [x, next] = [next, new Float64Array(n * k)];
    if (iterations > 1 && !(previous - stress > eps * previous)) break;
  }
  return { embedding: x, stress, iterations };
}

/** Pairs i > j as i·n + j, by increasing δ. */
function pairsByDistance(distances: Float64Array, n: number): Float64Array {
  const pairs = new Float64Array((n * (n - 1)) / 2);
  let count = 0;
  for (let i = 1; i < n; i++) for (let j = 0; j < i; j++) pairs[count++] = i * n + j;
  return pairs.sort((a, b) => distances[a] - distances[b]);
}

/** Writes the monotone regression of |x_i − x_j| on the order of δ, scaled, by pooling adjacent violators. */
function monotoneInto(
  disparities: Float64Array,
  pairs: Float64Array,
  distances: Float64Array,
  x: Float64Array,
  n: number,
  k: number,
): void {
  const lengths = new Map<number, number>();
  const length = (pair: number): number => {
    const [i, j] = [Math.floor(pair / n) * k, (pair % n) * k];
    let square = 0;
    for (let c = 0; c < k; c++) square += (x[i + c] - x[j + c]) ** 2;
    return Math.sqrt(square);
  };
  const ordered = pairs.slice();
  for (let from = 0; from < pairs.length; ) {
    let to = from + 1;
    while (to < pairs.length && distances[pairs[to]] === distances[pairs[from]]) to++;
    if (to > from + 1) {
      for (let p = from; p < to; p++) lengths.set(pairs[p], length(pairs[p]));
      ordered.subarray(from, to).sort((a, b) => (lengths.get(a) ?? 0) - (lengths.get(b) ?? 0));
    }
    from = to;
  }
  const fitted = pooled(ordered, length);
  let squares = 0;
  for (const value of fitted) squares += value * value;
  const scale = squares > 0 ? Math.sqrt(pairs.length / squares) : 1;
  ordered.forEach((pair, p) => {
    const [i, j] = [Math.floor(pair / n), pair % n];
    disparities[pair] = scale * fitted[p];
    disparities[j * n + i] = scale * fitted[p];
  });
}

/** The non-decreasing sequence nearest to the values in least squares. */
function pooled(ordered: Float64Array, value: (pair: number) => number): Float64Array {
  const means = new Float64Array(ordered.length);
  const sizes = new Int32Array(ordered.length);
  let blocks = 0;
  for (const pair of ordered) {
    let mean = value(pair);
    let size = 1;
    while (blocks > 0 && means[blocks - 1] >= mean) {
      blocks--;
      mean = (mean * size + means[blocks] * sizes[blocks]) / (size + sizes[blocks]);
      size += sizes[blocks];
    }
    means[blocks] = mean;
    sizes[blocks++] = size;
  }
  const out = new Float64Array(ordered.length);
  let at = 0;
  for (let b = 0; b < blocks; b++) {
    out.fill(means[b], at, at + sizes[b]);
    at += sizes[b];
  }
  return out;
}
