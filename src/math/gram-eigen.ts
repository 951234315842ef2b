import { Matrix } from "ml-matrix";
import { PCA } from "ml-pca";
import type { LinearAlgebra } from "./linear-algebra.js";
import { symmetricTimes, topEigenpairs } from "./top-eigenpairs.js";
import { tridiagonalEigenvaluesInto, tridiagonalizeInto } from "./tridiagonal.js";

/** Rows up to which all eigenvalues are computed, in some hundredths of a second. */
export const ALL_VALUES_UP_TO = 256;
/** Rows up to which all eigenpairs are computed: some milliseconds, but 0.1 s for 250. */
const ALL_PAIRS_UP_TO = 64;
/** Leading pairs are found on their own where they are at most this part of all. */
const LEADING_PART = 1 / 8;

/** Eigenpairs of a Gram matrix (n, n): all of them, or the k leading ones. */
export interface GramEigen {
  /** Eigenvalues (n or k), non-increasing; negative rounding noise is 0. */
  readonly values: Float64Array;
  /** Share of each eigenvalue in the sum of all (n or k); all 0 if the matrix is 0. */
  readonly shares: Float64Array;
  /** Unit eigenvectors as rows of length n, row-major: of all eigenvalues, or of the k leading ones. */
  readonly vectors: Float64Array;
}

/**
 * Returns the eigenpairs of a Gram matrix G = M·Mᵀ by principal component analysis with G in the place
 * of the covariance matrix.
 *
 * The eigenvectors u of G give the principal components of the rows of M as Mᵀu/√λ, whatever their
 * length. Shares are taken of the trace, which equals the sum of all eigenvalues.
 * Cost: O(n³) time, O(n²) memory.
 *
 * @param gram - (n, n) float64, symmetric positive semidefinite up to rounding.
 */
export function gramEigen(gram: Float64Array, n: number): GramEigen {
  let trace = 0;
  for (let i = 0; i < n; i++) trace += gram[i * n + i];
  if (!(trace > 0)) return zeroEigen(n);
  // ml-pca reads the lower triangle only: symmetrise. Scaled by the trace, so that no size over- or underflows.
  const scaled = new Matrix(n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) scaled.set(i, j, (gram[i * n + j] / trace + gram[j * n + i] / trace) / 2);
  }
  const pca = new PCA(scaled, { isCovarianceMatrix: true });
  const shares = Float64Array.from(pca.getEigenvalues(), (value) => Math.max(0, value));
  const columns = pca.getEigenvectors();
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) vectors[i * n + j] = columns.get(j, i);
  }
  return { values: shares.map((share) => share * trace), shares, vectors };
}

/**
 * Returns the share of each eigenvalue of a Gram matrix in their sum (n), non-increasing, without the
 * eigenvectors: some 20 times faster for large n. All 0 if the matrix is 0.
 *
 * @param gram - (n, n) float64, symmetric; not changed.
 */
export function gramShares(gram: Float64Array, n: number): Float64Array {
  let trace = 0;
  for (let i = 0; i < n; i++) trace += gram[i * n + i];
  if (!(trace > 0)) return new Float64Array(n);
  const scaled = gram.map((value) => value / trace);
  return tridiagonalEigenvaluesInto(tridiagonalizeInto(scaled, n)).map((share) => Math.max(0, share));
}

function zeroEigen(n: number): GramEigen {
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  return { values: new Float64Array(n), shares: new Float64Array(n), vectors };
}

/**
 * Returns the Gram matrix of the same rows with their mean subtracted: J·G·J with J = 1 − 11ᵀ/n.
 *
 * @param gram - (n, n) float64; not changed.
 */
export function doubleCenter(gram: Float64Array, n: number): Float64Array {
  const means = new Float64Array(n);
  let mean = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) means[i] += gram[i * n + j] / n;
    mean += means[i] / n;
  }
  const centred = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) centred[i * n + j] = gram[i * n + j] - means[i] - means[j] + mean;
  }
  return centred;
}

/** Residual that is aimed at, and the largest that is taken, relative to the largest eigenvalue. */
const [AIM, MOST] = [1e-12, 1e-9];

/**
 * Returns the k leading eigenpairs of a Gram matrix, without the others, by block Lanczos; up to
 * {@link ALL_VALUES_UP_TO} rows the other eigenvalues as well, without their vectors.
 *
 * All eigenpairs by {@link gramEigen} up to {@link ALL_PAIRS_UP_TO} rows, and by the port's solver in the rare
 * cases that the leading ones do not separate from those behind them, or that rounding has made one of them negative.
 * Cost: O(n²) time for each of some tens of products with G, O(n) memory beside it.
 *
 * @param gram - (n, n) float64, symmetric; not changed.
 * @param centered - whether the eigenpairs are those of the rows minus their mean, of J·G·J.
 */
export async function leadingGramEigen(
  gram: Float64Array,
  n: number,
  k: number,
  algebra: LinearAlgebra,
  centered: boolean,
): Promise<GramEigen> {
  const used = () => (centered ? doubleCenter(gram, n) : gram);
  const hasAllValues = n <= ALL_VALUES_UP_TO;
  if (n <= ALL_PAIRS_UP_TO || (hasAllValues && k > LEADING_PART * n)) return gramEigen(used(), n);
  const apply = (vectors: readonly Float64Array[]) => symmetricTimes(gram, vectors, n);
  const operator = centered ? (x: readonly Float64Array[]) => apply(x.map(minusMean)).map(minusMean) : apply;
  let [trace, sum] = [0, 0];
  for (let i = 0; i < n; i++) {
    trace += gram[i * n + i];
    if (centered) for (let j = 0; j < n; j++) sum += gram[i * n + j];
  }
  const found = await leadingPairs(operator, n, k, trace - sum / n, algebra);
  if (found !== null && !hasAllValues) return found;
  if (found !== null) {
    const shares = gramShares(used(), n);
    const values = shares.map((share) => share * (trace - sum / n));
    // Leading in magnitude: of a Gram matrix from float32 one may be negative, and no vector of the value at its place.
    const isLeading = found.values.every((value, i) => Math.abs(value - values[i]) <= 10 * AIM * values[0]);
    if (isLeading) return { ...found, shares, values };
  }
  const all = await algebra.symmetricEigen(used(), n);
  return withShares(all.values, all.vectors, trace - sum / n);
}

/**
 * Returns the k leading eigenpairs of a positive semidefinite operator of known trace; null if they do not
 * converge.
 */
export async function leadingPairs(
  operator: (vectors: readonly Float64Array[]) => readonly Float64Array[],
  n: number,
  k: number,
  trace: number,
  algebra: LinearAlgebra,
): Promise<GramEigen | null> {
  // Products are formed for four vectors at a time.
  const blockSize = 4 * Math.ceil((k + 1) / 4);
  const options = { blockSize, depth: 24, lookEvery: 2, restarts: 20, tolerance: AIM };
  const { values, vectors, residual } = await topEigenpairs(operator, n, k, algebra, options);
  return residual <= MOST ? withShares(values, vectors, trace) : null;
}

function withShares(values: Float64Array, vectors: Float64Array, trace: number): GramEigen {
  const positive = values.map((value) => Math.max(0, value));
  return { values: positive, shares: positive.map((value) => (trace > 0 ? value / trace : 0)), vectors };
}

/** Returns the entries minus their mean, J·x. */
export function minusMean(x: Float64Array): Float64Array {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  return x.map((value) => value - mean);
}
