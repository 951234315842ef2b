import { InvalidDataError } from "../base/errors.js";
import { refuseRenamed } from "../base/option-names.js";
import { ALL_VALUES_UP_TO, doubleCenter, gramShares, leadingPairs, minusMean } from "../math/gram-eigen.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";

/** Options of {@link randomWalkBaseline}. */
export interface RandomWalkOptions {
  /** What the observed shares are centred about. Default "mean". */
  readonly centering?: "mean" | "final";
  /** Row of the final weights, about which "final" centres. Default the last row of the first run. */
  readonly finalRow?: number;
  /** Rows of each run where several are stacked, in order. Default one run. */
  readonly runLengths?: readonly number[];
  /**
   * ‖first row of run r − first row of run 0‖² for each run, [0] = 0. Default all 0: every run starts
   * from the same weights.
   */
  readonly squaredStartDistances?: ArrayLike<number>;
}

/**
 * Returns the share of variance that each component would have if every step of the path had gone in a
 * direction of its own.
 *
 * A walk of independent steps s_k in a space of many dimensions has the Gram matrix about its start
 * K_ij = Σ_{k ≤ min(i,j)} s_k²; about row f it is K_ij − K_if − K_fj + K_ff, which for the last row is
 * Σ_{k > max(i,j)} s_k². Its eigenvalues, double-centred for "mean", give the shares. Many equal steps
 * have 6/π² = 61 %, 15 %, 6.8 %, … about the mean and 8/π² = 81.1 %, 9.0 %, … about the final point.
 *
 * Several runs are independent walks: from common starting weights, or each from a start that one more
 * independent step (`squaredStartDistances`) has led to from the start of the first run. Then K_ij = 0
 * between runs.
 * Cost: O(N³) time for N rows; `leadingWalkShares` gives the largest ones sooner.
 *
 * @param squaredSteps - ‖θ_k − θ_{k−1}‖² (N); the entry of each run's first row is not read.
 * @returns shares (N), non-increasing, sum 1; all 0 if no step moves.
 * @throws {@link InvalidDataError} if a squared step is negative or not finite, or the run lengths do not add up to N.
 * @example const [first, second] = randomWalkBaseline([4, 3, 2, 1]); // squared lengths of four steps
 */
export function randomWalkBaseline(
  squaredSteps: ArrayLike<number>,
  options: RandomWalkOptions = {},
): Float64Array {
  const n = squaredSteps.length;
  refuseRenamed(options, "pca");
  const { centering = "mean", runLengths = [n], squaredStartDistances } = options;
  const { finalRow = runLengths[0] - 1 } = options;
  const aboutStart = walkGram(walkSquares(squaredSteps, runLengths, squaredStartDistances), runLengths);
  const gram = centering === "mean" ? doubleCenter(aboutStart, n) : centerAboutRow(aboutStart, n, finalRow);
  return gramShares(gram, n);
}

/**
 * Returns the k largest of those shares: beyond 256 rows without an N×N matrix.
 *
 * A product with K takes O(N) by running sums, y_i = Σ_{m ≤ i} s_m²·Σ_{j ≥ m} x_j, for which the leading
 * eigenvalues are found by block Lanczos.
 *
 * @throws as {@link randomWalkBaseline}.
 */
export async function leadingWalkShares(
  squaredSteps: ArrayLike<number>,
  k: number,
  algebra: LinearAlgebra,
  options: RandomWalkOptions = {},
): Promise<Float64Array> {
  const n = squaredSteps.length;
  if (n <= ALL_VALUES_UP_TO) return randomWalkBaseline(squaredSteps, options).slice(0, k);
  refuseRenamed(options, "pca");
  const { centering = "mean", runLengths = [n], squaredStartDistances } = options;
  const { finalRow = runLengths[0] - 1 } = options;
  const squares = walkSquares(squaredSteps, runLengths, squaredStartDistances);
  const apply = (x: Float64Array) => walkTimes(squares, runLengths, x);
  const about = centering === "mean" ? aboutMean : aboutRow(finalRow);
  const operator = (x: Float64Array): Float64Array => about.after(apply(about.before(x)));
  const trace = traceAbout(squares, runLengths, centering === "mean" ? null : finalRow);
  if (!(trace > 0)) return new Float64Array(k);
  const found = await leadingPairs((block) => block.map(operator), n, k, trace, algebra);
  return found === null ? randomWalkBaseline(squaredSteps, options).slice(0, k) : found.shares;
}

/** J = I − 11ᵀ/n on both sides. */
const aboutMean = { before: minusMean, after: minusMean };

/** (I − 1·e_fᵀ)·K·(I − e_f·1ᵀ): products of differences from row f. */
function aboutRow(row: number) {
  return {
    before(x: Float64Array): Float64Array {
      const out = x.slice();
      out[row] -= x.reduce((sum, value) => sum + value, 0);
      return out;
    },
    after: (y: Float64Array): Float64Array => y.map((value) => value - y[row]),
  };
}

/** The trace of K about its mean (null) or about a row. */
function traceAbout(squares: Float64Array, runLengths: readonly number[], row: number | null): number {
  const n = squares.length;
  const column =
    row === null
      ? new Float64Array(n).fill(1)
      : Float64Array.from({ length: n }, (_, i) => (i === row ? 1 : 0));
  const product = walkTimes(squares, runLengths, column);
  const sum = product.reduce((total, value) => total + value, 0);
  let diagonal = 0;
  let first = 0;
  for (const length of runLengths) {
    let travelled = 0;
    for (let i = first; i < first + length; i++) {
      travelled += squares[i];
      diagonal += travelled;
    }
    first += length;
  }
  return row === null ? diagonal - sum / n : diagonal - 2 * sum + n * product[row];
}

/** K·x, run by run. */
function walkTimes(squares: Float64Array, runLengths: readonly number[], x: Float64Array): Float64Array {
  const out = new Float64Array(x.length);
  let first = 0;
  for (const length of runLengths) {
    const end = first + length;
    let behind = 0;
    for (let i = end - 1; i >= first; i--) {
      behind += x[i];
      out[i] = squares[i] * behind;
    }
    for (let i = first + 1; i < end; i++) out[i] += out[i - 1];
    first = end;
  }
  return out;
}

/** The squared step that leads to each row; to the first of a run, from the start of the first run. */
function walkSquares(
  squaredSteps: ArrayLike<number>,
  runLengths: readonly number[],
  starts: ArrayLike<number> | undefined,
): Float64Array {
  const n = squaredSteps.length;
  const total = runLengths.reduce((sum, length) => sum + length, 0);
  if (total !== n) {
    throw new InvalidDataError("randomWalkBaseline", `run lengths that add up to ${n} rows`, String(total));
  }
  const squares = Float64Array.from(squaredSteps);
  let first = 0;
  runLengths.forEach((length, run) => {
    if (length > 0) squares[first] = starts?.[run] ?? 0;
    first += length;
  });
  squares.forEach((square, i) => {
    if (square >= 0 && square < Number.POSITIVE_INFINITY) return;
    throw new InvalidDataError(`step ${i}`, "a finite squared length", String(square));
  });
  return squares;
}

function walkGram(squares: Float64Array, runLengths: readonly number[]): Float64Array {
  const n = squares.length;
  const gram = new Float64Array(n * n);
  let first = 0;
  for (const length of runLengths) {
    const travelled = new Float64Array(length);
    for (let i = 0; i < length; i++) travelled[i] = (i === 0 ? 0 : travelled[i - 1]) + squares[first + i];
    for (let i = 0; i < length; i++) {
      for (let j = 0; j < length; j++) gram[(first + i) * n + first + j] = travelled[Math.min(i, j)];
    }
    first += length;
  }
  return gram;
}

function centerAboutRow(gram: Float64Array, n: number, row: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      out[i * n + j] = gram[i * n + j] - gram[i * n + row] - gram[row * n + j] + gram[row * n + row];
    }
  }
  return out;
}
