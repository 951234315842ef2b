import type * as tf from "@tensorflow/tfjs";
import type { ConvolutionAxis, ConvolutionGeometry } from "./convolution-geometry.js";
import type { KernelCall } from "./kernel-scope.js";

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
