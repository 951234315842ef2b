import type * as tf from "@tensorflow/tfjs";
import {
  type GraphBuilder,
  type LayerFields,
  type LayerUse,
  type LoweringContext,
  type LowerLayer,
  pair,
  requireSupported,
  type ValueId,
  type Window,
} from "./graph.js";
import { lowerActivation } from "./lower-activation.js";

/** How Keras names the padding of a window. */
export type PaddingName = "same" | "valid";

/** What determines a window's padding and the shape of its result. */
export interface WindowSettings {
  readonly size: readonly [number, number];
  readonly strides?: readonly [number, number];
  readonly dilations?: readonly [number, number];
  readonly padding: PaddingName;
}

/**
 * Returns a window over an image (height, width), with the padding in pixels: TensorFlow's "same" puts the
 * odd pixel at the bottom and right.
 */
export function windowOver(image: readonly [number, number], settings: WindowSettings): Window {
  const { size, strides = [1, 1], dilations = [1, 1], padding } = settings;
  const around = (axis: 0 | 1): [number, number] => {
    const reach = (size[axis] - 1) * dilations[axis];
    if (padding === "valid") return [0, 0];
    const steps = Math.ceil(image[axis] / strides[axis]);
    const total = Math.max((steps - 1) * strides[axis] + reach + 1 - image[axis], 0);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  };
  const [top, bottom] = around(0);
  const [left, right] = around(1);
  return { size, strides, dilations, padding: { kind: padding, top, bottom, left, right } };
}

/** Returns height and width of what a window gives over an image. */
export function windowResult(image: readonly [number, number], window: Window): [number, number] {
  const { top, bottom, left, right } = window.padding;
  const length = (axis: 0 | 1, padded: number): number => {
    const reach = (window.size[axis] - 1) * window.dilations[axis] + 1;
    return Math.floor((padded - reach) / window.strides[axis]) + 1;
  };
  return [length(0, image[0] + top + bottom), length(1, image[1] + left + right)];
}

/** Returns a sequence [steps, channels] as an image of one row, or an image as it is. */
export function asImage(builder: GraphBuilder, x: ValueId): ValueId {
  const shape = builder.shapeOf(x);
  return shape.length === 2 ? builder.reshape(x, [1, ...shape]) : x;
}

/** Undoes {@link asImage} where the layer gives a sequence. */
export function fromImage(builder: GraphBuilder, x: ValueId, outputShape: readonly number[]): ValueId {
  return outputShape.length === 2 ? builder.reshape(x, builder.shapeOf(x).slice(1)) : x;
}

/** Throws unless the layer's images are channels-last. */
export function requireChannelsLast(layer: LayerFields): void {
  const format = layer.dataFormat ?? "channelsLast";
  requireSupported(format === "channelsLast", `data format ${format}`);
}

/** Returns the window of a convolution over an image. */
function convolutionWindow(builder: GraphBuilder, layer: LayerFields, image: ValueId): Window {
  const [height, width] = builder.shapeOf(image) as readonly [number, number, number];
  const isSequence = layer.kernelSize?.length === 1;
  const along = (value: LayerFields["strides"]): [number, number] =>
    isSequence ? [1, pair(value)[0]] : pair(value);
  const { padding = "valid" } = layer;
  requireSupported(padding === "same" || padding === "valid", `padding ${padding}`);
  return windowOver([height, width], {
    size: along(layer.kernelSize),
    strides: along(layer.strides),
    dilations: along(layer.dilationRate),
    padding,
  });
}

function biasOf({ weight }: LoweringContext, layer: LayerFields) {
  return layer.bias === null || layer.bias === undefined ? null : weight(layer.bias);
}

function convolve(context: LoweringContext, use: LayerUse): ValueId {
  const { builder } = context;
  const { layer } = use;
  requireChannelsLast(layer);
  const x = asImage(builder, use.x);
  const window = convolutionWindow(builder, layer, x);
  const variable = layer.kernel as tf.LayerVariable;
  const [height, width] = builder.shapeOf(x) as readonly [number, number, number];
  const filters = variable.shape.at(-1) as number;
  // A sequence's kernel [steps, in, out] is an image's [1, steps, in, out].
  const channels = builder.shapeOf(x)[2] as number;
  const kernel = context.weight(variable, [...window.size, channels, filters]);
  const result = builder.add({ op: "conv2d", x, kernel, bias: biasOf(context, layer), window }, [
    ...windowResult([height, width], window),
    filters,
  ]);
  return fromImage(builder, lowerActivation(builder, result, layer.activation), use.outputShape);
}

function depthwise(context: LoweringContext, layer: LayerFields, x: ValueId, bias: number | null): ValueId {
  const { builder } = context;
  const variable = layer.depthwiseKernel as tf.LayerVariable;
  const [height, width, channels] = builder.shapeOf(x) as readonly [number, number, number];
  const window = convolutionWindow(builder, layer, x);
  const multiplier = variable.shape.at(-1) as number;
  return builder.add({ op: "depthwiseConv2d", x, kernel: context.weight(variable), bias, window }, [
    ...windowResult([height, width], window),
    channels * multiplier,
  ]);
}

/** Convolution layers. */
export const convolutionLayers: Readonly<Record<string, LowerLayer>> = {
  Conv1D: convolve,
  Conv2D: convolve,
  DepthwiseConv2D: (context, { layer, x }) => {
    requireChannelsLast(layer);
    const [down, across] = pair(layer.dilationRate);
    requireSupported(down === 1 && across === 1, "a dilated depthwise convolution");
    const result = depthwise(context, layer, x, biasOf(context, layer));
    return lowerActivation(context.builder, result, layer.activation);
  },
  SeparableConv2D: (context, { layer, x }) => {
    requireChannelsLast(layer);
    const { builder } = context;
    const spread = depthwise(context, layer, x, null);
    const [height, width] = builder.shapeOf(spread) as readonly [number, number, number];
    const variable = layer.pointwiseKernel as tf.LayerVariable;
    const window = windowOver([height, width], { size: [1, 1], padding: "valid" });
    const kernel = context.weight(variable);
    const result = builder.add({ op: "conv2d", x: spread, kernel, bias: biasOf(context, layer), window }, [
      height,
      width,
      variable.shape.at(-1) as number,
    ]);
    return lowerActivation(builder, result, layer.activation);
  },
  Dense: (context, { layer, x }) => {
    const { builder } = context;
    const variable = layer.kernel as tf.LayerVariable;
    const shape = [...builder.shapeOf(x).slice(0, -1), variable.shape.at(-1) as number];
    const kernel = context.weight(variable);
    const result = builder.add({ op: "dense", x, kernel, bias: biasOf(context, layer) }, shape);
    return lowerActivation(builder, result, layer.activation);
  },
};
