import * as tf from "@tensorflow/tfjs";
import type { KernelNode } from "../../backend/record-kernels.js";
import { type Bilinear, bilinear, Dual, linear, minus, plus, times } from "../dual.js";
import {
  type DualInputs,
  inputOf,
  type KernelRule,
  oneOutput,
  runKernel,
  sumToShape,
} from "./kernel-rule.js";

/** A function of two tensors, linear in each, with its transposes in each. */
interface ProductKernel {
  /** Names of the two factors. */
  readonly factors: readonly [string, string];
  readonly apply: (node: KernelNode) => Bilinear;
  /** From the adjoint and the second factor to the first one's adjoint. */
  readonly toFirst: (node: KernelNode) => Bilinear;
  /** From the adjoint and the first factor to the second one's adjoint. */
  readonly toSecond: (node: KernelNode) => Bilinear;
  readonly refuses?: (node: KernelNode) => string | null;
}

/** A rule for a product, with a bias added to it where the kernel is fused with one. */
function productRule({ factors: [a, b], apply, toFirst, toSecond, refuses }: ProductKernel): KernelRule {
  return oneOutput({
    refuses: (node) => fusedActivation(node) ?? refuses?.(node) ?? null,
    forward(node, x, y) {
      const product = bilinear(x[a] as Dual, x[b] as Dual, apply(node)).tangent;
      const bias = x.bias?.tangent ?? null;
      const tangent = plus(product, bias);
      return tangent === null ? null : product === null ? tf.broadcastTo(tangent, y.shape) : tangent;
    },
    backward: (node, x, _, dy) => ({
      [a]: () => bilinear(dy, x[b] as Dual, toFirst(node)),
      [b]: () => bilinear(dy, x[a] as Dual, toSecond(node)),
      bias: () => linear(dy, (tensor) => sumToShape(tensor, inputOf(node, "bias").shape)),
    }),
  });
}

/** Recording takes fused activations apart; one that is left would be missed. */
function fusedActivation({ attributes: { activation } }: KernelNode): string | null {
  return activation === undefined || activation === "linear" ? null : `a fused ${String(activation)}`;
}

interface MatMulAttributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

function multiply(a: tf.Tensor, b: tf.Tensor, transposeA: boolean, transposeB: boolean): tf.Tensor {
  return tf.matMul(a, b, transposeA, transposeB);
}

const matMul: ProductKernel = {
  factors: ["a", "b"],
  apply: (node) => {
    const { transposeA, transposeB } = node.attributes as unknown as MatMulAttributes;
    return (a, b) => multiply(a, b, transposeA, transposeB);
  },
  toFirst: (node) => {
    const { transposeA, transposeB } = node.attributes as unknown as MatMulAttributes;
    const { shape } = inputOf(node, "a");
    return (dy, b) =>
      sumToShape(transposeA ? multiply(b, dy, transposeB, true) : multiply(dy, b, false, !transposeB), shape);
  },
  toSecond: (node) => {
    const { transposeA, transposeB } = node.attributes as unknown as MatMulAttributes;
    const { shape } = inputOf(node, "b");
    return (dy, a) =>
      sumToShape(transposeB ? multiply(dy, a, true, transposeA) : multiply(a, dy, !transposeA, false), shape);
  },
};

/** What a convolution's gradients are called with. */
function convolutionAttributes({ attributes }: KernelNode): Record<string, unknown> {
  const { strides, pad, dataFormat, dilations, dimRoundingMode } = attributes;
  return { strides, pad, dataFormat, dilations: dilations ?? [1, 1], dimRoundingMode };
}

function dilated({ attributes: { dilations } }: KernelNode): string | null {
  const all = [dilations ?? 1].flat();
  return all.every((step) => step === 1) ? null : "dilations, whose gradient TensorFlow.js lacks";
}

/** A convolution x ∗ filter and its two transposes, by the names of their kernels. */
function convolution(name: string, toInput: string, toFilter: string): ProductKernel {
  return {
    factors: ["x", "filter"],
    apply: (node) => (x, filter) => runKernel(name, { x, filter }, convolutionAttributes(node)),
    toFirst: (node) => {
      const inputShape = inputOf(node, "x").shape;
      return (dy, filter) =>
        runKernel(toInput, { dy, filter }, { ...convolutionAttributes(node), inputShape });
    },
    toSecond: (node) => {
      const filterShape = inputOf(node, "filter").shape;
      return (dy, x) => runKernel(toFilter, { x, dy }, { ...convolutionAttributes(node), filterShape });
    },
    refuses: dilated,
  };
}

/** A transposed convolution: the transpose of a convolution in its input, as a layer of its own. */
function transposedConvolution(name: string, forward: string, toFilter: string): ProductKernel {
  return {
    factors: ["dy", "filter"],
    apply: (node) => (dy, filter) => runKernel(name, { dy, filter }, node.attributes),
    toFirst: (node) => (adjoint, filter) =>
      runKernel(forward, { x: adjoint, filter }, { ...convolutionAttributes(node), dilations: 1 }),
    toSecond: (node) => {
      const filterShape = inputOf(node, "filter").shape;
      return (adjoint, dy) =>
        runKernel(toFilter, { x: adjoint, dy }, { ...convolutionAttributes(node), filterShape });
    },
    refuses: dilated,
  };
}

const conv2d = convolution("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter");
const depthwise = convolution(
  "DepthwiseConv2dNative",
  "DepthwiseConv2dNativeBackpropInput",
  "DepthwiseConv2dNativeBackpropFilter",
);

/**
 * (x − mean)/√(variance + ε)·scale + offset: batch normalization with its moving statistics, and layer normalization,
 * whose statistics depend on x.
 */
const batchNorm: KernelRule = oneOutput({
  forward(node, x, y) {
    const tangent = plus(times(normalized(node, x), scaleOf(x)).tangent, x.offset?.tangent ?? null);
    return tangent === null ? null : tf.broadcastTo(tangent, y.shape as [number]);
  },
  backward(node, x, _, dy) {
    const toShape = (name: string, adjoint: Dual) =>
      linear(adjoint, (tensor) => sumToShape(tensor, inputOf(node, name).shape));
    const toNormal = () => times(dy, scaleOf(x));
    const toInput = () => times(toNormal(), deviation(node, x));
    return {
      x: () => toShape("x", toInput()),
      mean: () =>
        toShape(
          "mean",
          linear(toInput(), (tensor) => tf.neg(tensor)),
        ),
      variance() {
        const own = deviation(node, x);
        const product = times(times(toNormal(), normalized(node, x)), times(own, own));
        return toShape(
          "variance",
          linear(product, (tensor) => tf.mul(tensor, -0.5)),
        );
      },
      scale: () => toShape("scale", times(dy, normalized(node, x))),
      offset: () => toShape("offset", dy),
    };
  },
});

/** 1/√(variance + ε). */
function deviation(node: KernelNode, { variance }: DualInputs): Dual {
  const epsilon = (node.attributes.varianceEpsilon as number | undefined) ?? 0.001;
  const value = node.memo("deviation", () => tf.rsqrt(tf.add(inputOf(node, "variance"), epsilon)));
  const slope = () => node.memo("slope", () => tf.mul(tf.mul(tf.square(value), value), -0.5));
  return new Dual(value, linear(variance as Dual, (tangent) => tf.mul(tangent, slope())).tangent);
}

/** The input without its mean, over its deviation. */
function normalized(node: KernelNode, x: DualInputs): Dual {
  const { value, tangent } = deviation(node, x);
  const centered = minus(x.x as Dual, x.mean as Dual);
  const normal = node.memo("normal", () => tf.mul(centered.value, value));
  const moved = times(centered, new Dual(value, tangent)).tangent;
  return new Dual(normal, moved);
}

function scaleOf({ scale }: DualInputs): Dual {
  return scale ?? new Dual(() => tf.scalar(1), null);
}

/** Products: of matrices, of an image and a filter, of a normalized image and its scale. */
export const PRODUCT_RULES: Readonly<Record<string, KernelRule>> = {
  BatchMatMul: productRule(matMul),
  _FusedMatMul: productRule(matMul),
  Conv2D: productRule(conv2d),
  FusedConv2D: productRule(conv2d),
  DepthwiseConv2dNative: productRule(depthwise),
  FusedDepthwiseConv2D: productRule(depthwise),
  Conv2DBackpropInput: productRule(
    transposedConvolution("Conv2DBackpropInput", "Conv2D", "Conv2DBackpropFilter"),
  ),
  FusedBatchNorm: batchNorm,
};
