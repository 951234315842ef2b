import type { Surface } from "../../../src/surface/surface.js";

/** Share of the points whose loss is within its own bound; gaps must be gaps unless the error is unknown. */
export function coverage({ loss, approximation }: Surface, exact: Surface): number {
  const kept = loss.filter((value, i) => {
    const bound = approximation?.error[i] ?? 0;
    if (bound === Number.POSITIVE_INFINITY) return true;
    if (!Number.isFinite(value) || !Number.isFinite(exact.loss[i])) {
      return Number.isFinite(value) === Number.isFinite(exact.loss[i]);
    }
    return Math.abs(value - exact.loss[i]) <= bound;
  });
  return kept.length / loss.length;
}

/** The error that 95 % of the points with a known error keep. */
export function trueErrorOn95({ loss, approximation }: Surface, exact: Surface): number {
  const errors = loss
    .map((value, i) => Math.abs(value - exact.loss[i]))
    .filter((error, i) => !Number.isNaN(error) && approximation?.error[i] !== Number.POSITIVE_INFINITY)
    .sort();
  return errors[Math.max(0, Math.ceil(0.95 * errors.length) - 1)];
}
