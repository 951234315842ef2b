import * as tf from "@tensorflow/tfjs";
import { BackendError } from "../../errors.js";

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
