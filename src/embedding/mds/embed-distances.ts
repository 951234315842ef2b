import { refuseRenamed } from "../../base/renamed-options.js";
import type { LinearAlgebra } from "../../math/linear-algebra.js";
import type { PhateOptions } from "../phate/phate-options.js";
import { classicMds } from "./classic-mds.js";
import { nonmetricMds } from "./nonmetric-mds.js";
import { procrustes } from "./procrustes.js";
import { sgdMds } from "./sgd-mds.js";
import { smacof } from "./smacof.js";
import type { MdsResult } from "./stress.js";

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
  const common = { dimensions, ...(signal === undefined ? {} : { signal }) };
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
  let product = 0;
  let squares = 0;
  let total = 0;
  for (let i = 1; i < n; i++) {
    for (let j = 0; j < i; j++) {
      let square = 0;
      for (let c = 0; c < k; c++) square += (embedding[i * k + c] - embedding[j * k + c]) ** 2;
      const delta = distances[i * n + j];
      product += Math.sqrt(square) * delta;
      squares += square;
      total += delta * delta;
    }
  }
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
