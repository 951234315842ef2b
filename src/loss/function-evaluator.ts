import { sha256 } from "../base/digest.js";
import { InvalidDataError } from "../base/errors.js";
import type { LossEvaluator } from "./loss-evaluator.js";

/** Options of `functionEvaluator`. */
export interface FunctionEvaluatorOptions {
  /** Names of the metrics that the function returns. Default none. */
  readonly metricNames?: readonly string[];
  /** What the function is called in provenance. Default its source text's digest. */
  readonly id?: string;
}

/** Loss, or loss and metrics, in closed form. */
export type LossOfTheta = (
  theta: Float32Array,
) => number | { readonly loss: number; readonly metrics: Readonly<Record<string, number>> };

/**
 * Makes a closed form of θ a loss evaluator: for tests, and for landscapes that are no network's.
 *
 * @param parameterCount - length of θ.
 * @example functionEvaluator((theta) => theta[0] ** 2 + 3 * theta[1] ** 2, 2);
 */
export function functionEvaluator(
  lossOf: LossOfTheta,
  parameterCount: number,
  options: FunctionEvaluatorOptions = {},
): LossEvaluator {
  const id = options.id ?? sha256(String(lossOf));
  return {
    engine: { name: "function", backend: "js", batchSize: 0, threads: 1 },
    lossMode: "model",
    parameterCount,
    metricNames: options.metricNames ?? [],
    samples: 1,
    dataDigest: id,
    modelDigest: id,
    async evaluate(theta, signal) {
      signal?.throwIfAborted();
      if (theta.length !== parameterCount) {
        throw new InvalidDataError("theta", `${parameterCount} weights`, String(theta.length));
      }
      const value = lossOf(theta);
      const { loss, metrics } = typeof value === "number" ? { loss: value, metrics: {} } : value;
      return { loss, metrics, clippedShare: null };
    },
    dispose() {},
  };
}
