import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { LinearAlgebra } from "../../math/linear-algebra.js";
import { topEigenpairs } from "../../math/top-eigenpairs.js";
import {
  diffusionOperator,
  multiplySparse,
  multiplySparseDense,
  rowSums,
  type SparseMatrix,
  scaleRows,
  sparseFromRows,
  symmetricDiffusionOperator,
  transposeSparse,
} from "./sparse-matrix.js";

/** A diffusion operator between groups of points, and the way back to the points. */
export interface LandmarkOperator {
  /** Diffusion between L landmarks (L, L): rows sum to 1. */
  readonly operator: SparseMatrix;
  /** Transition from N points to landmarks (N, L): rows sum to 1. */
  readonly transitions: SparseMatrix;
  /** Landmark that each point belongs to (N), in 0…L − 1. */
  readonly clusters: Int32Array;
}

/** Options of {@link landmarkOperator}. */
export interface LandmarkOptions {
  /** Landmarks at most. Default 2000. */
  readonly nLandmark?: number;
  /** Leading eigenvectors that clusters are found in. Default 100. */
  readonly nSvd?: number;
  /** Seed of the choice of the first centres. Default 0. */
  readonly seed?: number;
}

/**
 * Returns the landmark operator of a kernel (N, N): points are grouped by spectral clustering, and one step
 * goes from a group to points and back to groups.
 *
 * Features are P·V with V the leading eigenvectors of D^(−1/2)·K·D^(−1/2); the clusters are those of k-means
 * in which a point looks for a nearer centre only among the clusters of its neighbours in the kernel.
 * The Python package uses mini-batch k-means, so landmarks differ, and so do coordinates beyond it.
 *
 * @param kernel - K (N, N), symmetric, N > nLandmark.
 * @see Moon et al. 2019, online methods (scalability); graphtools, `LandmarkGraph`.
 */
export async function landmarkOperator(
  kernel: SparseMatrix,
  algebra: LinearAlgebra,
  options: LandmarkOptions = {},
): Promise<LandmarkOperator> {
  const { nLandmark = 2000, nSvd = 100, seed = 0 } = options;
  const width = Math.min(nSvd, kernel.rows - 1);
  const features = await spectralFeatures(kernel, width, algebra, seed);
  const clusters = neighbourClusters(features, width, kernel, nLandmark, seed);
  const toPoints = clusterSums(kernel, clusters);
  const transitions = rowNormalized(transposeSparse(toPoints));
  return { operator: multiplySparse(rowNormalized(toPoints), transitions), transitions, clusters };
}

/** Returns an affinity matrix (M, N) summed over the clusters of its columns, rows summing to 1 (M, L). */
export function affinitiesToClusters(affinities: SparseMatrix, clusters: Int32Array): SparseMatrix {
  return rowNormalized(transposeSparse(clusterSums(transposeSparse(affinities), clusters)));
}

/** Returns the matrix with each row divided by its sum. */
export function rowNormalized(matrix: SparseMatrix): SparseMatrix {
  return scaleRows(
    matrix,
    rowSums(matrix).map((sum) => 1 / sum),
  );
}

/** The sums of the rows (N, M) of each cluster (L, M). */
function clusterSums(matrix: SparseMatrix, clusters: Int32Array): SparseMatrix {
  const count = clusters.reduce((largest, label) => Math.max(largest, label), -1) + 1;
  const members = Array.from({ length: count }, (): number[] => []);
  clusters.forEach((label, i) => {
    members[label].push(i);
  });
  const indicator = sparseFromRows(
    members.map((list) => ({
      indices: Int32Array.from(list),
      values: new Float64Array(list.length).fill(1),
    })),
    matrix.rows,
  );
  return multiplySparse(indicator, matrix);
}

/** P·V (N, width). */
async function spectralFeatures(
  kernel: SparseMatrix,
  width: number,
  algebra: LinearAlgebra,
  seed: number,
): Promise<Float64Array> {
  const n = kernel.rows;
  const symmetric = symmetricDiffusionOperator(kernel);
  // A⁸ has the eigenvectors of A in the same order, and a block of it is nearly the leading subspace already.
  const apply = (x: Float64Array): Float64Array => {
    let image = x;
    for (let power = 0; power < 8; power++) image = multiplySparseDense(symmetric, image, 1);
    return image;
  };
  const { vectors } = await topEigenpairs((block) => block.map(apply), n, width, algebra, {
    blockSize: width + 10,
    depth: 1,
    restarts: 2,
    tolerance: 1e-3,
    seed,
  });
  const columns = new Float64Array(n * width);
  for (let c = 0; c < width; c++) for (let i = 0; i < n; i++) columns[i * width + c] = vectors[c * n + i];
  return multiplySparseDense(diffusionOperator(kernel), columns, width);
}

/** Clusters 0…L − 1 of points with the given features: k-means within neighbourhoods, empty ones left out. */
function neighbourClusters(
  features: Float64Array,
  width: number,
  graph: SparseMatrix,
  count: number,
  seed: number,
): Int32Array {
  const n = graph.rows;
  const seeds = sample(n, count, seed);
  const labels = new Int32Array(n).fill(-1);
  seeds.forEach((i, label) => {
    labels[i] = label;
  });
  const centers = new Float64Array(count * width);
  seeds.forEach((i, label) => {
    centers.set(features.subarray(i * width, (i + 1) * width), label * width);
  });
  spreadLabels(labels, features, width, centers, graph);
  for (let round = 0; round < 10; round++) {
    meansInto(centers, labels, features, width);
    if (!improveLabels(labels, features, width, centers, graph)) break;
  }
  return renumbered(labels);
}

/** Gives every point the nearest label among its neighbours, wave by wave from the seeds. */
function spreadLabels(
  labels: Int32Array,
  features: Float64Array,
  width: number,
  centers: Float64Array,
  graph: SparseMatrix,
): void {
  for (let waiting = true; waiting; ) {
    const before = labels.slice();
    waiting = false;
    for (let i = 0; i < labels.length; i++) {
      if (before[i] >= 0) continue;
      labels[i] = nearestLabel(i, before, features, width, centers, graph);
      waiting ||= labels[i] >= 0;
    }
  }
  // What no seed reaches: a component of its own.
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] >= 0) continue;
    labels[i] = 0;
    let least = Infinity;
    for (let label = 0; label < centers.length / width; label++) {
      const square = squareTo(features, i, centers, label, width);
      if (square < least) [least, labels[i]] = [square, label];
    }
  }
}

function improveLabels(
  labels: Int32Array,
  features: Float64Array,
  width: number,
  centers: Float64Array,
  graph: SparseMatrix,
): boolean {
  const before = labels.slice();
  let changed = false;
  for (let i = 0; i < labels.length; i++) {
    labels[i] = nearestLabel(i, before, features, width, centers, graph);
    changed ||= labels[i] !== before[i];
  }
  return changed;
}

/** The nearest centre among the labels of a point and its neighbours; −1 if none has one. */
function nearestLabel(
  i: number,
  labels: Int32Array,
  features: Float64Array,
  width: number,
  centers: Float64Array,
  { offsets, indices }: SparseMatrix,
): number {
  let best = labels[i];
  let least = best < 0 ? Infinity : squareTo(features, i, centers, best, width);
  for (let p = offsets[i]; p < offsets[i + 1]; p++) {
    const label = labels[indices[p]];
    if (label < 0 || label === best) continue;
    const square = squareTo(features, i, centers, label, width);
    if (square < least) [least, best] = [square, label];
  }
  return best;
}

function squareTo(x: Float64Array, i: number, centers: Float64Array, label: number, width: number): number {
  let sum = 0;
  for (let c = 0; c < width; c++) sum += (x[i * width + c] - centers[label * width + c]) ** 2;
  return sum;
}

function meansInto(centers: Float64Array, labels: Int32Array, features: Float64Array, width: number): void {
  const counts = new Float64Array(centers.length / width);
  centers.fill(0);
  labels.forEach((label, i) => {
    counts[label] = counts[label] + 1;
    for (let c = 0; c < width; c++) {
      centers[label * width + c] = centers[label * width + c] + features[i * width + c];
    }
  });
  for (let p = 0; p < centers.length; p++) {
    centers[p] = centers[p] / Math.max(1, counts[Math.floor(p / width)]);
  }
}

/** `count` different numbers below n, ascending. */
function sample(n: number, count: number, seed: number): number[] {
  const generator = xoroshiro128plus(seed);
  const pool = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const j = uniformInt(generator, i, n - 1);
    const swap = pool[i];
    pool[i] = pool[j];
    pool[j] = swap;
  }
  return [...pool.subarray(0, count)].sort((a, b) => a - b);
}

function renumbered(labels: Int32Array): Int32Array {
  const numbers = new Map<number, number>();
  for (const label of [...new Set(labels)].sort((a, b) => a - b)) numbers.set(label, numbers.size);
  return labels.map((label) => numbers.get(label) ?? 0);
}
