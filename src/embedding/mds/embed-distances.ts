import { InvalidOptionError } from "../../base/errors.js";
import { refuseRenamed } from "../../base/option-names.js";
import { minusMean } from "../../math/gram-eigen.js";
import type { LinearAlgebra } from "../../math/linear-algebra.js";
import { symmetricTimes, topEigenpairs } from "../../math/top-eigenpairs.js";
import { dot } from "../../math/vectors.js";
import type { PhateOptions } from "../phate/phate-options.js";
import { procrustes } from "./procrustes.js";
import { sgdMds } from "./sgd-mds.js";
import { nonmetricMds, smacof } from "./smacof.js";
import { centeredCoordinates, guttmanInto, type MdsResult } from "./stress.js";

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
  const squares = squaresOf(distances);
  const apply = (block: readonly Float64Array[]) =>
    symmetricTimes(squares, block.map(minusMean), n).map(minusMean);
  const { values, vectors } = await topEigenpairs(apply, n, k, algebra, { tolerance, lookEvery: 1 });
  const coordinates = new Float64Array(n * k);
  for (let c = 0; c < k; c++) {
    const vector = vectors.subarray(c * n, (c + 1) * n);
    const scale = variant === "phate" ? values[c] : Math.sqrt(Math.max(0, -values[c] / 2));
    const factor = scale * signOfLargest(vector);
    for (let i = 0; i < n; i++) coordinates[i * k + c] = factor * vector[i];
  }
  return coordinates;
}

function squaresOf(values: Float64Array): Float64Array {
  const squares = new Float64Array(values.length);
  for (let p = 0; p < values.length; p++) squares[p] = values[p] * values[p];
  return squares;
}

function signOfLargest(vector: Float64Array): number {
  let largest = 0;
  for (const value of vector) if (Math.abs(value) > Math.abs(largest)) largest = value;
  return largest < 0 ? -1 : 1;
}

/** The options of PHATE that its scaling depends on. */
export type ScalingOptions = Pick<PhateOptions, "dimensions" | "mds" | "mdsSolver" | "seed" | "signal">;

/** Coordinates from distances, in PHATE's orientation and scale. */
export interface ScalingResult extends MdsResult {
  /** √(stress / Σ_{i<j} δ_ij²), in [0, 1]. */
  readonly normalizedStress: number;
}

/**
 * Returns the multidimensional scaling of a distance matrix as PHATE does it.
 *
 * Classic scaling; from there metric scaling (SMACOF or SGD); from there, if asked for, nonmetric scaling.
 * All but classic coordinates are fitted to the classic ones by Procrustes. The stress is that of the
 * coordinates at their best scale, min_b Σ_{i<j} (b·d_ij − δ_ij)².
 *
 * @param distances - δ (n, n), symmetric, diagonal 0.
 * @see PHATE 1.0.11, `mds.embed_MDS`.
 * @example const { embedding, normalizedStress } = await embedDistances(distances, n, createLinearAlgebra());
 */
export async function embedDistances(
  distances: Float64Array,
  n: number,
  algebra: LinearAlgebra,
  options: ScalingOptions = {},
): Promise<ScalingResult> {
  refuseRenamed(options, "embedding");
  const { dimensions = 2, mds = "metric", mdsSolver = "smacof", seed = 0 } = options;
  const { signal } = options;
  const common = { dimensions, signal };
  const classic = await classicMds(distances, n, algebra, { dimensions, tolerance: 1e-8 });
  if (mds === "classic") return withStress(classic, distances, n, dimensions, 0);
  let solved =
    mdsSolver === "sgd"
      ? sgdMds(distances, n, classic, { ...common, seed })
      : smacof(distances, n, classic, common);
  if (mds === "nonmetric") solved = nonmetricMds(distances, n, solved.embedding, common);
  const { aligned } = procrustes(classic, solved.embedding, n, dimensions);
  return withStress(aligned, distances, n, dimensions, solved.iterations);
}

function withStress(
  embedding: Float64Array,
  distances: Float64Array,
  n: number,
  k: number,
  iterations: number,
): ScalingResult {
  // Σ_{i<j} δ_ij·d_ij = n·Σ x·G(x), and Σ_{i<j} d_ij² = n·Σ x² for centred x.
  const x = centeredCoordinates(embedding, n, k);
  const transform = new Float64Array(n * k);
  guttmanInto(transform, distances, x, n, k);
  const product = n * dot(x, transform);
  const squares = n * dot(x, x);
  const total = dot(distances, distances) / 2;
  const explained = squares > 0 ? (product * product) / squares : 0;
  const stress = Math.max(0, total - explained);
  return { embedding, stress, normalizedStress: total > 0 ? Math.sqrt(stress / total) : 0, iterations };
}

/** Returns N points of k coordinates each, flat and row-major. */
export function flatten(points: readonly ArrayLike<number>[], k: number): Float64Array {
  const flat = new Float64Array(points.length * k);
  points.forEach((point, i) => {
    flat.set(point, i * k);
  });
  return flat;
}
