import { InvalidOptionError } from "../../base/errors.js";
import { refuseRenamed } from "../../base/renamed-options.js";
import type { LinearAlgebra } from "../../math/linear-algebra.js";
import { symmetricTimes, topEigenpairs } from "../../math/top-eigenpairs.js";

/** Options of {@link classicMds}. */
export interface ClassicMdsOptions {
  /** Dimensions k of the embedding. Default 2. */
  readonly dimensions?: number;
  /**
   * `phate`: principal components of the double-centred squared distances, coordinates λ·v, as the Python
   * package has it. `torgerson`: −1/2 of them, coordinates √λ·v, which reproduces Euclidean distances.
   * Default "phate".
   */
  readonly variant?: "phate" | "torgerson";
  /** Largest residual of an eigenvector, relative to the largest eigenvalue. Default 1e-10. */
  readonly tolerance?: number;
}

/**
 * Returns the classic multidimensional scaling (n, k) of a distance matrix.
 *
 * B = J·D²·J with J = I − 1/n; eigenvectors of largest |λ|, each with its entry of largest magnitude
 * positive before it is scaled. PHATE's coordinates grow as λ, not √λ: fit to start another method from
 * and to orient its result, not to measure distances in.
 *
 * @param distances - (n, n), symmetric.
 * @returns coordinates (n, k), row-major.
 * @throws {@link InvalidOptionError} if k < 1 or k ≥ n.
 * @see Torgerson 1952; PHATE 1.0.11, `mds.classic`.
 * @example const coordinates = await classicMds(distances, n, createLinearAlgebra());
 */
export async function classicMds(
  distances: Float64Array,
  n: number,
  algebra: LinearAlgebra,
  options: ClassicMdsOptions = {},
): Promise<Float64Array> {
  refuseRenamed(options, "embedding");
  const { dimensions: k = 2, variant = "phate", tolerance = 1e-10 } = options;
  if (!Number.isInteger(k) || k < 1 || k >= n) {
    throw new InvalidOptionError("dimensions", `an integer from 1 to ${n - 1}`, String(k));
  }
  const centered = doubleCentered(distances, n);
  const { values, vectors } = await topEigenpairs(
    (block) => symmetricTimes(centered, block, n),
    n,
    k,
    algebra,
    { tolerance },
  );
  const coordinates = new Float64Array(n * k);
  for (let c = 0; c < k; c++) {
    const vector = vectors.subarray(c * n, (c + 1) * n);
    const scale = variant === "phate" ? values[c] : Math.sqrt(Math.max(0, -values[c] / 2));
    const factor = scale * signOfLargest(vector);
    for (let i = 0; i < n; i++) coordinates[i * k + c] = factor * vector[i];
  }
  return coordinates;
}

/** J·D²·J for J = I − 1/n. */
function doubleCentered(distances: Float64Array, n: number): Float64Array {
  const squares = distances.map((d) => d * d);
  const means = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) means[i] = means[i] + squares[i * n + j] / n;
  }
  const mean = means.reduce((sum, value) => sum + value, 0) / n;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) squares[i * n + j] = squares[i * n + j] - means[i] - means[j] + mean;
  }
  return squares;
}

function signOfLargest(vector: Float64Array): number {
  let largest = 0;
  for (const value of vector) if (Math.abs(value) > Math.abs(largest)) largest = value;
  return largest < 0 ? -1 : 1;
}
