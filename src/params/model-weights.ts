import type * as tf from "@tensorflow/tfjs";
import { bindModel, bindVariables } from "./bound-weights.js";
import type { ParameterLayout } from "./layout.js";
import type { VariableCollection } from "./layout-of-variables.js";

/**
 * Reads θ from a model. For repeated reads bind once with {@link bindModel}.
 *
 * @param out - where to put it (parameterCount); a new array by default.
 * @returns θ in layout order.
 * @throws {@link LayoutError} if the model does not hold the layout's weights.
 */
export async function readWeights(
  model: tf.LayersModel,
  layout: ParameterLayout,
  out?: Float32Array,
): Promise<Float32Array> {
  return bindModel(model, layout).read(out);
}

/** As {@link readWeights}, blocking. */
export function readWeightsSync(
  model: tf.LayersModel,
  layout: ParameterLayout,
  out?: Float32Array,
): Float32Array {
  return bindModel(model, layout).readSync(out);
}

/**
 * Writes θ into a model's weights in place, bit for bit. For repeated writes bind once with
 * {@link bindModel}.
 *
 * @throws {@link LayoutError} if the model does not hold the layout's weights.
 * @throws {@link InvalidDataError} if θ has the wrong length or an integer weight would get a fraction.
 */
export function assignWeights(model: tf.LayersModel, layout: ParameterLayout, theta: Float32Array): void {
  bindModel(model, layout).assign(theta);
}

/** Reads θ from the variables of a custom loop. */
export async function readVariables(
  variables: VariableCollection,
  layout: ParameterLayout,
  out?: Float32Array,
): Promise<Float32Array> {
  return bindVariables(variables, layout).read(out);
}

/** Writes θ into the variables of a custom loop in place, bit for bit. */
export function assignVariables(
  variables: VariableCollection,
  layout: ParameterLayout,
  theta: Float32Array,
): void {
  bindVariables(variables, layout).assign(theta);
}
