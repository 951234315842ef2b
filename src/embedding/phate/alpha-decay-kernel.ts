import { InvalidOptionError } from "../../base/errors.js";
import type { DistanceSource } from "../distance-source.js";
import { nthSmallest } from "../quality/trustworthiness.js";
import { DEFAULT_KNN } from "./phate-options.js";
import { type SparseMatrix, type SparseRow, sparseFromRows, transposeSparse } from "./sparse-matrix.js";

/** Options of the α-decay kernel. */
export interface KernelOptions {
  /** Neighbour whose distance is the bandwidth σ, a point itself not counted. Default 5. */
  readonly knn?: number;
  /** Exponent α of the decay; null joins each point to its `knn` nearest with weight 1. Default 40. */
  readonly decay?: number | null;
  /** Affinities below this are 0. Default 1e-4. */
  readonly thresh?: number;
  /** At most so many neighbours a point have an affinity, itself not counted; null: no limit. Default null. */
  readonly knnMax?: number | null;
}

/**
 * Returns the symmetric α-decay kernel K (N, N) of N points, its diagonal 1.
 *
 * K_ij = exp(−(d_ij/σ_i)^decay) with σ_i the distance of point i to its knn-th neighbour, entries below
 * `thresh` set to 0, then (K + Kᵀ)/2. Cost: O(N²), memory O(entries).
 *
 * @param source - distances of N points to themselves.
 * @throws {@link InvalidOptionError} if knn < 1 or knn > N − 2.
 * @see Moon et al. 2019, online methods; reference values: graphtools.
 */
export function alphaDecayKernel(source: DistanceSource, options: KernelOptions = {}): SparseMatrix {
  const knn = options.knn ?? DEFAULT_KNN;
  const knnMax = options.knnMax ?? null;
  checkKnn(knn, source.columns - 2);
  return symmetrizeKernel(
    directedKernel(source, { ...options, knn: knn + 1, knnMax: knnMax === null ? null : knnMax + 1 }),
  );
}

/**
 * Returns the affinities of M new points to N points (M, N), each row from its own bandwidth: the distance
 * of the new point to its knn-th nearest. Not symmetrised.
 */
export function kernelToPoints(source: DistanceSource, options: KernelOptions = {}): SparseMatrix {
  checkKnn(options.knn ?? DEFAULT_KNN, source.columns);
  return directedKernel(source, options);
}

function checkKnn(knn: number, most: number): void {
  if (Number.isInteger(knn) && knn >= 1 && knn <= most) return;
  throw new InvalidOptionError("knn", `an integer from 1 to ${most}`, String(knn));
}

/** Returns (K + Kᵀ)/2. */
export function symmetrizeKernel(kernel: SparseMatrix): SparseMatrix {
  const transposed = transposeSparse(kernel);
  const sums = new Float64Array(kernel.columns);
  const list: SparseRow[] = [];
  for (let i = 0; i < kernel.rows; i++) {
    const touched = new Set<number>();
    for (const { offsets, indices, values } of [kernel, transposed]) {
      for (let p = offsets[i]; p < offsets[i + 1]; p++) {
        touched.add(indices[p]);
        sums[indices[p]] = sums[indices[p]] + values[p];
      }
    }
    const indices = Int32Array.from(touched).sort();
    list.push({ indices, values: Float64Array.from(indices, (j) => sums[j] / 2) });
    for (const j of indices) sums[j] = 0;
  }
  return sparseFromRows(list, kernel.columns);
}

/** One row of affinities per row of distances; here `knn` and `knnMax` count every column. */
function directedKernel(source: DistanceSource, options: KernelOptions): SparseMatrix {
  const { knn = DEFAULT_KNN, decay = 40, thresh = 1e-4 } = options;
  const limit = options.knnMax ?? source.columns;
  const distances = new Float64Array(source.columns);
  const scratch = new Float64Array(source.columns);
  const list: SparseRow[] = [];
  for (let i = 0; i < source.rows; i++) {
    source.readRowInto(distances, i);
    scratch.set(distances);
    const bandwidth = Math.max(nthSmallest(scratch, knn - 1), Number.EPSILON);
    list.push(
      decay === null
        ? connectivityRow(distances, knn)
        : affinityRow(distances, bandwidth, decay, thresh, limit),
    );
  }
  return sparseFromRows(list, source.columns);
}

function affinityRow(
  distances: Float64Array,
  bandwidth: number,
  decay: number,
  thresh: number,
  limit: number,
): SparseRow {
  // Beyond this radius the affinity is below the threshold; the margin keeps rounding out of the choice.
  const radius = thresh > 0 ? bandwidth * (-Math.log(thresh)) ** (1 / decay) * (1 + 1e-9) : Infinity;
  const columns: number[] = [];
  for (let j = 0; j < distances.length; j++) if (distances[j] <= radius) columns.push(j);
  const kept = columns.length <= limit ? columns : nearest(distances, columns, limit);
  const values = kept.map((j) => Math.exp(-((distances[j] / bandwidth) ** decay)));
  const above = [...kept.keys()].filter((p) => values[p] >= thresh && values[p] > 0);
  return {
    indices: Int32Array.from(above, (p) => kept[p]),
    values: Float64Array.from(above, (p) => values[p]),
  };
}

function connectivityRow(distances: Float64Array, knn: number): SparseRow {
  const indices = Int32Array.from(nearest(distances, [...distances.keys()], knn));
  return { indices, values: new Float64Array(indices.length).fill(1) };
}

function nearest(distances: Float64Array, columns: readonly number[], count: number): number[] {
  const sorted = [...columns].sort((a, b) => distances[a] - distances[b] || a - b);
  return sorted.slice(0, count).sort((a, b) => a - b);
}
