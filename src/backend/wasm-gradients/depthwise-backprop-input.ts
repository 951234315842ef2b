import type * as tf from "@tensorflow/tfjs";
import { type ConvolutionAttributes, convolutionGeometry } from "./convolution-geometry.js";
import { spread } from "./input-gradient.js";
import { type WasmBackend, withKernelScope } from "./kernel-scope.js";

/** Attributes of the kernel. */
interface Attributes extends ConvolutionAttributes {
  readonly inputShape: readonly number[];
}

/**
 * Gradient of a depthwise convolution with respect to its input, for the WebAssembly backend.
 *
 * A depthwise convolution of dy with the reversed filter, one channel for each (input, multiplier) pair,
 * then the sum over the multipliers.
 */
export const depthwiseBackpropInput: tf.KernelConfig = {
  kernelName: "DepthwiseConv2dNativeBackpropInput",
  backendName: "wasm",
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { dy, filter } = inputs as { dy: tf.TensorInfo; filter: tf.TensorInfo };
    const attributes = attrs as unknown as Attributes;
    const shape = attributes.inputShape;
    const geometry = convolutionGeometry(
      "DepthwiseConv2dNativeBackpropInput",
      shape,
      filter.shape,
      attributes,
      true,
    );
    const { batch, inChannels, outChannels, height, width } = geometry;
    return withKernelScope(backend as WasmBackend, (call) => {
      const pairs = [height.filter, width.filter, outChannels, 1];
      const flat = call("Reshape", { x: filter }, { shape: pairs });
      const reversed = call("Reverse", { x: flat }, { dims: [0, 1] });
      const byPair = spread(call, "DepthwiseConv2dNative", dy, reversed, geometry);
      if (outChannels === inChannels) return byPair;
      const pixels = batch * height.input * width.input * inChannels;
      const grouped = call("Reshape", { x: byPair }, { shape: [pixels, outChannels / inChannels] });
      const sum = call("Sum", { x: grouped }, { axis: [1], keepDims: false });
      return call("Reshape", { x: sum }, { shape: [batch, height.input, width.input, inChannels] });
    });
  },
};
