/** Greatest minus least finite value; 0 where there is none. */
export function rangeOf(values: Float64Array): number {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return most >= least ? most - least : 0;
}

/**
 * Returns the bound that 97.5 % of the points keep. With bounds that hold at 97.5 % of the points, the error is
 * no larger than this at 95 % of them.
 */
export function boundOfMost(errors: Float64Array): number {
  const sorted = errors.slice().sort();
  return sorted.length === 0 ? Number.NaN : sorted[Math.max(0, Math.ceil(0.975 * sorted.length) - 1)];
}
