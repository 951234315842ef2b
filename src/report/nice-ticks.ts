/**
 * Returns about `count` round values (1, 2 or 5 times a power of ten) inside [min, max], increasing.
 *
 * Each value is computed as an integer times the step, so that 0 is exactly 0 and nothing accumulates.
 */
export function niceTicks(min: number, max: number, count: number): number[] {
  if (!(max > min) || !Number.isFinite(max - min)) return min === max ? [min] : [];
  const rough = (max - min) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const error = rough / power;
  const factor = error >= Math.sqrt(50) ? 10 : error >= Math.sqrt(10) ? 5 : error >= Math.SQRT2 ? 2 : 1;
  // Below 1 a division by an integer keeps the digits clean: 3 / 10, not 3 × 0.1.
  const step = factor * power;
  const inverse = power < 1 ? Math.round(1 / power) / factor : 0;
  const at = (index: number): number => (inverse > 0 ? index / inverse : index * step);
  const first = Math.ceil(min / step - 1e-9);
  const last = Math.floor(max / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => at(first + index) + 0);
}
