/** A median with an interval that covers the true one with a probability of at least 95 %. */
export interface MedianWithInterval {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Returns the median of a sample and its distribution-free 95 % interval.
 *
 * The interval lies between two order statistics: the number of values below the true median is binomial
 * with p = 1/2. A sample of fewer than 6 has no such interval, and its extremes are given.
 */
export function medianWithInterval(sample: readonly number[]): MedianWithInterval {
  const sorted = [...sample].sort((a, b) => a - b);
  const n = sorted.length;
  const at = (index: number) => sorted[Math.min(n - 1, Math.max(0, index))] ?? Number.NaN;
  const median = (at(Math.floor((n - 1) / 2)) + at(Math.ceil((n - 1) / 2))) / 2;
  let tail = 0;
  let probability = 0.5 ** n;
  let rank = 0;
  // The largest rank whose tail below it holds at most 2.5 %.
  while (tail + probability <= 0.025) {
    tail += probability;
    probability *= (n - rank) / (rank + 1);
    rank++;
  }
  const edge = Math.max(0, rank - 1);
  return { median, low: at(edge), high: at(n - 1 - edge) };
}

/** The median of a sample, NaN for none. */
export function median(sample: readonly number[]): number {
  return medianWithInterval(sample).median;
}
