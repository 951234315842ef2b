import type * as tf from "@tensorflow/tfjs";
import { type WasmBackend, withKernelScope } from "./kernel-scope.js";

/** Attributes of the kernel. */
interface Attributes {
  readonly numSegments: number;
}

/**
 * Sum of the rows of x by segment, for the WebAssembly backend: the gradient of gather and of Embedding.
 *
 * Rows whose segment is outside [0, numSegments) are left out, as on the other backends: where there
 * are any, the table that the rows are scattered into has one more segment, which takes them.
 */
export const unsortedSegmentSum: tf.KernelConfig = {
  kernelName: "UnsortedSegmentSum",
  backendName: "wasm",
  kernelFunc: ({ inputs, attrs, backend: kernelBackend }) => {
    const { x, segmentIds } = inputs as { x: tf.TensorInfo; segmentIds: tf.TensorInfo };
    const { numSegments } = attrs as unknown as Attributes;
    const backend = kernelBackend as WasmBackend;
    return withKernelScope(backend, (call, allocate) => {
      const [rows = 1, ...rest] = x.shape;
      const width = rest.reduce((product, size) => product * size, 1);
      const isOutside = (id: number) => id < 0 || id >= numSegments;
      const hasOutside = backend.typedArrayFromHeap(segmentIds).some(isOutside);
      let ids = segmentIds;
      if (hasOutside) {
        ids = allocate(segmentIds.shape, "int32");
        const source = backend.typedArrayFromHeap(segmentIds);
        backend.typedArrayFromHeap(ids).set(source.map((id) => (isOutside(id) ? numSegments : id)));
      }
      const indices = call("Reshape", { x: ids }, { shape: [rows, 1] });
      const updates = call("Reshape", { x }, { shape: [rows, width] });
      const shape = [hasOutside ? numSegments + 1 : numSegments, width];
      const table = call("ScatterNd", { indices, updates }, { shape });
      const kept = hasOutside
        ? call("Slice", { x: table }, { begin: [0, 0], size: [numSegments, width] })
        : table;
      return call("Reshape", { x: kept }, { shape: [numSegments, ...rest] });
    });
  },
};
