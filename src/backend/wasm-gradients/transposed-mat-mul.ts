import type * as tf from "@tensorflow/tfjs";
import { type WasmBackend, withKernelScope } from "./kernel-scope.js";

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
