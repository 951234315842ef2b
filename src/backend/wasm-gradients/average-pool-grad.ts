import * as tf from "@tensorflow/tfjs";
import { type WasmBackend, withKernelScope } from "./kernel-scope.js";

/** Attributes of both kernels. */
interface Attributes {
  readonly filterSize: number | [number, number, number];
  readonly strides: number | [number, number, number];
  readonly pad: "valid" | "same" | number;
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
}

/** One axis of a pooling: windows of `filter` values, `stride` apart, on an input with `padBefore` zeros before it. */
interface PoolAxis {
  readonly input: number;
  readonly output: number;
  readonly filter: number;
  readonly stride: number;
  readonly padBefore: number;
}

/**
 * Gradient of average pooling over two or three axes, for the WebAssembly backend, with padding done right.
 *
 * A window that reaches into the padding averages over fewer values, and each of these gets a larger share;
 * the backend's own kernel (like that of plain JavaScript) divides by the whole window all the same. Where
 * there is padding, dy is scaled by whole window / values in the window first.
 *
 * @param original - The backend's own kernel, AvgPoolGrad or AvgPool3DGrad.
 */
export function averagePoolGrad(original: tf.KernelConfig): tf.KernelConfig {
  return {
    ...original,
    kernelFunc: ({ inputs, attrs = {}, backend }) => {
      const { dy, input } = inputs as { dy: tf.TensorInfo; input: tf.TensorInfo };
      const axes = poolAxes(input.shape, attrs as unknown as Attributes);
      if (
        axes.every(
          ({ input, output, filter, stride, padBefore }) =>
            padBefore === 0 && (output - 1) * stride + filter <= input,
        )
      ) {
        return original.kernelFunc({ inputs, attrs, backend });
      }
      return withKernelScope(backend as WasmBackend, (call, allocate) => {
        const scale = allocate([1, ...axes.map((axis) => axis.output), 1], "float32");
        (backend as WasmBackend).typedArrayFromHeap(scale).set(outerProduct(axes.map(shares)));
        const scaled = call("Multiply", { a: dy, b: scale });
        const result = original.kernelFunc({
          inputs: { dy: scaled, input },
          attrs,
          backend,
        }) as tf.TensorInfo;
        return result;
      });
    },
  };
}

function poolAxes(shape: number[], attributes: Attributes): PoolAxis[] {
  const { filterSize, strides, pad, dimRoundingMode } = attributes;
  if (shape.length === 4) {
    const pair = (size: Attributes["filterSize"]) => size as number | [number, number];
    const info = tf.backend_util.computePool2DInfo(
      shape as [number, number, number, number],
      pair(filterSize),
      pair(strides),
      1,
      pad,
      dimRoundingMode,
    );
    return [heightAxis(info), widthAxis(info)];
  }
  const info = tf.backend_util.computePool3DInfo(
    shape as [number, number, number, number, number],
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
  const depth = {
    input: info.inDepth,
    output: info.outDepth,
    filter: info.filterDepth,
    stride: info.strideDepth,
    padBefore: info.padInfo.front,
  };
  return [depth, heightAxis(info), widthAxis(info)];
}

type PoolInfo = tf.backend_util.Conv2DInfo | tf.backend_util.Conv3DInfo;

function heightAxis({ inHeight, outHeight, filterHeight, strideHeight, padInfo }: PoolInfo): PoolAxis {
  return {
    input: inHeight,
    output: outHeight,
    filter: filterHeight,
    stride: strideHeight,
    padBefore: padInfo.top,
  };
}

function widthAxis({ inWidth, outWidth, filterWidth, strideWidth, padInfo }: PoolInfo): PoolAxis {
  return {
    input: inWidth,
    output: outWidth,
    filter: filterWidth,
    stride: strideWidth,
    padBefore: padInfo.left,
  };
}

/** Window length / values of the input in the window, for each window of an axis. */
function shares({ input, output, filter, stride, padBefore }: PoolAxis): number[] {
  return Array.from({ length: output }, (_, position) => {
    const first = position * stride - padBefore;
    return filter / (Math.min(input, first + filter) - Math.max(0, first));
  });
}

/** All products of one value from each list, the last list's index running fastest. */
function outerProduct(lists: readonly number[][]): number[] {
  return lists.reduce(
    (products, list) => products.flatMap((product) => list.map((value) => product * value)),
    [1],
  );
}
