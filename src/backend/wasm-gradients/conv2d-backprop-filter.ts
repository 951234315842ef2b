import type * as tf from "@tensorflow/tfjs";
import { type ConvolutionAttributes, convolutionGeometry } from "./convolution-geometry.js";
import { correlate } from "./filter-gradient.js";
import { type WasmBackend, withKernelScope } from "./kernel-scope.js";

/** Attributes of the kernel. */
interface Attributes extends ConvolutionAttributes {
  readonly filterShape: readonly number[];
}

/**
 * Gradient of a two-dimensional convolution with respect to its filter, for the WebAssembly backend.
 *
 * One convolution does it: x as (C, H, W, N) with dy as the filter (H', W', N, F), so that the sum over the
 * batch is the sum over the channels.
 */
export const conv2dBackpropFilter: tf.KernelConfig = {
  kernelName: "Conv2DBackpropFilter",
  backendName: "wasm",
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { x, dy } = inputs as { x: tf.TensorInfo; dy: tf.TensorInfo };
    const attributes = attrs as unknown as Attributes;
    const geometry = convolutionGeometry(
      "Conv2DBackpropFilter",
      x.shape,
      attributes.filterShape,
      attributes,
      false,
    );
    return withKernelScope(backend as WasmBackend, (call) => {
      const input = call("Transpose", { x }, { perm: [3, 1, 2, 0] });
      const filter = call("Transpose", { x: dy }, { perm: [1, 2, 0, 3] });
      const gradient = correlate(call, "Conv2D", input, filter, geometry);
      return call("Transpose", { x: gradient }, { perm: [1, 2, 0, 3] });
    });
  },
};
