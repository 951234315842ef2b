import { BackendError } from "../base/errors.js";

/** Returns the error for a kernel that a backend does not have, with the way out. */
export function missingKernelError(kernelName: string, backend: string, cause?: unknown): BackendError {
  return new BackendError(`the "${backend}" backend of TensorFlow.js`, `a kernel ${kernelName}`, "none", {
    ...(cause === undefined ? {} : { cause }),
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
