import type * as tf from "@tensorflow/tfjs";
import {
  type ConvolutionAttributes,
  type ConvolutionAxis,
  type ConvolutionGeometry,
  convolutionGeometry,
  type KernelCall,
  type WasmBackend,
  withKernelScope,
} from "./convolution-geometry.js";

/**
 * Correlates x with dy: the gradient of a convolution with respect to its filter, as a convolution.
 *
 * Along an axis, dW[i] = Σ_o x[o·stride + i·dilation − pad]·dy[o]: dy is the filter, the roles of stride and
 * dilation are exchanged, and each filter position is an output position.
 *
 * @param kernelName - "Conv2D", or "DepthwiseConv2dNative" where channels do not mix.
 * @param x - (batch', height, width, channels') with whatever is not summed over in batch'.
 * @param dy - (output height, output width, …), as the filter of the kernel.
 * @returns (batch', filter height, filter width, …).
 */
export function correlate(
  call: KernelCall,
  kernelName: "Conv2D" | "DepthwiseConv2dNative",
  x: tf.TensorInfo,
  dy: tf.TensorInfo,
  { height, width }: ConvolutionGeometry,
): tf.TensorInfo {
  const out = call(
    kernelName,
    { x, filter: dy },
    {
      strides: [height.dilation, width.dilation],
      dilations: [height.stride, width.stride],
      dataFormat: "NHWC",
      pad: [
        [0, 0],
        [height.padBefore, padAfter(height)],
        [width.padBefore, padAfter(width)],
        [0, 0],
      ],
    },
  );
  const [batch, rows, columns, channels] = out.shape as [number, number, number, number];
  if (rows === height.filter && columns === width.filter) return out;
  return call(
    "Slice",
    { x: out },
    { begin: [0, 0, 0, 0], size: [batch, height.filter, width.filter, channels] },
  );
}

/** Zeros after the last input position that the last filter position needs at the last output position. */
function padAfter({ input, output, filter, stride, dilation, padBefore }: ConvolutionAxis): number {
  return Math.max(0, (output - 1) * stride + (filter - 1) * dilation + 1 - input - padBefore);
}

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

/** Attributes of the kernel. */
interface DepthwiseFilterAttributes extends ConvolutionAttributes {
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
    const attributes = attrs as unknown as DepthwiseFilterAttributes;
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
