import { sha256 } from "../base/digest.js";
import { InvalidDataError } from "../base/errors.js";
import type { ParameterLayout } from "../model/layout.js";
import { isVariance } from "./batch-norm-policy.js";
import type { EngineEvaluator } from "./engine-evaluator.js";
import { localEvaluator } from "./local-evaluator.js";
import type { EvaluatorFacts, LossEvaluator, LossValue } from "./loss-evaluator.js";
import { nanValue } from "./slice-loss.js";

/** Options of `functionEvaluator`. */
export interface FunctionEvaluatorOptions {
  /** Names of the metrics that the function returns. Default none. */
  readonly metricNames?: readonly string[] | undefined;
  /** What the function is called in provenance. Default its source text's digest. */
  readonly id?: string | undefined;
  /** The meaning of the entries of θ, for batch norm's statistics among them. Default there are none. */
  readonly layout?: ParameterLayout | undefined;
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
  const { layout, metricNames = [] } = options;
  const id = options.id ?? sha256(String(lossOf));
  const facts: EvaluatorFacts = {
    engine: { name: "function", backend: "js", batchSize: 0, threads: 1 },
    lossMode: "model",
    parameterCount,
    metricNames,
    samples: 1,
    dataDigest: id,
    modelDigest: id,
  };
  const undefinedAt = (theta: Float32Array) => (layout === undefined ? [] : negativeVariances(theta, layout));
  const evaluate = async (theta: Float32Array, signal?: AbortSignal): Promise<LossValue> => {
    signal?.throwIfAborted();
    if (theta.length !== parameterCount) {
      throw new InvalidDataError("theta", `${parameterCount} weights`, String(theta.length));
    }
    if (undefinedAt(theta).length > 0) return nanValue(facts);
    const value = lossOf(theta);
    const { loss, metrics } = typeof value === "number" ? { loss: value, metrics: {} } : value;
    return { loss, metrics, clippedShare: null };
  };
  const engine: EngineEvaluator = { ...facts, evaluate, dispose() {} };
  if (layout === undefined) {
    return { facts, evaluate: (theta, how) => evaluate(theta, how?.signal), dispose: engine.dispose };
  }
  return localEvaluator({ engine, layout, undefinedAt, recalibrator: null, release() {} });
}

function negativeVariances(theta: Float32Array, { parameters }: ParameterLayout): string[] {
  return parameters
    .filter((parameter) => isVariance(parameter) && hasNegative(theta, parameter))
    .map(({ name }) => name);
}

function hasNegative(
  theta: Float32Array,
  { offset, size }: { readonly offset: number; readonly size: number },
): boolean {
  return theta.subarray(offset, offset + size).some((value) => value < 0);
}
