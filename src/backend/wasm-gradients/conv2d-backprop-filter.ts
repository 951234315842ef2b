import * as tf from "@tensorflow/tfjs";
import { type WasmBackend, withKernelScope } from "./kernel-scope.js";

function kernelFunc({ inputs, attrs, backend }: any): tf.TensorInfo {
  const { x, dy } = inputs;
  const { strides, pad, dataFormat, dimRoundingMode, filterShape } = attrs;
  const info = tf.backend_util.computeConv2DInfo(
    x.shape,
    filterShape,
    strides,
    1,
    pad,
    dimRoundingMode,
    false,
    tf.backend_util.convertConv2DDataFormat(dataFormat),
  );
  const { filterHeight: kh, filterWidth: kw, strideHeight: sh, strideWidth: sw, padInfo } = info;
  return withKernelScope(backend as WasmBackend, (call) => {
    const xt = call("Transpose", { x }, { perm: [3, 1, 2, 0] });
    const dyt = call("Transpose", { x: dy }, { perm: [1, 2, 0, 3] });
    const pb = Math.max(0, (info.outHeight - 1) * sh + kh - info.inHeight - padInfo.top);
    const pr = Math.max(0, (info.outWidth - 1) * sw + kw - info.inWidth - padInfo.left);
    let out = call(
      "Conv2D",
      { x: xt, filter: dyt },
      {
        strides: [1, 1],
        dilations: [sh, sw],
        dataFormat: "NHWC",
        pad: [
          [0, 0],
          [padInfo.top, pb],
          [padInfo.left, pr],
          [0, 0],
        ],
      },
    );
    if (out.shape[1] !== kh || out.shape[2] !== kw)
      out = call(
        "Slice",
        { x: out },
        { begin: [0, 0, 0, 0], size: [out.shape[0], kh, kw, out.shape[3]] as number[] },
      );
    return call("Transpose", { x: out }, { perm: [1, 2, 0, 3] });
  });
}
export const conv2dBackpropFilter: tf.KernelConfig = {
  kernelName: "Conv2DBackpropFilter",
  backendName: "wasm",
  kernelFunc,
};
