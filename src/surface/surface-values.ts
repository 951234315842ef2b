import type { LossEvaluator, LossValue } from "../model/loss-evaluator.js";

/** Values of a surface, gathered point by point. */
export interface SurfaceValues {
  readonly loss: Float64Array;
  readonly metrics: Readonly<Record<string, Float64Array>>;
  /** 1 where there is a value (H, W). */
  readonly evaluated: Uint8Array;
  put(index: number, value: LossValue): void;
  /** Largest share of clipped, and of capped samples; null where that is not known. */
  clippedShare(): number | null;
  cappedShare(): number | null;
}

/** Makes room for the values of `points` grid points, NaN until they are put there. */
export function createSurfaceValues(
  { metricNames }: Pick<LossEvaluator, "metricNames">,
  points: number,
): SurfaceValues {
  const loss = new Float64Array(points).fill(Number.NaN);
  const metrics = Object.fromEntries(
    metricNames.map((name) => [name, new Float64Array(points).fill(Number.NaN)]),
  );
  const evaluated = new Uint8Array(points);
  let clipped: number | null = null;
  let capped: number | null = null;
  return {
    loss,
    metrics,
    evaluated,
    put(index, value) {
      evaluated[index] = 1;
      loss[index] = value.loss;
      for (const name of metricNames) {
        (metrics[name] as Float64Array)[index] = value.metrics[name] ?? Number.NaN;
      }
      clipped = larger(clipped, value.clippedShare);
      capped = larger(capped, value.cappedShare ?? null);
    },
    clippedShare: () => clipped,
    cappedShare: () => capped,
  };
}

/** The value where there is none. */
export function nanValue({ metricNames }: Pick<LossEvaluator, "metricNames">): LossValue {
  const metrics = Object.fromEntries(metricNames.map((name) => [name, Number.NaN]));
  return { loss: Number.NaN, metrics, clippedShare: null };
}

function larger(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}
