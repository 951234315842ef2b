import type * as tf from "@tensorflow/tfjs";
import type { ParameterLayout } from "../../params/layout.js";
import { layoutOfModel, modelWeights } from "../../params/layout-of-model.js";
import { matchLayout } from "../../params/match-layout.js";
import type { ParameterReader } from "./graph.js";

/** Where a model's weights are in θ. */
export interface ParameterPlaces {
  /** Index of a layer's weight, for a {@link ParameterReader}. */
  indexOf(variable: tf.LayerVariable): number;
  /**
   * Reads weights out of θ. Those that the layout leaves out keep the values they had at first (or, where
   * `theta` is a direction, are 0).
   */
  reader(theta: Float32Array, leftOut?: "kept" | "zero"): ParameterReader;
}

/**
 * Finds a model's weights in a layout.
 *
 * @throws {@link LayoutError} if the model does not hold the layout's weights.
 */
export function parameterPlaces(model: tf.LayersModel, layout: ParameterLayout): ParameterPlaces {
  const own = layoutOfModel(model);
  const matches = matchLayout(layout, own, `model "${model.name}"`, { partial: true });
  const offsets = new Map(
    layout.parameters.map(({ offset }, i) => [own.parameters[matches[i] ?? -1]?.name, offset]),
  );
  const weights = modelWeights(model);
  const indices = new Map(weights.map(({ variable }, i) => [variable.id, i]));
  const places = weights.map(({ variable, parameter }) => {
    const size = parameter.shape.reduce((product, length) => product * length, 1);
    const offset = offsets.get(parameter.name);
    const fixed = offset === undefined ? Float32Array.from(variable.read().dataSync()) : null;
    return { offset: offset ?? 0, size, fixed };
  });
  return {
    indexOf: (variable) => indices.get(variable.id) as number,
    reader:
      (theta, leftOut = "kept") =>
      (parameter) => {
        const { offset, size, fixed } = places[parameter] as (typeof places)[0];
        if (fixed === null) return theta.subarray(offset, offset + size);
        return leftOut === "kept" ? fixed : new Float32Array(size);
      },
  };
}
