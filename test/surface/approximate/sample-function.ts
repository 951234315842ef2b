import type { LossEvaluator, SampleValues } from "../../../src/loss/loss-evaluator.js";
import { sliceLoss, sliceWriters } from "../../../src/loss/slice-loss.js";

/** Loss of one sample at a place of the plane. */
export type SampleLoss = (x: number, y: number, sample: number) => number;

/** What an evaluator of samples in closed form has counted. */
export interface CountedEvaluator extends LossEvaluator {
  /** Samples evaluated so far, on all samples or on some. */
  readonly evaluated: () => number;
}

/** Makes the losses of single samples, on the plane of the two entries of θ, a loss evaluator. */
export function sampleFunction(
  lossOf: SampleLoss,
  samples: number,
  classes: Int32Array | null = null,
): CountedEvaluator {
  let evaluated = 0;
  const at = (theta: Float32Array, rows: ArrayLike<number>): SampleValues => {
    evaluated += rows.length;
    const loss = Float64Array.from({ length: rows.length }, (_, i) => lossOf(theta[0], theta[1], rows[i]));
    return { loss, metrics: { large: loss.map((value) => (value > 1 ? 1 : 0)) } };
  };
  const all = Int32Array.from({ length: samples }, (_, i) => i);
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    facts: {
      engine: { name: "function", backend: "js", batchSize: 0, threads: 1 },
      lossMode: "model",
      parameterCount: 2,
      metricNames: ["large"],
      samples,
      dataDigest: "samples",
      modelDigest: "function",
    },
    evaluated: () => evaluated,
    async evaluate(theta, how) {
      how?.signal?.throwIfAborted();
      const { loss, metrics } = at(theta, all);
      return { loss: mean(loss), metrics: { large: mean(metrics.large) }, clippedShare: null };
    },
    openSamples: async (rows) => ({
      samples: rows?.length ?? samples,
      classes: async () => classes,
      losses: async (theta) => at(theta, rows ?? all),
      dispose() {},
    }),
    dispose() {},
  };
}

/** The same, without a loss where a variance is said to be negative. */
export function withGap(evaluator: LossEvaluator, isGap: (theta: Float32Array) => boolean): LossEvaluator {
  return {
    ...evaluator,
    openSlice: async (slice, { batchNorm } = {}) =>
      sliceLoss({
        writers: sliceWriters(slice, null, batchNorm),
        isPrepared: false,
        undefinedAt: (theta) => (isGap(theta) ? ["bn/moving_variance"] : []),
        metricNames: evaluator.facts.metricNames,
        evaluate: (theta, _alpha, _beta, how) => evaluator.evaluate(theta, how),
        dispose() {},
      }),
  };
}

/** Directions along the two entries of θ. */
export const PLANE = {
  center: Float32Array.of(0, 0),
  vectors: [Float32Array.of(1, 0), Float32Array.of(0, 1)],
};
