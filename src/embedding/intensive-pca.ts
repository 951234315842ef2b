import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";

/** Coordinates of N points by intensive PCA, and what places other points among them. */
export interface IntensivePca {
  /** Coordinates (N, k), row-major: v·√|λ|. */
  readonly embedding: Float64Array;
  /** Eigenvalues (N) of W, by falling magnitude, signs kept. */
  readonly eigenvalues: Float64Array;
  /** Whether each of the k axes is imaginary: λ < 0, distances along it count negative. */
  readonly isImaginary: readonly boolean[];
  /** Share of W that k axes hold: 1 − √(1 − Σ_{≤k} λ²/Σ λ²), in [0, 1]. */
  readonly explainedStress: number;
  /** Eigenvectors (k, N), rows of length 1. */
  readonly vectors: Float64Array;
  /** Means of the columns of D (N). */
  readonly means: Float64Array;
}

/**
 * Places N points by intensive PCA: eigenvectors of W = −½·L·D·L with L = I − 11ᵀ/N, for distances that are sums (or
 * means) over samples and so grow with their number, such as the Bhattacharyya distance of predictions. The entries of D
 * take the place of squared Euclidean distances.
 *
 * Such spaces are not Euclidean: eigenvalues may be negative. They are sorted by magnitude and kept; an axis with λ < 0 is
 * imaginary, which means that points apart along it are nearer than the picture shows.
 * Cost: O(N³).
 *
 * @param distances - D (N, N), symmetric, at least 0, 0 on the diagonal.
 * @param k - dimensions.
 * @throws {@link InvalidDataError} for a matrix of another size or numbers that are not finite;
 * {@link InvalidOptionError} if k is not from 1 to N − 1.
 * @see Quinn et al., PNAS 2019, Visualizing probabilistic models; Mao et al., PNAS 2024.
 * @example const { embedding, explainedStress } = await intensivePca(distances, n, 2, createLinearAlgebra());
 */
export async function intensivePca(
  distances: Float64Array,
  n: number,
  k: number,
  algebra: LinearAlgebra,
): Promise<IntensivePca> {
  if (!(Number.isInteger(k) && k >= 1 && k < n)) {
    throw new InvalidOptionError("dimensions", `an integer from 1 to ${n - 1}`, String(k));
  }
  if (distances.length !== n * n) {
    throw new InvalidDataError("distances", `${n} × ${n} numbers`, String(distances.length));
  }
  const bad = distances.findIndex((value) => !(value >= 0 && value < Number.POSITIVE_INFINITY));
  if (bad >= 0) {
    const where = `distance of ${Math.floor(bad / n)} and ${bad % n}`;
    throw new InvalidDataError(where, "a finite number of at least 0", String(distances[bad]));
  }
  const means = new Float64Array(n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) means[j] += distances[i * n + j] / n;
  const grand = means.reduce((sum, mean) => sum + mean, 0) / n;
  const centred = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const mean = (distances[i * n + j] + distances[j * n + i]) / 2;
      centred[i * n + j] = -(mean - means[i] - means[j] + grand) / 2;
    }
  }
  const pairs = await algebra.symmetricEigen(centred, n);
  const order = Array.from({ length: n }, (_, i) => i).sort(
    (a, b) => Math.abs(pairs.values[b]) - Math.abs(pairs.values[a]),
  );
  const eigenvalues = Float64Array.from(order, (i) => pairs.values[i]);
  const vectors = new Float64Array(k * n);
  const embedding = new Float64Array(n * k);
  for (let axis = 0; axis < k; axis++) {
    const own = pairs.vectors.subarray(order[axis] * n, (order[axis] + 1) * n);
    const largest = own.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
    const sign = largest < 0 ? -1 : 1;
    const scale = Math.sqrt(Math.abs(eigenvalues[axis]));
    for (let i = 0; i < n; i++) {
      vectors[axis * n + i] = sign * own[i];
      embedding[i * k + axis] = sign * own[i] * scale;
    }
  }
  const squares = eigenvalues.map((value) => value * value);
  const all = squares.reduce((sum, square) => sum + square, 0);
  const left = squares.slice(k).reduce((sum, square) => sum + square, 0);
  return {
    embedding,
    eigenvalues,
    isImaginary: Array.from(eigenvalues.subarray(0, k), (value) => value < 0),
    explainedStress: all > 0 ? 1 - Math.sqrt(left / all) : 1,
    vectors,
    means,
  };
}

/**
 * Returns the coordinates (M, k) of other points among those of an intensive PCA, from their distances (M, N) to its
 * points: a point of its own gets its own place.
 *
 * @throws {@link InvalidDataError} for a matrix of another size.
 * @example const there = intensivePcaTransform(await intensivePca(distances, n, 2, algebra), distances); // to the N points, row by row
 */
export function intensivePcaTransform(result: IntensivePca, distances: Float64Array): Float64Array {
  const { means, vectors, eigenvalues, isImaginary } = result;
  const [n, k] = [means.length, isImaginary.length];
  if (distances.length % n !== 0) {
    throw new InvalidDataError("distances", `rows of ${n} numbers`, `${distances.length} numbers`);
  }
  const count = distances.length / n;
  const grand = means.reduce((sum, mean) => sum + mean, 0) / n;
  const out = new Float64Array(count * k);
  for (let m = 0; m < count; m++) {
    const row = distances.subarray(m * n, (m + 1) * n);
    const mean = row.reduce((sum, value) => sum + value, 0) / n;
    for (let axis = 0; axis < k; axis++) {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += (-(row[i] - mean - means[i] + grand) / 2) * vectors[axis * n + i];
      const scale = Math.sqrt(Math.abs(eigenvalues[axis]));
      out[m * k + axis] = scale > 0 ? (Math.sign(eigenvalues[axis]) * sum) / scale : 0;
    }
  }
  return out;
}
