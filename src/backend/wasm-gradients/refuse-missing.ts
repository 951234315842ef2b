import * as tf from "@tensorflow/tfjs";
import { missingKernelError } from "../explain-kernel-error.js";

/**
 * Registers, for every kernel that the plain JavaScript backend has and WebAssembly still lacks, one that
 * says so: TF.js's own message names no way out, and a user's model.fit meets it inside TF.js.
 *
 * With version 4.22 these are the complex numbers and Fourier transforms, Einsum, and some kernels for
 * ragged, sparse and string tensors.
 */
export function refuseMissingKernels(): void {
  for (const { kernelName } of tf.getKernelsForBackend("cpu")) {
    if (tf.getKernel(kernelName, "wasm") !== undefined) continue;
    tf.registerKernel({
      kernelName,
      backendName: "wasm",
      kernelFunc: () => {
        throw missingKernelError(kernelName, "wasm");
      },
    });
  }
}
