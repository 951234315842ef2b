import { refuseRenamed } from "../../base/option-names.js";
import type { Stoppable } from "../../base/work.js";
import { addScaledInto, combination, dot } from "../../math/vectors.js";
import { centeredCoordinates, guttmanInto, type MdsResult } from "./stress.js";

/**
 * The last steps of a minimisation and the change of the gradient over each, which give a quasi-Newton
 * direction without a Hessian.
 *
 * @see Nocedal & Wright, Numerical Optimization, algorithm 7.4 (L-BFGS two-loop recursion).
 */
export class StepMemory {
  readonly #limit: number;
  #steps: Float64Array[] = [];
  #changes: Float64Array[] = [];
  #weights: number[] = [];

  /** @param limit - how many steps are remembered. */
  constructor(limit = 10) {
    this.#limit = limit;
  }

  /** Remembers a step and the change of the gradient, if the curvature along it is positive. */
  add(step: Float64Array, change: Float64Array): void {
    const curvature = dot(step, change);
    if (!(curvature > 1e-14 * dot(change, change))) return;
    this.#steps.push(step);
    this.#changes.push(change);
    this.#weights.push(1 / curvature);
    if (this.#steps.length <= this.#limit) return;
    this.#steps.shift();
    this.#changes.shift();
    this.#weights.shift();
  }

  /** Forgets all steps. */
  clear(): void {
    this.#steps = [];
    this.#changes = [];
    this.#weights = [];
  }

  /** Returns an approximation of H⁻¹·gradient; the gradient itself where nothing is remembered. */
  direction(gradient: Float64Array): Float64Array {
    const out = gradient.slice();
    const last = this.#steps.length - 1;
    const shares = new Float64Array(last + 1);
    for (let s = last; s >= 0; s--) {
      shares[s] = this.#weights[s] * dot(this.#steps[s], out);
      addScaledInto(out, -shares[s], this.#changes[s]);
    }
    if (last >= 0) {
      const scale = 1 / (this.#weights[last] * dot(this.#changes[last], this.#changes[last]));
      for (let p = 0; p < out.length; p++) out[p] = out[p] * scale;
    }
    for (let s = 0; s <= last; s++) {
      const correction = shares[s] - this.#weights[s] * dot(this.#changes[s], out);
      addScaledInto(out, correction, this.#steps[s]);
    }
    return out;
  }
}

/** Options of {@link smacof}. */
export interface SmacofOptions extends Stoppable {
  /** Dimensions k of the embedding. Default 2. */
  readonly dimensions?: number;
  /** Iterations at most. Default 3000. */
  readonly maxIter?: number;
  /** Stops when an iteration lowers stress / Σ|x_i| by less than this. Default 1e-6. */
  readonly eps?: number;
  /**
   * `lbfgs` takes quasi-Newton steps and falls back to the Guttman transform where one does not lower the
   * stress; `none` takes the transform alone. Same minimum, some 15 times fewer passes. Default "lbfgs".
   */
  readonly acceleration?: "lbfgs" | "none";
}

/** A point of the iteration: coordinates, their stress and their residual x − G(x). */
interface State {
  readonly x: Float64Array;
  readonly stress: number;
  readonly residual: Float64Array;
}

/**
 * Returns the metric multidimensional scaling of a distance matrix by stress majorization.
 *
 * The Guttman transform G never raises the stress, and x − G(x) is its gradient over 2n, so that
 * quasi-Newton steps speed the iteration up. Deterministic; finds a local minimum near the start.
 * Cost: O(n²·k) an iteration.
 *
 * @param distances - δ (n, n), symmetric, diagonal 0.
 * @param init - start (n, k), row-major; its scale does not matter.
 * @see De Leeuw & Heiser 1980; `eps` and `maxIter` as in scikit-learn 1.6, `manifold.smacof`.
 */
export function smacof(
  distances: Float64Array,
  n: number,
  init: Float64Array,
  options: SmacofOptions = {},
): MdsResult {
  refuseRenamed(options, "embedding");
  const { dimensions: k = 2, maxIter = 3000, eps = 1e-6, acceleration = "lbfgs", signal } = options;
  const evaluate = (x: Float64Array): State => {
    signal?.throwIfAborted();
    const transform = new Float64Array(n * k);
    const stress = guttmanInto(transform, distances, x, n, k);
    return { x, stress, residual: combination(x, -1, transform) };
  };
  const memory = new StepMemory();
  // The first transform brings the start, whatever its scale, to the scale of the distances.
  let state = evaluate(guttmanStep(evaluate(centeredCoordinates(init, n, k))));
  let iterations = 1;
  while (iterations < maxIter) {
    const next =
      (acceleration === "lbfgs" ? quasiNewtonStep(state, memory, evaluate, n) : undefined) ??
      evaluate(guttmanStep(state));
    iterations++;
    const gain = state.stress - next.stress;
    state = next.stress <= state.stress ? next : state;
    if (!(gain >= eps * sumOfLengths(state.x, n, k))) break;
  }
  return { embedding: centeredCoordinates(state.x, n, k), stress: state.stress, iterations };
}

/** G(x). */
function guttmanStep({ x, residual }: State): Float64Array {
  return combination(x, -1, residual);
}

/** The next point on the quasi-Newton direction that lowers the stress enough; undefined if there is none. */
function quasiNewtonStep(
  state: State,
  memory: StepMemory,
  evaluate: (x: Float64Array) => State,
  n: number,
): State | undefined {
  const direction = memory.direction(state.residual);
  const slope = dot(direction, state.residual);
  if (slope > 0) {
    for (let step = 1; step > 0.05; step /= 3) {
      const next = evaluate(combination(state.x, -step, direction));
      if (next.stress > state.stress - 1e-4 * step * 2 * n * slope) continue;
      memory.add(combination(next.x, -1, state.x), combination(next.residual, -1, state.residual));
      return next;
    }
  }
  memory.clear();
  return undefined;
}

function sumOfLengths(x: Float64Array, n: number, k: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    let square = 0;
    for (let c = 0; c < k; c++) square += x[i * k + c] ** 2;
    sum += Math.sqrt(square);
  }
  return sum;
}

/** Options of {@link nonmetricMds}. */
export interface NonmetricMdsOptions extends Stoppable {
  /** Dimensions k of the embedding. Default 2. */
  readonly dimensions?: number;
  /** Iterations at most. Default 3000. */
  readonly maxIter?: number;
  /** Stops when an iteration lowers the stress by less than this share of it. Default 1e-6. */
  readonly eps?: number;
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
