import type * as tf from "@tensorflow/tfjs";
import type { ConvolutionAxis, ConvolutionGeometry } from "./convolution-geometry.js";
import type { KernelCall } from "./kernel-scope.js";

/**
 * Spreads dy back over the input: the gradient of a convolution with respect to its input, as a convolution.
 *
 * Along an axis, dx[p] = Σ_i w[i]·dy[(p + pad − i·dilation) / stride], where that is a whole number: dy with
 * zeros between its values is convolved with the reversed filter.
 *
 * @param kernelName - "Conv2D", or "DepthwiseConv2dNative" where channels do not mix.
 * @param dy - (batch, output height, output width, channels).
 * @param filter - Reversed along height and width, with dy's channels as its input channels.
 * @returns (batch, input height, input width, …).
 */
export function spread(
  call: KernelCall,
  kernelName: "Conv2D" | "DepthwiseConv2dNative",
  dy: tf.TensorInfo,
  filter: tf.TensorInfo,
  { height, width }: ConvolutionGeometry,
): tf.TensorInfo {
  const spaced = insertZeros(call, dy, height.stride, width.stride);
  const out = call(
    kernelName,
    { x: spaced, filter },
    {
      strides: [1, 1],
      dilations: [height.dilation, width.dilation],
      dataFormat: "NHWC",
      pad: [[0, 0], padding(height), padding(width), [0, 0]],
    },
  );
  const [batch, rows, columns, channels] = out.shape as [number, number, number, number];
  const begin = [0, surplusBefore(height), surplusBefore(width), 0];
  if (rows === height.input && columns === width.input && begin[1] === 0 && begin[2] === 0) return out;
  return call("Slice", { x: out }, { begin, size: [batch, height.input, width.input, channels] });
}

/** Zeros wanted before the first value of dy so that the first result is the first input position. */
function wantedBefore({ filter, dilation, padBefore }: ConvolutionAxis): number {
  return (filter - 1) * dilation - padBefore;
}

/** Results before the first input position, which a padding wider than the filter leads to. */
function surplusBefore(axis: ConvolutionAxis): number {
  return Math.max(0, -wantedBefore(axis));
}

/** Zeros before and after dy, as [before, after]. */
function padding(axis: ConvolutionAxis): [number, number] {
  const { input, output, stride, padBefore } = axis;
  return [Math.max(0, wantedBefore(axis)), Math.max(0, input + padBefore - output * stride)];
}

/** Puts `stride − 1` rows and columns of zeros after each row and column. */
function insertZeros(
  call: KernelCall,
  dy: tf.TensorInfo,
  strideRows: number,
  strideColumns: number,
): tf.TensorInfo {
  const [batch, rows, columns, channels] = dy.shape as [number, number, number, number];
  const spread = (x: tf.TensorInfo, outer: number, inner: number, stride: number) => {
    if (stride === 1) return x;
    const cells = call("Reshape", { x }, { shape: [outer, 1, inner] });
    const paddings = [
      [0, 0],
      [0, stride - 1],
      [0, 0],
    ];
    return call("PadV2", { x: cells }, { paddings, constantValue: 0 });
  };
  const wide = spread(dy, batch * rows * columns, channels, strideColumns);
  const both = spread(wide, batch * rows, columns * strideColumns * channels, strideRows);
  if (both === dy) return dy;
  return call(
    "Reshape",
    { x: both },
    { shape: [batch, rows * strideRows, columns * strideColumns, channels] },
  );
}
