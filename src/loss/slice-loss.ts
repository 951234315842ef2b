import { InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import { createSlicePoint, isSliceMap, type SlicePoints } from "../directions/slice-map.js";
import type { Parameter, ParameterLayout } from "../model/layout.js";
import type {
  EvaluatorFacts,
  LossEvaluator,
  LossValue,
  PointEvaluation,
  SliceEvaluation,
  SliceLoss,
} from "./loss-evaluator.js";

/**
 * What becomes of batch norm's moving mean and variance at each point of a slice:
 * - "keep": those of θ* everywhere (the reference's way; default on random and PCA planes);
 * - "interpolate": they move with the weights (default between models);
 * - "recalibrate": they are computed anew from a calibration set.
 *
 * @see Garipov et al. 2018, whose code recomputes the statistics along a curve.
 */
export type BatchNormPolicyName = "keep" | "interpolate" | "recalibrate";

/** All policies. */
export const BATCH_NORM_POLICIES: readonly BatchNormPolicyName[] = ["keep", "interpolate", "recalibrate"];

/** @throws {@link InvalidOptionError} for an unknown policy, or "recalibrate" without a calibration set. */
export function checkBatchNorm(name: BatchNormPolicyName | undefined, canCalibrate: boolean): void {
  if (name === undefined) return;
  if (!BATCH_NORM_POLICIES.includes(name)) {
    const expected = `one of ${BATCH_NORM_POLICIES.join(", ")}`;
    throw new InvalidOptionError("batchNorm", expected, JSON.stringify(name));
  }
  if (name !== "recalibrate" || canCalibrate) return;
  throw new InvalidOptionError("batchNorm", "an evaluator with a calibration set for recalibrate", "none");
}

/** Writes the points of a slice into a buffer, again and again. */
export interface SliceWriter {
  /** The buffer: θ at the point last moved to. */
  readonly theta: Float32Array;
  moveTo(alpha: number, beta: number): void;
}

/** How the points of a slice are written under a policy. */
export interface SliceWriters {
  /** Whether θ is exactly where the directions say, so that the points of a plane can share work. */
  readonly isPlain: boolean;
  /** Makes a writer: one for each evaluation at a time. */
  create(): SliceWriter;
}

/**
 * Returns what writes θ at the points of a slice: with the statistics of its center under "keep", otherwise with
 * those that the slice gives.
 *
 * @param layout - tells which weights are statistics; null where nothing is known of them.
 */
export function sliceWriters(
  slice: SlicePoints,
  layout: ParameterLayout | null,
  batchNorm: BatchNormPolicyName | undefined,
): SliceWriters {
  const kept = batchNorm === "keep" && layout !== null ? movedStates(slice, layout) : [];
  return {
    isPlain: !isSliceMap(slice) && kept.length === 0 && batchNorm !== "recalibrate",
    create() {
      const point = createSlicePoint(slice);
      const { theta } = point;
      return {
        theta,
        moveTo(alpha, beta) {
          point.moveTo(alpha, beta);
          for (const { offset, size } of kept) {
            theta.set(slice.center.subarray(offset, offset + size), offset);
          }
        },
      };
    },
  };
}

/** The statistics that a slice moves; a map may move any. */
function movedStates(slice: SlicePoints, layout: ParameterLayout): readonly Parameter[] {
  const states = layout.parameters.filter(({ role }) => role === "state");
  if (isSliceMap(slice)) return states;
  return states.filter(({ offset, size }) =>
    slice.vectors.some((vector) => vector.subarray(offset, offset + size).some((value) => value !== 0)),
  );
}

/** Whether a layout has statistics of batch norm. */
export function hasStatistics(layout: ParameterLayout): boolean {
  return layout.parameters.some(isVariance);
}

/** Whether a weight is the moving variance of a batch normalization. */
export function isVariance({ layerType, key, name }: Parameter): boolean {
  return layerType === "BatchNormalization" && /\/moving_variance(_\d+)?$/.test(key ?? name);
}

/** Counts the points at which weights were found that leave no loss. */
export interface UndefinedCount {
  add(names: readonly string[]): void;
  warnings(points: number): LandscapeWarning[];
}

/** Starts a count. */
export function createUndefinedCount(): UndefinedCount {
  const counts = new Map<string, number>();
  let total = 0;
  return {
    add(names) {
      if (names.length > 0) total++;
      for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
    },
    warnings(points) {
      if (total === 0) return [];
      const named = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
      const parts = named.map(([name, count]) => `${name} (${count})`);
      const message = `a variance is negative at ${total} of ${points} points, whose loss is NaN: ${parts.join(", ")}; batch norm "recalibrate" has a loss there`;
      return [{ code: "negative-variance", message }];
    },
  };
}

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
