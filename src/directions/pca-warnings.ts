import type { LandscapeWarning } from "../warning.js";

/** Components whose eigenvalues differ by less than this part may be turned within their plane. */
const EQUAL_SHARES = 1e-4;
/** Shares below this are near the rounding of the weights themselves. */
const WEAK_SHARE = 1e-6;

/**
 * Returns what a reader of principal components should know: equal eigenvalues, components near
 * rounding, snapshots that repeat the one before.
 *
 * @param shares - share of every component (N), non-increasing.
 * @param squaredSteps - ‖θ_i − θ_{i−1}‖² (N).
 * @param select - the components in use.
 * @param runLengths - rows of each run.
 */
export function pcaWarnings(
  shares: Float64Array,
  squaredSteps: Float64Array,
  select: readonly number[],
  runLengths: readonly number[],
): LandscapeWarning[] {
  return [
    ...equalShares(shares, select),
    ...weakShares(shares, select),
    ...repeatedSnapshots(squaredSteps, runLengths),
  ];
}

function equalShares(shares: Float64Array, select: readonly number[]): LandscapeWarning[] {
  const pairs = Array.from({ length: shares.length - 1 }, (_, index) => index).filter((index) => {
    const isUsed = select.includes(index) || select.includes(index + 1);
    return (
      isUsed &&
      shares[index + 1] > WEAK_SHARE &&
      shares[index] - shares[index + 1] < EQUAL_SHARES * shares[index]
    );
  });
  return pairs.map((index) => ({
    code: "equal-components",
    message:
      `components ${index + 1} and ${index + 2} explain the same share: ` +
      "only the plane of both is determined, not the axes in it",
  }));
}

function weakShares(shares: Float64Array, select: readonly number[]): LandscapeWarning[] {
  return select
    .filter((index) => shares[index] < WEAK_SHARE)
    .map((index) => ({
      code: "weak-component",
      message:
        `component ${index + 1} explains ${shares[index].toExponential(1)} of the variance: ` +
        "its direction is near the rounding of float32 weights",
    }));
}

function repeatedSnapshots(squaredSteps: Float64Array, runLengths: readonly number[]): LandscapeWarning[] {
  const firsts = new Set<number>();
  let first = 0;
  for (const length of runLengths) {
    firsts.add(first);
    first += length;
  }
  const repeated = Array.from(squaredSteps.keys()).filter((i) => squaredSteps[i] === 0 && !firsts.has(i));
  if (repeated.length === 0) return [];
  const named = repeated.slice(0, 5).join(", ") + (repeated.length > 5 ? ", …" : "");
  return [
    {
      code: "repeated-snapshot",
      message: `${repeated.length} snapshot(s) have the weights of the one before: ${named}`,
    },
  ];
}
