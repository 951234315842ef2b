import * as tf from "@tensorflow/tfjs";
import { BackendError } from "../../base/errors.js";
import { defined } from "../../base/json.js";
import { averagePoolGrad, maxPoolGrad } from "./average-pool-grad.js";
import { type WasmBackend, withKernelScope } from "./convolution-geometry.js";
import {
  conv2dBackpropFilter,
  conv2dBackpropInput,
  depthwiseBackpropFilter,
  depthwiseBackpropInput,
} from "./convolution-gradients.js";

/** Returns the error for a kernel that a backend does not have, with the way out. */
export function missingKernelError(kernelName: string, backend: string, cause?: unknown): BackendError {
  return new BackendError(`the "${backend}" backend of TensorFlow.js`, `a kernel ${kernelName}`, "none", {
    ...defined({ cause }),
    hint: "use @tensorflow/tfjs-node or @tensorflow/tfjs-node-gpu for this model, or a model without this operation",
  });
}

/**
 * Returns a {@link BackendError} that names what TensorFlow.js cannot do and the way out, if the error is
 * about that; any other error is returned as it is.
 *
 * Recognized: a kernel that the backend lacks, an operation without a gradient, and dilated convolutions,
 * which TF.js evaluates but does not differentiate on any backend.
 *
 * @example catch (error) { throw explainKernelError(error); }
 */
export function explainKernelError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const kernel = /Kernel '(\w+)' not registered for backend '(\w+)'/.exec(error.message);
  if (kernel !== null) return missingKernelError(kernel[1], kernel[2], error);
  const gradient = /gradient function not found for (\w+)/.exec(error.message);
  if (gradient !== null) {
    return new BackendError("TensorFlow.js", `a gradient of ${gradient[1]}`, "none on any backend", {
      cause: error,
      hint: "train without this operation, or give it a gradient with tf.registerGradient",
    });
  }
  if (/gradient of .*dilation rates greater than 1 are not yet supported/.test(error.message)) {
    return new BackendError("TensorFlow.js", "a gradient of a dilated convolution", "none on any backend", {
      cause: error,
      hint: "train with dilationRate 1; evaluating works",
    });
  }
  return error;
}

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

/** When a kernel of the WebAssembly backend 4.22 gives wrong results. */
type IsWrong = (attrs: tf.NamedAttrMap) => boolean;

const always: IsWrong = () => true;

/**
 * Kernels of the WebAssembly backend 4.22 whose results differ from finite differences and from native
 * TensorFlow's (or that leave their memory, as GatherV2 with batch dimensions does). Nothing here replaces
 * them: volumes are rare, and plain loops would take hours.
 */
const WRONG: Readonly<Record<string, IsWrong>> = {
  MaxPool3D: always,
  MaxPool3DGrad: always,
  Conv3DBackpropInputV2: always,
  Conv3DBackpropFilterV2: ({ strides }) => [strides].flat().some((stride) => stride !== 1),
  GatherV2: ({ batchDims }) => batchDims !== undefined && batchDims !== 0,
};

/** Has the kernels that give wrong results throw a {@link BackendError} where they would. */
export function refuseWrongKernels(): void {
  for (const [kernelName, isWrong] of Object.entries(WRONG)) {
    const original = tf.getKernel(kernelName, "wasm");
    if (original === undefined) continue;
    tf.unregisterKernel(kernelName, "wasm");
    tf.registerKernel({
      ...original,
      kernelFunc: (call) => {
        if (isWrong(call.attrs ?? {})) throw wrongKernelError(kernelName);
        return original.kernelFunc(call);
      },
    });
  }
}

function wrongKernelError(kernelName: string): BackendError {
  return new BackendError(
    `${kernelName} on the "wasm" backend of TensorFlow.js`,
    "right results",
    "wrong ones",
    {
      hint: "use @tensorflow/tfjs-node or @tensorflow/tfjs-node-gpu for this model",
    },
  );
}

/** Attributes of the kernel. */
interface Attributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/**
 * Matrix product of the WebAssembly backend, with a transposed operand written out first.
 *
 * The backend multiplies transposed operands with a plain loop, 5 to 12 times slower than the transposition
 * and its fast product together; the gradients of every Dense and recurrent layer are such products.
 *
 * @param original - The backend's own kernel, which still does the multiplication.
 */
export function transposedMatMul(original: tf.KernelConfig): tf.KernelConfig {
  return {
    ...original,
    kernelFunc: ({ inputs, attrs, backend }) => {
      const { transposeA, transposeB } = attrs as unknown as Attributes;
      if (!transposeA && !transposeB)
        return original.kernelFunc({ inputs, attrs: { transposeA, transposeB }, backend });
      const { a, b } = inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
      return withKernelScope(backend as WasmBackend, (call) => {
        const written = (x: tf.TensorInfo) => call("Transpose", { x }, { perm: swapLastTwo(x.shape.length) });
        return call(
          original.kernelName,
          { a: transposeA ? written(a) : a, b: transposeB ? written(b) : b },
          { transposeA: false, transposeB: false },
        );
      });
    },
  };
}

/** The permutation of `rank` axes that exchanges the last two. */
function swapLastTwo(rank: number): number[] {
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  return [...axes.slice(0, -2), rank - 1, rank - 2];
}

/** Attributes of the kernel. */
interface SegmentSumAttributes {
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
    const { numSegments } = attrs as unknown as SegmentSumAttributes;
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
