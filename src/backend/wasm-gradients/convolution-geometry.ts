import * as tf from "@tensorflow/tfjs";
import { BackendError } from "../../errors.js";

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
