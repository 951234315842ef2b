/**
 * Returns the q-quantile of numbers by linear interpolation between the order statistics (type 7 of Hyndman
 * and Fan, numpy's default); NaN if any of them is NaN or there is none.
 */
export function quantile(values: ArrayLike<number>, q: number): number {
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0 || sorted.some(Number.isNaN)) return Number.NaN;
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const share = at - low;
  if (share === 0 || sorted[low] === sorted[low + 1]) return sorted[low];
  return sorted[low] * (1 - share) + sorted[low + 1] * share;
}
