import { InvalidDataError } from "../base/errors.js";
import { refuseRenamed } from "../base/renamed-options.js";
import { doubleCenter, gramShares } from "../math/tridiagonal.js";

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
 * Cost: O(N³) time for N rows.
 *
 * @param squaredSteps - ‖θ_k − θ_{k−1}‖² (N); the entry of each run's first row is not read.
 * @returns shares (N), non-increasing, sum 1; all 0 if no step moves.
 * @throws {@link InvalidDataError} if a squared step is negative or not finite, or the run lengths do not add up to N.
 */
export function randomWalkBaseline(
  squaredSteps: ArrayLike<number>,
  options: RandomWalkOptions = {},
): Float64Array {
  const n = squaredSteps.length;
  refuseRenamed(options, "pca");
  const { centering = "mean", runLengths = [n], squaredStartDistances } = options;
  const { finalRow = runLengths[0] - 1 } = options;
  const aboutStart = walkGram(squaredSteps, runLengths, squaredStartDistances);
  const gram = centering === "mean" ? doubleCenter(aboutStart, n) : centerAboutRow(aboutStart, n, finalRow);
  return gramShares(gram, n);
}

function walkGram(
  squaredSteps: ArrayLike<number>,
  runLengths: readonly number[],
  starts: ArrayLike<number> | undefined,
): Float64Array {
  const n = squaredSteps.length;
  const total = runLengths.reduce((sum, length) => sum + length, 0);
  if (total !== n) {
    throw new InvalidDataError("randomWalkBaseline", `run lengths that add up to ${n} rows`, String(total));
  }
  const gram = new Float64Array(n * n);
  let first = 0;
  runLengths.forEach((length, run) => {
    const travelled = new Float64Array(length);
    for (let i = 0; i < length; i++) {
      const square = i === 0 ? (starts?.[run] ?? 0) : squaredSteps[first + i];
      if (!(square >= 0 && square < Number.POSITIVE_INFINITY)) {
        throw new InvalidDataError(`step ${first + i}`, "a finite squared length", String(square));
      }
      travelled[i] = (i === 0 ? 0 : travelled[i - 1]) + square;
    }
    for (let i = 0; i < length; i++) {
      for (let j = 0; j < length; j++) gram[(first + i) * n + first + j] = travelled[Math.min(i, j)];
    }
    first += length;
  });
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
