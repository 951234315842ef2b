import { InvalidDataError } from "../../base/errors.js";
import { dot } from "../../math/vectors.js";

/** Two sets of points after the best similarity transform of the second. */
export interface ProcrustesResult {
  /** The reference, centred, of Frobenius norm 1 (n, k). */
  readonly reference: Float64Array;
  /** The other points, centred, rotated or reflected, and scaled to fit it (n, k). */
  readonly aligned: Float64Array;
  /** Σ (reference − aligned)², in [0, 1]: 0 where shapes agree. */
  readonly disparity: number;
}

/**
 * Returns `points` moved, rotated or reflected, and scaled to fit `reference` in least squares.
 *
 * Both are centred and scaled to Frobenius norm 1 first, as scipy.spatial.procrustes does.
 *
 * @param reference - (n, k), row-major, not all rows equal.
 * @param points - (n, k), row-major, not all rows equal.
 * @throws {@link InvalidDataError} if either has all rows equal.
 * @see Gower 1975. Reference values: scipy.spatial.procrustes.
 * @example const { aligned, disparity } = procrustes(reference, points, n, 2);
 */
export function procrustes(
  reference: Float64Array,
  points: Float64Array,
  n: number,
  k: number,
): ProcrustesResult {
  const a = standardized(reference, n, k, "reference");
  const b = standardized(points, n, k, "points");
  const product = new Float64Array(k * k);
  for (let i = 0; i < n; i++) {
    for (let r = 0; r < k; r++) {
      for (let c = 0; c < k; c++) product[r * k + c] = product[r * k + c] + a[i * k + r] * b[i * k + c];
    }
  }
  const { rotation, trace } = polarFactor(product, k);
  const aligned = new Float64Array(n * k);
  let disparity = 0;
  for (let i = 0; i < n; i++) {
    for (let r = 0; r < k; r++) {
      let sum = 0;
      for (let c = 0; c < k; c++) sum += rotation[r * k + c] * b[i * k + c];
      aligned[i * k + r] = trace * sum;
      disparity += (a[i * k + r] - trace * sum) ** 2;
    }
  }
  return { reference: a, aligned, disparity };
}

function standardized(points: Float64Array, n: number, k: number, where: string): Float64Array {
  const out = points.slice();
  let square = 0;
  for (let c = 0; c < k; c++) {
    let mean = 0;
    for (let i = 0; i < n; i++) mean += out[i * k + c] / n;
    for (let i = 0; i < n; i++) {
      out[i * k + c] = out[i * k + c] - mean;
      square += out[i * k + c] ** 2;
    }
  }
  if (!(square > 0)) throw new InvalidDataError(where, "points that are not all equal", `${n} equal points`);
  const factor = 1 / Math.sqrt(square);
  return out.map((value) => value * factor);
}

/**
 * The orthogonal U·Vᵀ of a small matrix M = U·Σ·Vᵀ (k, k) and the sum of its singular values.
 *
 * One-sided Jacobi: columns of M·V are made orthogonal by plane rotations.
 */
function polarFactor(m: Float64Array, k: number): { rotation: Float64Array; trace: number } {
  const columns = Array.from({ length: k }, (_, c) =>
    Float64Array.from({ length: k }, (_, r) => m[r * k + c]),
  );
  const basis = Array.from({ length: k }, (_, c) => Float64Array.from({ length: k }, (_, r) => +(r === c)));
  for (let sweep = 0; sweep < 60; sweep++) {
    let rotated = false;
    for (let p = 0; p < k; p++) {
      for (let q = p + 1; q < k; q++) rotated = rotatePair(columns, basis, p, q) || rotated;
    }
    if (!rotated) break;
  }
  const lengths = columns.map((column) => Math.sqrt(dot(column, column)));
  const left = leftVectors(columns, lengths);
  const rotation = new Float64Array(k * k);
  for (let s = 0; s < k; s++) {
    for (let r = 0; r < k; r++) {
      for (let c = 0; c < k; c++) rotation[r * k + c] = rotation[r * k + c] + left[s][r] * basis[s][c];
    }
  }
  return { rotation, trace: lengths.reduce((sum, length) => sum + length, 0) };
}

function rotatePair(
  columns: readonly Float64Array[],
  basis: readonly Float64Array[],
  p: number,
  q: number,
): boolean {
  const alpha = dot(columns[p], columns[p]);
  const beta = dot(columns[q], columns[q]);
  const gamma = dot(columns[p], columns[q]);
  if (Math.abs(gamma) <= 1e-16 * Math.sqrt(alpha * beta)) return false;
  const zeta = (beta - alpha) / (2 * gamma);
  const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
  const c = 1 / Math.sqrt(1 + t * t);
  for (const list of [columns, basis]) {
    for (let r = 0; r < list[p].length; r++) {
      const [x, y] = [list[p][r], list[q][r]];
      list[p][r] = c * x - c * t * y;
      list[q][r] = c * t * x + c * y;
    }
  }
  return true;
}

/** Unit vectors along the columns; where a column is 0, one orthogonal to the others. */
function leftVectors(columns: readonly Float64Array[], lengths: readonly number[]): Float64Array[] {
  const floor = 1e-14 * Math.max(...lengths);
  const left: (Float64Array | undefined)[] = columns.map((column, s) =>
    lengths[s] > floor ? column.map((value) => value / lengths[s]) : undefined,
  );
  return left.map((vector, s) => {
    if (vector !== undefined) return vector;
    const filled = complement(
      left.filter((other) => other !== undefined),
      columns.length,
    );
    left[s] = filled;
    return filled;
  });
}

/** A unit vector orthogonal to the given orthonormal ones. */
function complement(others: readonly Float64Array[], k: number): Float64Array {
  let best = new Float64Array(k);
  for (let axis = 0; axis < k; axis++) {
    const candidate = new Float64Array(k);
    candidate[axis] = 1;
    for (const other of others) {
      const share = dot(candidate, other);
      for (let r = 0; r < k; r++) candidate[r] = candidate[r] - share * other[r];
    }
    if (dot(candidate, candidate) > dot(best, best)) best = candidate;
  }
  const length = Math.sqrt(dot(best, best));
  return best.map((value) => value / length);
}

/** Differences in shape between several embeddings of the same points. */
export interface PairwiseDisparities {
  /** Procrustes disparity of each pair (R, R), row-major: 0 same shape, 1 nothing in common. */
  readonly disparities: Float64Array;
  /** Mean over pairs; 0 for a single embedding. */
  readonly meanDisparity: number;
  /** Largest over pairs; 0 for a single embedding. */
  readonly maxDisparity: number;
}

/** Compares R embeddings (N, k) of the same points pair by pair. */
export function pairwiseDisparities(
  embeddings: readonly Float64Array[],
  n: number,
  k: number,
): PairwiseDisparities {
  const count = embeddings.length;
  const disparities = new Float64Array(count * count);
  const pairs: number[] = [];
  embeddings.forEach((first, a) => {
    embeddings.slice(0, a).forEach((second, b) => {
      const { disparity } = procrustes(first, second, n, k);
      disparities[a * count + b] = disparity;
      disparities[b * count + a] = disparity;
      pairs.push(disparity);
    });
  });
  return {
    disparities,
    meanDisparity: pairs.reduce((sum, value) => sum + value, 0) / Math.max(1, pairs.length),
    maxDisparity: Math.max(0, ...pairs),
  };
}
