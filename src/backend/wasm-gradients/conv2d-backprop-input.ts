import type * as tf from "@tensorflow/tfjs";
import { type ConvolutionAttributes, convolutionGeometry } from "./convolution-geometry.js";
import { spread } from "./input-gradient.js";
import { type WasmBackend, withKernelScope } from "./kernel-scope.js";

/** Attributes of the kernel. */
interface Attributes extends ConvolutionAttributes {
  readonly inputShape: readonly number[];
}

/**
 * Gradient of a two-dimensional convolution with respect to its input, for the WebAssembly backend.
 *
 * The backend has a kernel of its own; this one, a convolution of dy with the reversed filter, takes a fifth
 * to a tenth of its time, which is half of the time of training a small convolutional network.
 */
export const conv2dBackpropInput: tf.KernelConfig = {
  kernelName: "Conv2DBackpropInput",
  backendName: "wasm",
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { dy, filter } = inputs as { dy: tf.TensorInfo; filter: tf.TensorInfo };
    const attributes = attrs as unknown as Attributes;
    const shape = attributes.inputShape;
    const geometry = convolutionGeometry("Conv2DBackpropInput", shape, filter.shape, attributes, false);
    return withKernelScope(backend as WasmBackend, (call) => {
      const reversed = call("Reverse", { x: filter }, { dims: [0, 1] });
      const exchanged = call("Transpose", { x: reversed }, { perm: [0, 1, 3, 2] });
      return spread(call, "Conv2D", dy, exchanged, geometry);
    });
  },
};
