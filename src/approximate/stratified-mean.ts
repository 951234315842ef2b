import type { StratifiedSample } from "./stratified-sample.js";

/** A mean estimated from a sample, and its standard error. */
export interface EstimatedMean {
  readonly mean: number;
  readonly standardError: number;
}

/**
 * Estimates the mean over the whole set from a stratified sample: Σ share·mean, with the standard error
 * √(Σ share²·(1 − n/N)·s²/n).
 *
 * It is unbiased whatever the values are. The error is unbiased in its square, but blind to a rare huge value
 * that the sample does not hold.
 *
 * @param values - one for each row of the sample.
 * @see Cochran, Sampling Techniques, sections 5.3 and 5.4.
 */
export function stratifiedMean(values: Float64Array, { strata }: StratifiedSample): EstimatedMean {
  let mean = 0;
  let variance = 0;
  for (const { share, correction, members } of strata) {
    let sum = 0;
    for (const place of members) sum += values[place];
    const own = sum / members.length;
    mean += share * own;
    if (correction === 0) continue;
    let squares = 0;
    for (const place of members) squares += (values[place] - own) ** 2;
    variance += share ** 2 * correction * (squares / (members.length - 1) / members.length);
  }
  return { mean, standardError: Math.sqrt(variance) };
}
