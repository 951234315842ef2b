import * as tf from "@tensorflow/tfjs";
import { averagePoolGrad } from "./average-pool-grad.js";
import { conv2dBackpropFilter } from "./conv2d-backprop-filter.js";
import { conv2dBackpropInput } from "./conv2d-backprop-input.js";
import { depthwiseBackpropFilter } from "./depthwise-backprop-filter.js";
import { depthwiseBackpropInput } from "./depthwise-backprop-input.js";
import { maxPoolGrad } from "./max-pool-grad.js";
import { refuseMissingKernels } from "./refuse-missing.js";
import { refuseWrongKernels } from "./refuse-wrong.js";
import { transposedMatMul } from "./transposed-mat-mul.js";
import { unsortedSegmentSum } from "./unsorted-segment-sum.js";

/** The kernels that training needs and the WebAssembly backend 4.22 lacks. */
const MISSING: readonly tf.KernelConfig[] = [
  conv2dBackpropFilter,
  depthwiseBackpropFilter,
  depthwiseBackpropInput,
  unsortedSegmentSum,
];

/** Kernels that the backend has, but slow or wrong at the border; each is made from the backend's own. */
const BETTER: readonly (readonly [string, (original: tf.KernelConfig) => tf.KernelConfig])[] = [
  ["Conv2DBackpropInput", () => conv2dBackpropInput],
  ["MaxPoolGrad", () => maxPoolGrad],
  ["BatchMatMul", transposedMatMul],
  ["AvgPoolGrad", averagePoolGrad],
  ["AvgPool3DGrad", averagePoolGrad],
];

/** The backend objects that have been completed. */
const completed = new WeakSet<object>();

/**
 * Completes the active WebAssembly backend: adds the gradient kernels it lacks, exchanges some that are slow
 * or wrong, and has those that stay missing or wrong refused with a way out.
 *
 * A missing kernel that somebody has added meanwhile (a later version, the program itself) is left alone.
 * It can be called any number of times.
 */
export function registerWasmGradients(): void {
  const backend = tf.backend();
  if (completed.has(backend)) return;
  completed.add(backend);
  for (const kernel of MISSING) {
    if (tf.getKernel(kernel.kernelName, kernel.backendName) === undefined) tf.registerKernel(kernel);
  }
  for (const [kernelName, improve] of BETTER) {
    const original = tf.getKernel(kernelName, "wasm");
    if (original === undefined) continue;
    tf.unregisterKernel(kernelName, "wasm");
    tf.registerKernel(improve(original));
  }
  refuseWrongKernels();
  refuseMissingKernels();
}
