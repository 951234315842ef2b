import * as tf from "@tensorflow/tfjs";
import type { KernelNode } from "../../backend/record-kernels.js";
import { Dual, linear } from "../dual.js";
import {
  inputOf,
  type KernelRule,
  linearRule,
  oneOutput,
  runKernel,
  wrongInJavaScript,
} from "./kernel-rule.js";

const shapeOf = (node: KernelNode, name = "x"): number[] => [...inputOf(node, name).shape];

/** The kernel itself, with another tensor as its input. */
const again =
  (input: string) =>
  (node: KernelNode, tensor: tf.Tensor): tf.Tensor =>
    runKernel(node.kernel, { [input]: tensor }, node.attributes);

const reshaped = (input: string): KernelRule =>
  linearRule(
    input,
    (node, x) => tf.reshape(x, (node.outputs[0] as tf.Tensor).shape),
    (node, dy) => tf.reshape(dy, shapeOf(node, input)),
  );

/** Axes as numbers from 0 on. */
function axesOf(axis: unknown, rank: number): number[] {
  if (axis === undefined || axis === null) return Array.from({ length: rank }, (_, i) => i);
  return [axis].flat(2).map((one) => ((one as number) < 0 ? (one as number) + rank : (one as number)));
}

/** The adjoint of a sum along axes: each number goes back to all that it was summed from. */
function spread(node: KernelNode, dy: tf.Tensor, axis: unknown): tf.Tensor {
  const shape = shapeOf(node);
  const axes = axesOf(axis, shape.length);
  const kept = shape.map((length, i) => (axes.includes(i) ? 1 : length));
  return tf.broadcastTo(tf.reshape(dy, kept), shape as [number]);
}

const countOf = (node: KernelNode): number =>
  inputOf(node, "x").size / Math.max(1, (node.outputs[0] as tf.Tensor).size);

/** The inputs of a list in order, zeros where a tangent is null; null where all are. */
function listTangents(node: KernelNode, x: Readonly<Record<string, Dual>>): tf.Tensor[] | null {
  const tangents = node.inputs.map(({ name, tensor }) => ({ tangent: x[name]?.tangent ?? null, tensor }));
  if (tangents.every(({ tangent }) => tangent === null)) return null;
  return tangents.map(({ tangent, tensor }) => tangent ?? tf.zeros(tensor.shape));
}

const concat: KernelRule = oneOutput({
  forward(node, x) {
    const tangents = listTangents(node, x);
    return tangents === null ? null : tf.concat(tangents, node.attributes.axis as number);
  },
  backward(node, _, __, dy) {
    const [axis] = axesOf(node.attributes.axis, (node.outputs[0] as tf.Tensor).rank) as [number];
    let start = 0;
    return Object.fromEntries(
      node.inputs.map(({ name, tensor }) => {
        const begin = tensor.shape.map((_, i) => (i === axis ? start : 0));
        start += tensor.shape[axis] as number;
        return [name, () => linear(dy, (d) => tf.slice(d, begin, tensor.shape))];
      }),
    );
  },
});

const pack: KernelRule = oneOutput({
  forward(node, x) {
    const tangents = listTangents(node, x);
    return tangents === null ? null : tf.stack(tangents, node.attributes.axis as number);
  },
  backward(node, _, __, dy) {
    const [axis] = axesOf(node.attributes.axis, (node.outputs[0] as tf.Tensor).rank) as [number];
    return Object.fromEntries(
      node.inputs.map(({ name, tensor }, place) => [
        name,
        () =>
          linear(dy, (d) => {
            const begin = d.shape.map((_, i) => (i === axis ? place : 0));
            const size = d.shape.map((length, i) => (i === axis ? 1 : length));
            return tf.reshape(tf.slice(d, begin, size), tensor.shape);
          }),
      ]),
    );
  },
});

/** A rule for a kernel with one input that cuts it into several outputs. */
function cutRule(input: string, join: (node: KernelNode, parts: tf.Tensor[]) => tf.Tensor): KernelRule {
  return {
    forward(node, x) {
      const { tangent } = x[input] as Dual;
      if (tangent === null) return node.outputs.map(() => null);
      return tf
        .engine()
        .runKernel(
          node.kernel,
          { [input]: tangent },
          node.attributes as unknown as tf.NamedAttrMap,
        ) as tf.Tensor[];
    },
    backward: (node, _, __, dy) => ({
      [input]() {
        const zeros = (i: number) => tf.zeros((node.outputs[i] as tf.Tensor).shape);
        const value = () =>
          join(
            node,
            dy.map((one, i) => one?.value ?? zeros(i)),
          );
        const isConstant = dy.every((one) => one === null || one.tangent === null);
        return new Dual(
          value,
          isConstant
            ? null
            : join(
                node,
                dy.map((one, i) => one?.tangent ?? zeros(i)),
              ),
        );
      },
    }),
  };
}

function inversePermutation(perm: readonly number[]): number[] {
  const inverse: number[] = [];
  perm.forEach((from, to) => {
    inverse[from] = to;
  });
  return inverse;
}

/** Zeros around what was cut out. */
function unsliced(node: KernelNode, dy: tf.Tensor): tf.Tensor {
  const shape = shapeOf(node);
  const begin = node.attributes.begin as readonly number[];
  const paddings = shape.map((length, i): [number, number] => {
    const start = begin[i] ?? 0;
    return [start, length - start - (dy.shape[i] as number)];
  });
  return tf.pad(dy, paddings);
}

/** Sums the copies of a tensor that `tile` has made. */
function untiled(node: KernelNode, dy: tf.Tensor): tf.Tensor {
  const shape = shapeOf(node);
  const reps = node.attributes.reps as readonly number[];
  const split = shape.flatMap((length, i) => [reps[i] ?? 1, length]);
  return tf.reshape(
    tf.sum(
      tf.reshape(dy, split),
      shape.map((_, i) => 2 * i),
    ),
    shape,
  );
}

const gather: KernelRule = linearRule(
  "x",
  (node, x) => {
    const { axis, batchDims } = node.attributes as { axis: number; batchDims?: number };
    return runKernel("GatherV2", { x, indices: inputOf(node, "indices") }, { axis, batchDims });
  },
  (node, dy) => {
    const shape = shapeOf(node);
    const indices = inputOf(node, "indices");
    const [axis] = axesOf(node.attributes.axis, shape.length) as [number];
    // Along the first axis, the rows are summed by index.
    const outer = shape.slice(0, axis);
    const inner = shape.slice(axis + 1);
    const size = (lengths: readonly number[]) => lengths.reduce((product, length) => product * length, 1);
    const flat = tf.reshape(dy, [size(outer), indices.size, size(inner)]);
    const rows = tf.transpose(flat, [1, 0, 2]);
    const summed = tf.unsortedSegmentSum(
      rows,
      tf.reshape(indices, [indices.size]) as tf.Tensor1D,
      shape[axis] as number,
    );
    return tf.reshape(tf.transpose(summed, [1, 0, 2]), shape);
  },
  ({ attributes }) => ((attributes.batchDims as number | undefined) ? "batch dimensions" : null),
);

const resize = (gradient: string): KernelRule =>
  linearRule(
    "images",
    again("images"),
    (node, dy) => runKernel(gradient, { images: inputOf(node, "images"), dy }, node.attributes),
    () => wrongInJavaScript(gradient),
  );

/** The largest or smallest along axes; numbers that share the extreme share its derivative. */
function extremeRule(): KernelRule {
  // Max and Min name it differently.
  const axisOf = ({ attributes: { reductionIndices, axis } }: KernelNode) => reductionIndices ?? axis;
  const chosen = (node: KernelNode): tf.Tensor =>
    node.memo("chosen", () => {
      const axis = axisOf(node);
      const extreme = spread(node, node.outputs[0] as tf.Tensor, axis);
      const marks = tf.cast(tf.equal(inputOf(node, "x"), extreme), "float32");
      return tf.div(marks, tf.sum(marks, axesOf(axis, marks.rank), true));
    });
  return linearRule(
    "x",
    (node, x) => {
      const axes = axesOf(axisOf(node), x.rank);
      return tf.reshape(tf.sum(tf.mul(x, chosen(node)), axes), (node.outputs[0] as tf.Tensor).shape);
    },
    (node, dy) => tf.mul(spread(node, dy, axisOf(node)), chosen(node)),
  );
}

/** Kernels that move, copy, add up or choose numbers. */
export const SHAPE_RULES: Readonly<Record<string, KernelRule>> = {
  Identity: reshaped("x"),
  Reshape: reshaped("x"),
  ExpandDims: reshaped("input"),
  Cast: reshaped("x"),
  Transpose: linearRule("x", again("x"), (node, dy) =>
    tf.transpose(dy, inversePermutation(node.attributes.perm as number[])),
  ),
  Reverse: linearRule("x", again("x"), again("x")),
  Sum: linearRule("x", again("x"), (node, dy) => spread(node, dy, node.attributes.axis)),
  Mean: linearRule("x", again("x"), (node, dy) =>
    tf.div(spread(node, dy, node.attributes.axis), countOf(node)),
  ),
  Max: extremeRule(),
  Min: extremeRule(),
  Tile: linearRule("x", again("x"), untiled),
  PadV2: linearRule(
    "x",
    (node, x) => tf.pad(x, node.attributes.paddings as [number, number][]),
    (node, dy) => {
      const paddings = node.attributes.paddings as readonly (readonly [number, number])[];
      return tf.slice(
        dy,
        paddings.map(([before]) => before),
        shapeOf(node),
      );
    },
  ),
  Slice: linearRule("x", again("x"), unsliced),
  Concat: concat,
  Pack: pack,
  SplitV: cutRule("x", (node, parts) => tf.concat(parts, node.attributes.axis as number)),
  Unpack: cutRule("value", (node, parts) => tf.stack(parts, node.attributes.axis as number)),
  GatherV2: gather,
  ResizeNearestNeighbor: resize("ResizeNearestNeighborGrad"),
  ResizeBilinear: resize("ResizeBilinearGrad"),
};
