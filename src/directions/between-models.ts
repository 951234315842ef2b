import type { ParameterLayout } from "../params/layout.js";
import { createSpan } from "../trajectory/span.js";
import { checkModels } from "./check-models.js";
import type { Directions } from "./directions.js";

/** Options of {@link betweenModels}. */
export interface BetweenModelsOptions {
  /** What the models are called, in labels and messages. Default "model 1", "model 2", … */
  readonly names?: readonly string[];
  /** The layout of θ; lengths are checked against it. Default none. */
  readonly layout?: ParameterLayout;
}

/**
 * Returns the directions from one model to one or two others: θ₂ − θ₁, and θ₃ − θ₁, through θ₁.
 *
 * Nothing is normalized and nothing left out: biases and the moving statistics of batch norm change as well,
 * without which the end points would not have the losses of their models. Differences are rounded to
 * float32; `mixtureMap` gives points that are exact at the models themselves.
 *
 * @param models - two or three weight vectors (parameterCount).
 * @throws {@link InvalidOptionError} for another number or length, a model given twice, or three on one line;
 * {@link InvalidDataError} for weights that are not finite.
 * @see Goodfellow et al. 2015; Li et al. 2018, section 3.
 */
export function betweenModels(
  models: readonly Float32Array[],
  options: BetweenModelsOptions = {},
): Directions {
  const names = options.names ?? models.map((_, i) => `model ${i + 1}`);
  checkModels(models, [2, 3], names, options.layout);
  const [center, ...others] = models;
  const vectors = others.map((theta) => theta.map((value, i) => value - center[i]));
  if (vectors.length > 1) createSpan(vectors);
  return {
    kind: "models",
    center,
    vectors,
    labels: others.map((_, i) => `${names[0]} to ${names[i + 1]}`),
    explainedVarianceRatio: null,
    randomWalkBaseline: null,
    warnings: [],
  };
}
