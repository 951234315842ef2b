import type { ParameterLayout } from "../params/layout.js";
import { type AxisRange, axisFromRange } from "../surface/axis.js";
import { mixtureMap } from "../surface/mixture.js";
import { evaluateLines, type LineOptions } from "./evaluate-lines.js";
import { checkSets } from "./evaluate-sets.js";
import type { EvaluationSet, LineSlice } from "./line-slice.js";

/**
 * Options of {@link interpolateLine}: by default α from −0.5 to 1.5 with 41 points, and moving statistics that are
 * interpolated, so that the ends are the models.
 */
export interface InterpolateLineOptions extends LineOptions {
  /** What the two models are called. Default "model 1" and "model 2". */
  readonly names?: readonly [string, string];
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
  const { names = ["model 1", "model 2"], batchNorm = "interpolate" } = options;
  checkSets(sets);
  const alpha = axisFromRange("range", options.range ?? DEFAULT_INTERPOLATION);
  const map = mixtureMap("line", models, names);
  const line = { seed: null, points: () => map };
  const { center } = map;
  return {
    kind: "models",
    axis: `α: ${names[0]} at 0, ${names[1]} at 1`,
    alpha,
    ...(await evaluateLines(sets, [line], alpha, { layout, center, batchNorm }, options)),
    marks: names.map((name, i) => ({ alpha: i, name })),
    batchNorm,
  };
}
