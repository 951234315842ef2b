import * as tf from "@tensorflow/tfjs";
import { BackendError } from "../../errors.js";

/** What the kernels here use of the WebAssembly backend. */
export interface WasmBackend {
  /** Drops one reference to the data; frees them with the last one. */
  disposeData(dataId: tf.DataId, force?: boolean): boolean;
  /** Allocates a tensor on the WebAssembly heap. */
  makeOutput(shape: number[], dtype: tf.DataType): tf.TensorInfo;
  /** A view of a tensor's values on the WebAssembly heap; any allocation may invalidate it. */
  typedArrayFromHeap(info: tf.TensorInfo): Float32Array | Int32Array | Uint8Array;
}

/** Runs one kernel of the WebAssembly backend; the result lives until its scope ends. */
export type KernelCall = (
  kernelName: string,
  inputs: tf.NamedTensorInfoMap,
  attrs?: KernelAttributes,
) => tf.TensorInfo;

/** Attributes of a kernel; padding is a list of pairs, which TF.js's own type does not admit. */
export type KernelAttributes = Readonly<Record<string, unknown>>;

/**
 * Runs a computation made of other kernels and frees every intermediate result, also after a throw.
 *
 * The kernels are called directly and not as operations, so that nothing is recorded for differentiation
 * and the engine sees one kernel with one result.
 *
 * @param body - Gets the function that runs a kernel and one that allocates a tensor to be filled by hand;
 *   returns one of the results.
 * @returns What `body` returned, still alive.
 */
export function withKernelScope(
  backend: WasmBackend,
  body: (call: KernelCall, allocate: WasmBackend["makeOutput"]) => tf.TensorInfo,
): tf.TensorInfo {
  const made: tf.TensorInfo[] = [];
  const call: KernelCall = (kernelName, inputs, attrs = {}) => {
    const kernel = tf.getKernel(kernelName, "wasm");
    if (kernel === undefined) {
      throw new BackendError("the wasm backend", `a kernel "${kernelName}"`, "none registered");
    }
    const result = kernel.kernelFunc({ inputs, attrs: attrs as tf.NamedAttrMap, backend }) as tf.TensorInfo;
    made.push(result);
    return result;
  };
  const allocate: WasmBackend["makeOutput"] = (shape, dtype) => {
    const result = backend.makeOutput(shape, dtype);
    made.push(result);
    return result;
  };
  let kept: tf.TensorInfo | undefined;
  try {
    kept = body(call, allocate);
    return kept;
  } finally {
    for (const info of made) if (info !== kept) backend.disposeData(info.dataId);
  }
}
