import * as tf from "@tensorflow/tfjs";
import { type WasmBackend, withKernelScope } from "./convolution-geometry.js";

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

/** Attributes of the kernel. */
interface MaxPoolAttributes {
  readonly filterSize: number | [number, number];
  readonly strides: number | [number, number];
  readonly pad: "valid" | "same" | number | tf.backend_util.ExplicitPadding;
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
}

/**
 * Gradient of two-dimensional max pooling, for the WebAssembly backend.
 *
 * The backend has a kernel of its own, which visits every window of every input value and takes ten times as
 * long. This one visits each window once and hands dy to its first largest value (as the other backends do).
 */
export const maxPoolGrad: tf.KernelConfig = {
  kernelName: "MaxPoolGrad",
  backendName: "wasm",
  kernelFunc: ({ inputs, attrs, backend: kernelBackend }) => {
    const { dy, input } = inputs as { dy: tf.TensorInfo; input: tf.TensorInfo };
    const { filterSize, strides, pad, dimRoundingMode } = attrs as unknown as MaxPoolAttributes;
    const backend = kernelBackend as WasmBackend;
    const shape = input.shape as [number, number, number, number];
    const info = tf.backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode);
    const dx = backend.makeOutput(input.shape, "float32");
    // Taken after the allocation, which may move the heap.
    const to = backend.typedArrayFromHeap(dx) as Float32Array;
    to.fill(0);
    scatterToMaximaInto(
      to,
      backend.typedArrayFromHeap(input) as Float32Array,
      backend.typedArrayFromHeap(dy) as Float32Array,
      info,
    );
    return dx;
  },
};

/** Adds each value of `dy` to the entry of `dx` where its window of `x` is largest; the first one of equals. */
function scatterToMaximaInto(
  dx: Float32Array,
  x: Float32Array,
  dy: Float32Array,
  info: tf.backend_util.Conv2DInfo,
): void {
  const { batchSize, inHeight, inWidth, inChannels: channels, outHeight, outWidth } = info;
  const best = new Float32Array(channels);
  const place = new Int32Array(channels);
  let from = 0;
  for (let sample = 0; sample < batchSize; sample++) {
    for (let outRow = 0; outRow < outHeight; outRow++) {
      const top = outRow * info.strideHeight - info.padInfo.top;
      const firstRow = Math.max(0, top);
      const lastRow = Math.min(inHeight, top + info.filterHeight);
      for (let outColumn = 0; outColumn < outWidth; outColumn++) {
        const left = outColumn * info.strideWidth - info.padInfo.left;
        const firstColumn = Math.max(0, left);
        const lastColumn = Math.min(inWidth, left + info.filterWidth);
        best.fill(Number.NEGATIVE_INFINITY);
        place.fill(-1);
        for (let row = firstRow; row < lastRow; row++) {
          let offset = ((sample * inHeight + row) * inWidth + firstColumn) * channels;
          for (let column = firstColumn; column < lastColumn; column++) {
            for (let channel = 0; channel < channels; channel++, offset++) {
              const value = x[offset] as number;
              if (value > (best[channel] as number)) {
                best[channel] = value;
                place[channel] = offset;
              }
            }
          }
        }
        for (let channel = 0; channel < channels; channel++, from++) {
          const offset = place[channel] as number;
          if (offset >= 0) dx[offset] = (dx[offset] as number) + (dy[from] as number);
        }
      }
    }
  }
}
