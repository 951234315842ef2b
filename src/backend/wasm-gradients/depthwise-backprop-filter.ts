import type * as tf from "@tensorflow/tfjs";
import { type ConvolutionAttributes, convolutionGeometry } from "./convolution-geometry.js";
import { correlate } from "./filter-gradient.js";
import { type WasmBackend, withKernelScope } from "./kernel-scope.js";

/** Attributes of the kernel. */
interface Attributes extends ConvolutionAttributes {
  readonly filterShape: readonly number[];
}

/**
 * Gradient of a depthwise convolution with respect to its filter, for the WebAssembly backend.
 *
 * Samples become channels, x as (1, H, W, N·C) and dy as the depthwise filter (H', W', N·C, M); the result is
 * summed over the samples. It outruns a plain loop and the sum over shifted products.
 */
export const depthwiseBackpropFilter: tf.KernelConfig = {
  kernelName: "DepthwiseConv2dNativeBackpropFilter",
  backendName: "wasm",
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { x, dy } = inputs as { x: tf.TensorInfo; dy: tf.TensorInfo };
    const attributes = attrs as unknown as Attributes;
    const shape = attributes.filterShape;
    const geometry = convolutionGeometry(
      "DepthwiseConv2dNativeBackpropFilter",
      x.shape,
      shape,
      attributes,
      true,
    );
    const { batch, inChannels, outChannels, height, width } = geometry;
    const multiplier = outChannels / inChannels;
    const merged = batch * inChannels;
    return withKernelScope(backend as WasmBackend, (call) => {
      const reshape = (info: tf.TensorInfo, to: number[]) => call("Reshape", { x: info }, { shape: to });
      const rowsFirst = (info: tf.TensorInfo) => call("Transpose", { x: info }, { perm: [1, 2, 0, 3] });
      const input = reshape(rowsFirst(x), [1, height.input, width.input, merged]);
      const filter = reshape(rowsFirst(dy), [height.output, width.output, merged, multiplier]);
      const bySample = correlate(call, "DepthwiseConv2dNative", input, filter, geometry);
      const flat = reshape(bySample, [height.filter * width.filter, batch, outChannels]);
      const sum = call("Sum", { x: flat }, { axis: [1], keepDims: false });
      return reshape(sum, [height.filter, width.filter, inChannels, multiplier]);
    });
  },
};
