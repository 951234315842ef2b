import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";
import { refuseRenamed } from "../../base/option-names.js";
import type { Stoppable } from "../../base/work.js";
import { type MdsResult, stressOf } from "./stress.js";

/** Options of {@link sgdMds}. */
export interface SgdMdsOptions extends Stoppable {
  /** Dimensions k of the embedding. Default 2. */
  readonly dimensions?: number;
  /** Sweeps over all pairs. Default 30. */
  readonly sweeps?: number;
  /** Seed of the order of pairs. Default 0. */
  readonly seed?: number;
}

/**
 * Returns the metric multidimensional scaling of a distance matrix by stochastic gradient descent.
 *
 * Each sweep visits every pair once and moves both points along their difference by μ/2 of the misfit; μ
 * falls geometrically from 1 to 0.01. Points are numbered
 * at random once, and a sweep takes the pairs (i, i + s mod n) for all s in an order drawn anew.
 * The steps are those of the Python package's solver, the order of pairs is another: compare stress.
 * Cost: O(n²·k) a sweep, n²/2 numbers of memory.
 *
 * @param distances - δ (n, n), symmetric, diagonal 0.
 * @param init - start (n, k), row-major; it is rescaled to fit the distances.
 * @see Zheng, Pawar & Goodman 2019, Graph drawing by stochastic gradient descent (s_gd2).
 */
export function sgdMds(
  distances: Float64Array,
  n: number,
  init: Float64Array,
  options: SgdMdsOptions = {},
): MdsResult {
  refuseRenamed(options, "embedding");
  const { dimensions: k = 2, sweeps = 30, seed = 0, signal } = options;
  const generator = xoroshiro128plus(seed);
  const order = shuffled(n, 0, generator);
  const start = rescaled(init, distances, n, k);
  const x = Float64Array.from({ length: n * k }, (_, p) => start[order[Math.floor(p / k)] * k + (p % k)]);
  const pairs = distancesByShift(distances, order, n);
  for (let sweep = 0; sweep < sweeps; sweep++) {
    signal?.throwIfAborted();
    const mu = stepSize(sweep, sweeps);
    for (const shift of shuffled(Math.floor(n / 2), 1, generator)) {
      // At n/2 each pair would come up twice.
      const count = 2 * shift === n ? shift : n;
      for (let i = 0; i < count; i++) {
        const j = i + shift < n ? i + shift : i + shift - n;
        movePair(x, i * k, j * k, k, pairs[(shift - 1) * n + i], mu);
      }
    }
  }
  const embedding = new Float64Array(n * k);
  for (let i = 0; i < n; i++) embedding.set(x.subarray(i * k, (i + 1) * k), order[i] * k);
  return { embedding, stress: stressOf(embedding, distances, n, k), iterations: sweeps };
}

/** Row s − 1 holds δ between points i and i + s mod n of the new numbering, so that sweeps read in order. */
function distancesByShift(distances: Float64Array, order: Int32Array, n: number): Float64Array {
  const pairs = new Float64Array(Math.floor(n / 2) * n);
  for (let i = 0; i < n; i++) {
    for (let shift = 1; 2 * shift <= n; shift++) {
      pairs[(shift - 1) * n + i] = distances[order[i] * n + order[(i + shift) % n]];
    }
  }
  return pairs;
}

function stepSize(sweep: number, sweeps: number): number {
  return sweep === 0 ? 1 : 0.01 ** (sweep / (sweeps - 1));
}

function movePair(x: Float64Array, i: number, j: number, k: number, delta: number, mu: number): void {
  let square = 0;
  for (let c = 0; c < k; c++) square += (x[i + c] - x[j + c]) * (x[i + c] - x[j + c]);
  if (square === 0) return;
  const length = Math.sqrt(square);
  const factor = (mu * (length - delta)) / (2 * length);
  for (let c = 0; c < k; c++) {
    const move = factor * (x[i + c] - x[j + c]);
    x[i + c] = x[i + c] - move;
    x[j + c] = x[j + c] + move;
  }
}

/** The start times the factor with the least stress, Σ d·δ / Σ d². */
function rescaled(init: Float64Array, distances: Float64Array, n: number, k: number): Float64Array {
  let product = 0;
  let squares = 0;
  for (let i = 1; i < n; i++) {
    for (let j = 0; j < i; j++) {
      let square = 0;
      for (let c = 0; c < k; c++) square += (init[i * k + c] - init[j * k + c]) ** 2;
      product += Math.sqrt(square) * distances[i * n + j];
      squares += square;
    }
  }
  const factor = squares > 0 ? product / squares : 1;
  return init.map((value) => value * factor);
}

/** The numbers first…first + count − 1 in random order. */
function shuffled(count: number, first: number, generator: RandomGenerator): Int32Array {
  const values = Int32Array.from({ length: count }, (_, i) => first + i);
  for (let i = count - 1; i > 0; i--) {
    const j = uniformInt(generator, 0, i);
    const swap = values[i];
    values[i] = values[j];
    values[j] = swap;
  }
  return values;
}
