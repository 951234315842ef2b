import type * as tf from "@tensorflow/tfjs";
import type { FinalActivation } from "../../output-loss.js";
import {
  fieldsOf,
  type GraphBuilder,
  type LayerFields,
  type LayerUse,
  type LoweringContext,
  type LowerLayer,
  number,
  type Padding,
  pair,
  requireSupported,
  UnsupportedError,
  type ValueId,
} from "./graph.js";
import { activationLayers } from "./lower-activation.js";
import {
  asImage,
  convolutionLayers,
  fromImage,
  type PaddingName,
  requireChannelsLast,
  windowOver,
  windowResult,
} from "./lower-convolution.js";

/** The axis that a layer normalizes along must be the last one. */
function requireLastAxis(layer: LayerFields, rank: number): void {
  const axes = Array.isArray(layer.axis) ? layer.axis : [layer.axis ?? -1];
  const isLast = axes.length === 1 && (axes[0] === -1 || axes[0] === rank);
  requireSupported(isLast, `normalization along axis ${axes.join(", ")}`);
}

/** Indices of γ, β, mean and variance among the parameters, where the layer has them. */
function statistics({ parameterOf }: LoweringContext, layer: LayerFields) {
  const index = (variable: tf.LayerVariable | null | undefined) =>
    variable === null || variable === undefined ? null : parameterOf(variable);
  return {
    gamma: index(layer.gamma),
    beta: index(layer.beta),
    mean: parameterOf(layer.movingMean as tf.LayerVariable),
    variance: parameterOf(layer.movingVariance as tf.LayerVariable),
    epsilon: layer.epsilon ?? 1e-3,
  };
}

/**
 * Batch normalization in evaluation mode is x·scale + shift with scale = γ/√(variance + ε) and
 * shift = β − mean·scale. A negative variance gives NaN, and is meant to.
 */
function batchNormalization(context: LoweringContext, { layer, x }: LayerUse) {
  const { builder, weight } = context;
  const shape = builder.shapeOf(x);
  requireLastAxis(layer, shape.length);
  const { gamma, beta, mean, variance, epsilon } = statistics(context, layer);
  const channels = [shape.at(-1) as number];
  const scaleOf = (read: (parameter: number) => Float32Array, i: number): number =>
    (gamma === null ? 1 : (read(gamma)[i] as number)) / Math.sqrt((read(variance)[i] as number) + epsilon);
  const scale = builder.weight({
    name: `${layer.name}/scale`,
    shape: channels,
    parameter: null,
    compute: (read) => Float32Array.from(read(variance), (_, i) => scaleOf(read, i)),
  });
  const shift = builder.weight({
    name: `${layer.name}/shift`,
    shape: channels,
    parameter: null,
    compute: (read) =>
      Float32Array.from(read(mean), (value, i) => {
        const offset = beta === null ? 0 : (read(beta)[i] as number);
        return offset - value * scaleOf(read, i);
      }),
  });
  const node = builder.add({ op: "affine", x, scale, shift }, shape);
  const weightOf = (variable: tf.LayerVariable | null | undefined) => (variable ? weight(variable) : null);
  const [own] = channels as [number];
  context.norms.push({
    node,
    layer,
    channels: own,
    epsilon,
    scale: weightOf(layer.gamma),
    shift: weightOf(layer.beta),
  });
  return node;
}

/** (x − mean)/√(variance + ε)·γ + β, mean and variance of each sample's last axis. */
function layerNormalization({ builder, weight }: LoweringContext, { layer, x }: LayerUse) {
  const shape = builder.shapeOf(x);
  requireLastAxis(layer, shape.length);
  const centered = builder.binary("sub", x, builder.reduce("mean", x));
  const variance = builder.reduce("mean", builder.binary("mul", centered, centered));
  const deviation = builder.unary("sqrt", builder.binary("add", variance, number(layer.epsilon ?? 1e-3)));
  let result = builder.binary("div", centered, deviation);
  const last = [shape.at(-1) as number];
  const value = (variable: tf.LayerVariable) => builder.add({ op: "weight", weight: weight(variable) }, last);
  if (layer.gamma) result = builder.binary("mul", result, value(layer.gamma));
  if (layer.beta) result = builder.binary("add", result, value(layer.beta));
  return result;
}

/** Normalization layers. */
export const normalizationLayers: Readonly<Record<string, LowerLayer>> = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  Rescaling: ({ builder }, { layer, x }) =>
    builder.binary(
      "add",
      builder.binary("mul", x, number(layer.scale as number)),
      number(layer.offset as number),
    ),
};

const identity: LowerLayer = (_, { x }) => x;

/** Values as they are; TF.js flattens and reshapes in channels-last order. */
const reshape: LowerLayer = ({ builder }, { layer, x, outputShape }) => {
  requireChannelsLast(layer);
  return builder.reshape(x, outputShape);
};

const pool =
  (kind: "max" | "mean"): LowerLayer =>
  ({ builder }, { layer, x, outputShape }) => {
    requireChannelsLast(layer);
    const image = asImage(builder, x);
    const [height, width, channels] = builder.shapeOf(image) as readonly [number, number, number];
    const isSequence = layer.poolSize?.length === 1;
    const along = (value: LayerFields["strides"]): [number, number] =>
      isSequence ? [1, pair(value)[0]] : pair(value);
    const window = windowOver([height, width], {
      size: along(layer.poolSize),
      strides: along(layer.strides),
      padding: (layer.padding ?? "valid") as PaddingName,
    });
    const shape = [...windowResult([height, width], window), channels];
    return fromImage(builder, builder.add({ op: "pool", x: image, kind, window }, shape), outputShape);
  };

const globalPool =
  (kind: "max" | "mean"): LowerLayer =>
  ({ builder }, { layer, x }) => {
    requireChannelsLast(layer);
    const image = asImage(builder, x);
    return builder.add({ op: "globalPool", x: image, kind }, [builder.shapeOf(image)[2] as number]);
  };

/** Folds layers with several inputs of one shape from the left. */
const merge =
  (combine: (context: LoweringContext, a: ValueId, b: ValueId) => ValueId): LowerLayer =>
  (context, use) => {
    requireEqualShapes(context, use);
    return use.inputs.slice(1).reduce((a, b) => combine(context, a, b), use.x);
  };

function requireEqualShapes({ builder }: LoweringContext, { inputs, x }: LayerUse): void {
  const first = builder.shapeOf(x).join();
  const isSame = inputs.every((input) => builder.shapeOf(input).join() === first);
  requireSupported(isSame, "inputs of different shapes");
}

function zeroPadding({ builder }: LoweringContext, { layer, x }: LayerUse): ValueId {
  requireChannelsLast(layer);
  const [[top, bottom], [left, right]] = layer.padding as unknown as [[number, number], [number, number]];
  const padding: Padding = { kind: "explicit", top, bottom, left, right };
  const [height, width, channels] = builder.shapeOf(x) as readonly [number, number, number];
  return builder.add({ op: "pad", x, padding }, [height + top + bottom, width + left + right, channels]);
}

function concatenate({ builder }: LoweringContext, { layer, inputs, outputShape }: LayerUse): ValueId {
  const rank = outputShape.length;
  const axis = layer.axis as number;
  const own = axis < 0 ? rank + axis : axis - 1;
  requireSupported(own >= 0 && own < rank, "a concatenation along the batch axis");
  return builder.add({ op: "concat", xs: inputs, axis: own }, outputShape);
}

/** Layers that drop out in evaluation, pool, merge or move values. */
export const shapeLayers: Readonly<Record<string, LowerLayer>> = {
  InputLayer: identity,
  Dropout: identity,
  SpatialDropout1D: identity,
  GaussianNoise: identity,
  GaussianDropout: identity,
  AlphaDropout: identity,
  Flatten: reshape,
  Reshape: reshape,
  MaxPooling1D: pool("max"),
  MaxPooling2D: pool("max"),
  AveragePooling1D: pool("mean"),
  AveragePooling2D: pool("mean"),
  GlobalMaxPooling1D: globalPool("max"),
  GlobalMaxPooling2D: globalPool("max"),
  GlobalAveragePooling1D: globalPool("mean"),
  GlobalAveragePooling2D: globalPool("mean"),
  ZeroPadding2D: zeroPadding,
  Add: merge(({ builder }, a, b) => builder.binary("add", a, b)),
  Multiply: merge(({ builder }, a, b) => builder.binary("mul", a, b)),
  Maximum: merge(({ builder }, a, b) => builder.binary("maximum", a, b)),
  Minimum: merge(({ builder }, a, b) => builder.binary("minimum", a, b)),
  Average: (context, use) => {
    requireEqualShapes(context, use);
    const { builder } = context;
    const sum = use.inputs.slice(1).reduce((a, b) => builder.binary("add", a, b), use.x);
    return builder.binary("mul", sum, number(1 / use.inputs.length));
  },
  Concatenate: concatenate,
  Permute: ({ builder }, { layer, x, outputShape }) =>
    builder.add(
      { op: "permute", x, axes: (layer.dims as readonly number[]).map((axis) => axis - 1) },
      outputShape,
    ),
};

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
