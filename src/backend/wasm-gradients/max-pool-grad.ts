import * as tf from "@tensorflow/tfjs";
import type { WasmBackend } from "./kernel-scope.js";

/** Attributes of the kernel. */
interface Attributes {
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
    const { filterSize, strides, pad, dimRoundingMode } = attrs as unknown as Attributes;
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
