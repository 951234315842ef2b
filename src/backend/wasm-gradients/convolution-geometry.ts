import * as tf from "@tensorflow/tfjs";
import { BackendError } from "../../base/errors.js";

/** Attributes that the gradient kernels of convolutions have in common. */
export interface ConvolutionAttributes {
  readonly strides: number | [number, number];
  readonly dilations?: number | [number, number] | null;
  readonly pad: "valid" | "same" | number | tf.backend_util.ExplicitPadding;
  readonly dataFormat?: "NHWC" | "NCHW";
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
}

/** Sizes of one spatial axis of a convolution: `output` positions, `stride` apart, on a padded `input`. */
export interface ConvolutionAxis {
  readonly input: number;
  readonly output: number;
  readonly filter: number;
  readonly stride: number;
  readonly dilation: number;
  /** Zeros before the first input position. */
  readonly padBefore: number;
}

/** Sizes of a two-dimensional convolution in NHWC. */
export interface ConvolutionGeometry {
  readonly batch: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly height: ConvolutionAxis;
  readonly width: ConvolutionAxis;
}

/**
 * Works out the sizes of a convolution from the attributes of its gradient kernel.
 *
 * @throws {@link BackendError} for NCHW, which the WebAssembly backend cannot convolve either.
 */
export function convolutionGeometry(
  kernelName: string,
  inputShape: readonly number[],
  filterShape: readonly number[],
  attributes: ConvolutionAttributes,
  isDepthwise: boolean,
): ConvolutionGeometry {
  const { strides, dilations, pad, dataFormat = "NHWC", dimRoundingMode } = attributes;
  if (dataFormat !== "NHWC") {
    throw new BackendError(`${kernelName} on the wasm backend`, 'data format "NHWC"', `"${dataFormat}"`, {
      hint: 'build the layer with dataFormat "channelsLast", or use another backend',
    });
  }
  const info = tf.backend_util.computeConv2DInfo(
    inputShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    strides,
    dilations ?? 1,
    pad,
    dimRoundingMode,
    isDepthwise,
  );
  return {
    batch: info.batchSize,
    inChannels: info.inChannels,
    outChannels: info.outChannels,
    height: {
      input: info.inHeight,
      output: info.outHeight,
      filter: info.filterHeight,
      stride: info.strideHeight,
      dilation: info.dilationHeight,
      padBefore: info.padInfo.top,
    },
    width: {
      input: info.inWidth,
      output: info.outWidth,
      filter: info.filterWidth,
      stride: info.strideWidth,
      dilation: info.dilationWidth,
      padBefore: info.padInfo.left,
    },
  };
}

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
