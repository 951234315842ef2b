import * as tf from "@tensorflow/tfjs";
import { conv2dBackpropFilter } from "./conv2d-backprop-filter.js";

/** The kernels that training needs and the WebAssembly backend 4.22 lacks. */
const KERNELS: readonly tf.KernelConfig[] = [conv2dBackpropFilter];

/**
 * Registers the missing gradient kernels with the WebAssembly backend.
 *
 * A kernel that is there already (a later version of the backend, the user's own) is left alone, so it can
 * be called any number of times.
 */
export function registerWasmGradients(): void {
  for (const kernel of KERNELS) {
    if (tf.getKernel(kernel.kernelName, kernel.backendName) === undefined) tf.registerKernel(kernel);
  }
}
