import type { SlicePoints } from "../directions/slice-map.js";
import { checkBatchNorm, type SliceWriter, type SliceWriters, sliceWriters } from "./batch-norm-policy.js";
import type {
  EvaluatorFacts,
  LossEvaluator,
  LossValue,
  PointEvaluation,
  SliceEvaluation,
  SliceLoss,
} from "./loss-evaluator.js";

/** What the points of a slice are evaluated with. */
export interface SliceParts {
  readonly writers: SliceWriters;
  readonly isPrepared: boolean;
  /** Names weights whose values at θ leave no loss. */
  readonly undefinedAt: (theta: Float32Array) => readonly string[];
  readonly metricNames: readonly string[];
  /** Evaluates at θ, which may be changed and belongs to the evaluation until it settles. */
  readonly evaluate: (
    theta: Float32Array,
    alpha: number,
    beta: number,
    how: PointEvaluation,
  ) => Promise<LossValue>;
  readonly dispose: () => void;
}

/** Makes a slice of what evaluates θ; buffers are used again. */
export function sliceLoss(parts: SliceParts): SliceLoss {
  const { writers, isPrepared, undefinedAt, evaluate, dispose } = parts;
  const free: SliceWriter[] = [];
  const at = async <T>(
    alpha: number,
    beta: number,
    use: (theta: Float32Array) => T | Promise<T>,
  ): Promise<T> => {
    const writer = free.pop() ?? writers.create();
    try {
      writer.moveTo(alpha, beta);
      return await use(writer.theta);
    } finally {
      free.push(writer);
    }
  };
  return {
    isPrepared,
    evaluate: (alpha, beta, how = {}) =>
      at(alpha, beta, (theta) => {
        const undefinedWeights = undefinedAt(theta);
        if (undefinedWeights.length > 0) return { ...nanValue(parts), undefinedWeights };
        return evaluate(theta, alpha, beta, how);
      }),
    writeInto(out, alpha, beta) {
      const writer = free.pop() ?? writers.create();
      writer.moveTo(alpha, beta);
      out.set(writer.theta);
      free.push(writer);
      return undefinedAt(out);
    },
    dispose() {
      free.length = 0;
      dispose();
    },
  };
}

/** The value where there is none. */
export function nanValue({ metricNames }: Pick<EvaluatorFacts, "metricNames">): LossValue {
  const metrics = Object.fromEntries(metricNames.map((name) => [name, Number.NaN]));
  return { loss: Number.NaN, metrics, clippedShare: null };
}

/**
 * Opens a slice of any evaluator: its own, where it has one; otherwise each point is written here and evaluated as a
 * θ, and "keep" and "interpolate" are the same, since nothing is known of statistics.
 *
 * @throws as the evaluator's `openSlice`; {@link InvalidOptionError} for a policy that it cannot apply.
 */
export async function openSlice(
  evaluator: LossEvaluator,
  slice: SlicePoints,
  how: SliceEvaluation = {},
): Promise<SliceLoss> {
  if (evaluator.openSlice !== undefined) return evaluator.openSlice(slice, how);
  const { batchNorm } = how;
  checkBatchNorm(batchNorm, evaluator.facts.calibration != null);
  return sliceLoss({
    writers: sliceWriters(slice, null, batchNorm),
    isPrepared: false,
    undefinedAt: () => [],
    metricNames: evaluator.facts.metricNames,
    evaluate: (theta, _alpha, _beta, point) => evaluator.evaluate(theta, { ...point, batchNorm }),
    dispose() {},
  });
}
