import type * as tf from "@tensorflow/tfjs";
import type { FinalActivation } from "../../final-activation.js";
import type { GraphBuilder, LoweringContext, LowerLayer, ValueId } from "./graph.js";
import { requireSupported, UnsupportedError } from "./graph.js";
import { fieldsOf, type LayerFields } from "./layer-fields.js";
import { activationLayers } from "./lower-activation.js";
import { convolutionLayers } from "./lower-convolution.js";
import { normalizationLayers } from "./lower-normalization.js";
import { shapeLayers } from "./lower-shape.js";

const knownLayers: Readonly<Record<string, LowerLayer>> = {
  ...activationLayers,
  ...convolutionLayers,
  ...normalizationLayers,
  ...shapeLayers,
};

/** Which tensor of which application of which layer. */
type Values = Map<number, ValueId>;

/**
 * Turns a model's forward pass in evaluation mode into operations, from values for its inputs to the values
 * of its outputs. The final activations in `withoutActivations` are left out.
 *
 * @throws UnsupportedError naming the layer that is not known.
 */
export function lowerModel(
  context: LoweringContext,
  model: tf.LayersModel,
  inputs: readonly ValueId[],
): readonly ValueId[] {
  return lowerContainer(context, fieldsOf(model), inputs);
}

/** Returns a model's outputs as values while final activations are replaced, as the forward pass does it. */
export function withoutActivations<T>(activations: readonly (FinalActivation | null)[], lower: () => T): T {
  const run = activations.reduce<() => T>(
    (inner, activation) => (activation === null ? inner : () => activation.without(inner)),
    lower,
  );
  return run();
}

function lowerContainer(
  context: LoweringContext,
  container: LayerFields,
  inputs: readonly ValueId[],
): readonly ValueId[] {
  const values: Values = new Map();
  container.inputs?.forEach((input, i) => {
    values.set(input.id, inputs[i] as ValueId);
  });
  return (container.outputs ?? []).map((output) => lowerTensor(context, values, output));
}

function lowerTensor(context: LoweringContext, values: Values, tensor: tf.SymbolicTensor): ValueId {
  const known = values.get(tensor.id);
  if (known !== undefined) return known;
  const layer = tensor.sourceLayer;
  const node = fieldsOf(layer).inboundNodes[tensor.nodeIndex];
  requireSupported(node !== undefined, `layer "${layer.name}" has no inputs`);
  const inputs = node.inputTensors.map((input) => lowerTensor(context, values, input));
  const result = lowerUse(context, layer, inputs, tensor);
  values.set(tensor.id, result);
  return result;
}

function lowerUse(
  context: LoweringContext,
  layer: tf.layers.Layer,
  inputs: readonly ValueId[],
  tensor: tf.SymbolicTensor,
): ValueId {
  const fields = fieldsOf(layer);
  const className = layer.getClassName();
  if (isModel(layer)) {
    return lowerContainer(context, fields, inputs)[tensor.outputTensorIndex ?? 0] as ValueId;
  }
  const where = `layer "${layer.name}" (${className})`;
  if (!Object.hasOwn(knownLayers, className)) throw new UnsupportedError(`${where} is not known to the plan`);
  try {
    if (isCallReplaced(layer)) {
      requireSupported(className === "Softmax", "its call was replaced");
      return inputs[0] as ValueId;
    }
    const outputShape = lengthsOf(tensor);
    const x = inputs[0] as ValueId;
    const use = { layer: fields, className, inputs, x, outputShape };
    const result = (knownLayers[className] as LowerLayer)(context, use);
    const shape = context.builder.shapeOf(result);
    requireSupported(shape.join() === outputShape.join(), `shape [${shape}] for [${outputShape}]`);
    return result;
  } catch (error) {
    if (error instanceof UnsupportedError) throw new UnsupportedError(`${where}: ${error.message}`);
    throw error;
  }
}

/** Whether `call` was put on the layer itself: a softmax layer that is left out for now is the identity. */
function isCallReplaced(layer: tf.layers.Layer): boolean {
  return Object.hasOwn(layer, "call");
}

/** Returns a symbolic tensor's shape without the batch axis. */
export function lengthsOf(tensor: tf.SymbolicTensor): number[] {
  return tensor.shape.slice(1).map((length) => {
    requireSupported(length !== null, "a length that is left open");
    return length;
  });
}

function isModel(layer: tf.layers.Layer): boolean {
  const { layers, predict } = layer as unknown as { layers?: unknown; predict?: unknown };
  return Array.isArray(layers) && typeof predict === "function";
}

/** Returns the shapes of a model's inputs, for a builder to declare them. */
export function declareInputs(builder: GraphBuilder, model: tf.LayersModel): readonly ValueId[] {
  return model.inputs.map((input, i) => builder.input(`x${i}`, lengthsOf(input)));
}
