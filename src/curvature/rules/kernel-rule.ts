import * as tf from "@tensorflow/tfjs";
import type { KernelNode } from "../../backend/record-kernels.js";
import { defined } from "../../base/json.js";
import { type Dual, linear } from "../dual.js";

/** Inputs of a kernel by name. */
export type DualInputs = Readonly<Record<string, Dual>>;

/** The derivatives of one kernel, exact to second order. */
export interface KernelRule {
  /** Says why this call has no derivative here; null where it has. Default never. */
  refuses?(node: KernelNode, active: ReadonlySet<string>): string | null;
  /** Tangents of the outputs from those of the inputs. */
  forward(node: KernelNode, x: DualInputs, y: readonly tf.Tensor[]): readonly (tf.Tensor | null)[];
  /**
   * Adjoints of the inputs from those of the outputs, each computed only if it is wanted.
   * Written in dual numbers, so that its tangent is the second derivative.
   */
  backward(
    node: KernelNode,
    x: DualInputs,
    y: readonly Dual[],
    dy: readonly (Dual | null)[],
  ): Readonly<Record<string, () => Dual>>;
}

/** A rule for a kernel with one output. */
export function oneOutput(rule: {
  refuses?: NonNullable<KernelRule["refuses"]>;
  forward: (node: KernelNode, x: DualInputs, y: tf.Tensor) => tf.Tensor | null;
  backward: (node: KernelNode, x: DualInputs, y: Dual, dy: Dual) => Readonly<Record<string, () => Dual>>;
}): KernelRule {
  return {
    ...defined({ refuses: rule.refuses }),
    forward: (node, x, [y]) => [rule.forward(node, x, y as tf.Tensor)],
    backward: (node, x, [y], [dy]) => rule.backward(node, x, y as Dual, dy as Dual),
  };
}

/** A rule for a kernel that is linear in one input and has one output. */
export function linearRule(
  input: string,
  apply: (node: KernelNode, x: tf.Tensor) => tf.Tensor,
  transpose: (node: KernelNode, dy: tf.Tensor) => tf.Tensor,
  refuses?: KernelRule["refuses"],
): KernelRule {
  return oneOutput({
    ...defined({ refuses }),
    forward: (node, x) => linear(x[input] as Dual, (tensor) => apply(node, tensor)).tangent,
    backward: (node, _, __, dy) => ({ [input]: () => linear(dy, (tensor) => transpose(node, tensor)) }),
  });
}

/** Runs a kernel on the active backend. */
export function runKernel(
  kernel: string,
  inputs: Readonly<Record<string, tf.Tensor>> | readonly tf.Tensor[],
  attributes: Readonly<Record<string, unknown>> = {},
): tf.Tensor {
  return tf
    .engine()
    .runKernel(kernel, inputs as unknown as tf.NamedTensorMap, attributes as unknown as tf.NamedAttrMap);
}

/** Returns the input tensor of that name. */
export function inputOf(node: KernelNode, name: string): tf.Tensor {
  return node.inputs.find((input) => input.name === name)?.tensor as tf.Tensor;
}

/** Sums a tensor over the axes along which a smaller one was stretched to its shape. */
export function sumToShape(tensor: tf.Tensor, shape: readonly number[]): tf.Tensor {
  if (sameShape(tensor.shape, shape)) return tensor;
  const extra = tensor.rank - shape.length;
  const axes = tensor.shape.flatMap((length, axis) =>
    axis < extra || (shape[axis - extra] === 1 && length !== 1) ? [axis] : [],
  );
  const summed = axes.length === 0 ? tensor : tf.sum(tensor, axes);
  return tf.reshape(summed, [...shape]);
}

/** Stretches a tensor to a shape, as an operation on two tensors does. */
export function stretch(tensor: tf.Tensor, shape: readonly number[]): tf.Tensor {
  return sameShape(tensor.shape, shape) ? tensor : tf.broadcastTo(tensor, [...shape] as [number]);
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/** Says that TensorFlow.js's plain JavaScript backend has a gradient wrong (version 4.22); null on other backends. */
export function wrongInJavaScript(kernel: string): string | null {
  return tf.getBackend() === "cpu" ? `${kernel}, which the plain JavaScript backend has wrong` : null;
}
