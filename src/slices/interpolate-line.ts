import type { ParameterLayout } from "../params/layout.js";
import { type AxisRange, axisFromRange } from "../surface/axis.js";
import {
  type BatchNormPolicyName,
  createBatchNormPolicy,
  type Recalibrator,
} from "../surface/batch-norm-policy.js";
import { mixtureMap } from "../surface/mixture.js";
import { checkSets, evaluateOnSets } from "./evaluate-sets.js";
import type { EvaluationSet, LineSlice } from "./line-slice.js";

/** Options of {@link interpolateLine}. */
export interface InterpolateLineOptions {
  /** α from, to (both included) and the number of points. Default −0.5 to 1.5 with 41 points. */
  readonly range?: AxisRange;
  /** What the two models are called. Default "model 1" and "model 2". */
  readonly names?: readonly [string, string];
  /** What becomes of batch norm's moving statistics. Default "interpolate", so that the ends are the models. */
  readonly batchNorm?: BatchNormPolicyName;
  /** Needed by "recalibrate"; see `createRecalibrator`. */
  readonly recalibrator?: Recalibrator;
  readonly signal?: AbortSignal;
  /** Called after each point with the points done and all to do. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** α of a line between two models where none is given. */
export const DEFAULT_INTERPOLATION: AxisRange = { from: -0.5, to: 1.5, points: 41 };

/**
 * Evaluates loss and metrics on the line (1−α)θ₁ + αθ₂ between two models or two snapshots of one.
 *
 * At α = 0 and 1 the values are those of the models themselves, to the last bit, with batch norm
 * "interpolate". A low barrier on this line does not mean that no path between the models is lower still.
 *
 * @param sets - evaluation sets, the training set first.
 * @param models - θ₁ and θ₂ (parameterCount).
 * @throws {@link InvalidOptionError} for a range upside down, one model given twice, or an unknown policy;
 * {@link InvalidDataError} for weights that are not finite.
 * @see Goodfellow et al. 2015; Li et al. 2018, section 3.
 */
export async function interpolateLine(
  sets: readonly EvaluationSet[],
  layout: ParameterLayout,
  models: readonly [Float32Array, Float32Array],
  options: InterpolateLineOptions = {},
): Promise<LineSlice> {
  const {
    names = ["model 1", "model 2"],
    batchNorm = "interpolate",
    recalibrator,
    signal,
    onProgress,
  } = options;
  checkSets(sets);
  const alpha = axisFromRange("range", options.range ?? DEFAULT_INTERPOLATION);
  const map = mixtureMap("line", models, names);
  const policy = createBatchNormPolicy(batchNorm, {
    layout,
    center: map.center,
    ...(recalibrator === undefined ? {} : { recalibrator }),
  });
  const surfaces = await evaluateOnSets(
    sets,
    map,
    { alpha, beta: Float64Array.of(0) },
    {
      policy,
      ...(signal === undefined ? {} : { signal }),
      onProgress: (done, total) => onProgress?.(done, total),
    },
  );
  return {
    kind: "models",
    axis: `α: ${names[0]} at 0, ${names[1]} at 1`,
    alpha,
    curves: surfaces.map(({ set, surface }) => ({ set, seed: null, surface })),
    marks: names.map((name, i) => ({ alpha: i, name })),
    batchNorm,
    warnings: surfaces.flatMap(({ surface }) => surface.warnings),
  };
}
