import * as tf from "@tensorflow/tfjs";
import { type Dual, linear, minus, times } from "../dual.js";
import type { KernelNode } from "../record-kernels.js";
import { inputOf, type KernelRule, linearRule, oneOutput, runKernel } from "./kernel-rule.js";

/** Attributes of a pooling kernel. */
interface PoolAttributes {
  readonly filterSize: number | readonly [number, number];
  readonly strides: number | readonly [number, number];
  readonly pad: "same" | "valid" | number | readonly (readonly [number, number])[];
}

const pair = (value: number | readonly [number, number]): readonly [number, number] =>
  typeof value === "number" ? [value, value] : value;

const averagePool: KernelRule = linearRule(
  "x",
  (node, x) => runKernel("AvgPool", { x }, node.attributes),
  (node, dy) => runKernel("AvgPoolGrad", { dy, input: inputOf(node, "x") }, node.attributes),
);

/** Windows of a pool as strided pieces of the padded image: one piece for each place in the window. */
interface Windows {
  /** Images before and after the padding: height and width. */
  readonly image: readonly [number, number];
  readonly padded: readonly [number, number];
  readonly before: readonly [number, number];
  readonly result: readonly [number, number];
  readonly size: readonly [number, number];
  readonly strides: readonly [number, number];
}

function windowsOf(node: KernelNode): Windows {
  const { filterSize, strides, pad } = node.attributes as unknown as PoolAttributes;
  const [, height, width] = inputOf(node, "x").shape as [number, number, number];
  const [, down, across] = (node.outputs[0] as tf.Tensor).shape as [number, number, number];
  const size = pair(filterSize);
  const steps = pair(strides);
  const reach = (axis: 0 | 1, result: number) => (result - 1) * steps[axis] + size[axis];
  const image = [height, width] as const;
  const result = [down, across] as const;
  const beforeOf = (axis: 0 | 1): number => {
    if (pad === "valid") return 0;
    if (typeof pad === "number") return pad;
    if (pad === "same") return Math.floor(Math.max(0, reach(axis, result[axis]) - image[axis]) / 2);
    return pad[axis + 1]?.[0] ?? 0;
  };
  const before = [beforeOf(0), beforeOf(1)] as const;
  // Room for whole steps: pieces are cut and put back by reshaping.
  const roomOf = (axis: 0 | 1) =>
    Math.max(before[axis] + image[axis], (result[axis] + Math.ceil(size[axis] / steps[axis])) * steps[axis]);
  return { image, padded: [roomOf(0), roomOf(1)], before, result, size, strides: steps };
}

function eachPlace({ size: [height, width] }: Windows): [number, number][] {
  return Array.from({ length: height * width }, (_, i) => [Math.floor(i / width), i % width]);
}

function padded(x: tf.Tensor, windows: Windows, value = 0): tf.Tensor {
  const { image, before, padded: room } = windows;
  const around = (axis: 0 | 1): [number, number] => [
    before[axis],
    room[axis] - before[axis] - image[axis],
  ];
  return tf.pad(x, [[0, 0], around(0), around(1), [0, 0]], value);
}

/** The numbers at one place of all windows: (samples, result, channels). */
function piece(image: tf.Tensor, windows: Windows, [i, j]: readonly [number, number]): tf.Tensor {
  const { strides, result } = windows;
  const [samples, , , channels] = image.shape as [number, number, number, number];
  const span = [result[0] * strides[0], result[1] * strides[1]] as const;
  const cut = tf.slice(image, [0, i, j, 0], [samples, span[0], span[1], channels]);
  if (strides[0] === 1 && strides[1] === 1) return cut;
  const split = tf.reshape(cut, [samples, result[0], strides[0], result[1], strides[1] * channels]);
  const first = tf.slice(split, [0, 0, 0, 0, 0], [samples, result[0], 1, result[1], channels]);
  return tf.reshape(first, [samples, result[0], result[1], channels]);
}

/** Puts the numbers at one place of all windows back into a padded image: the transpose of `piece`. */
function unpiece(numbers: tf.Tensor, windows: Windows, [i, j]: readonly [number, number]): tf.Tensor {
  const { strides, result, padded: room } = windows;
  const [samples, , , channels] = numbers.shape as [number, number, number, number];
  const span = [result[0] * strides[0], result[1] * strides[1]] as const;
  let spread = numbers;
  if (strides[0] !== 1 || strides[1] !== 1) {
    const split = tf.reshape(numbers, [samples, result[0], 1, result[1], channels]);
    const wide = tf.pad(split, [
      [0, 0],
      [0, 0],
      [0, strides[0] - 1],
      [0, 0],
      [0, (strides[1] - 1) * channels],
    ]);
    spread = tf.reshape(wide, [samples, span[0], span[1], channels]);
  }
  return tf.pad(spread, [[0, 0], [i, room[0] - i - span[0]], [j, room[1] - j - span[1]], [0, 0]]);
}

/** For each place in the window, 1 where it is the first that reaches the window's maximum. */
function firstMaxima(node: KernelNode, windows: Windows): tf.Tensor[] {
  const image = node.memo("padded", () => padded(inputOf(node, "x"), windows, -3.4e38));
  const masks: tf.Tensor[] = [];
  for (const place of eachPlace(windows)) {
    const mask = node.memo(`mask ${place}`, () => {
      const reaches = tf.equal(piece(image, windows, place), node.outputs[0] as tf.Tensor);
      const numbers = tf.cast(reaches, "float32");
      return masks.length === 0 ? numbers : tf.mul(numbers, tf.sub(1, tf.addN(masks)));
    });
    masks.push(mask);
  }
  return masks;
}

/** Windows that touch but do not overlap have kernels of their own for both directions. */
function isDisjoint(node: KernelNode): boolean {
  const { filterSize, strides, pad } = node.attributes as unknown as PoolAttributes;
  return pad === "valid" && String(pair(filterSize)) === String(pair(strides));
}

function maxPoolGradient(node: KernelNode, dy: tf.Tensor): tf.Tensor {
  const [input, output] = [inputOf(node, "x"), node.outputs[0] as tf.Tensor];
  return runKernel("MaxPoolGrad", { dy, input, output }, node.attributes);
}

/** The maximum of each window, as a choice of numbers that is the same in both directions. */
const maxPool: KernelRule = linearRule(
  "x",
  (node, x) => {
    const windows = windowsOf(node);
    if (isDisjoint(node)) {
      const mask = node.memo("mask", () => maxPoolGradient(node, tf.onesLike(node.outputs[0] as tf.Tensor)));
      const [height, width] = windows.size;
      return tf.mul(runKernel("AvgPool", { x: tf.mul(x, mask) }, node.attributes), height * width);
    }
    const image = padded(x, windows);
    const masks = firstMaxima(node, windows);
    return tf.addN(
      eachPlace(windows).map((place, i) => tf.mul(piece(image, windows, place), masks[i] as tf.Tensor)),
    );
  },
  (node, dy) => {
    if (isDisjoint(node)) return maxPoolGradient(node, dy);
    const windows = windowsOf(node);
    const masks = firstMaxima(node, windows);
    const whole = tf.addN(
      eachPlace(windows).map((place, i) => unpiece(tf.mul(dy, masks[i] as tf.Tensor), windows, place)),
    );
    const [samples, , , channels] = whole.shape as [number, number, number, number];
    const { before, image } = windows;
    return tf.slice(whole, [0, before[0], before[1], 0], [samples, image[0], image[1], channels]);
  },
  (node) => (inputOf(node, "x").rank === 4 ? null : "an input that is no batch of images"),
);

/** Σ over the last axis, which stays with length 1. */
const rowSum = (x: Dual): Dual => linear(x, (tensor) => tf.sum(tensor, -1, true));

/** y = softmax(x): ẏ = y ⊙ (ẋ − Σ y ẋ), which is its own transpose. */
const softmax: KernelRule = oneOutput({
  forward: (_, { logits }, y) =>
    linear(logits as Dual, (t) => tf.mul(y, tf.sub(t, tf.sum(tf.mul(y, t), -1, true)))).tangent,
  backward: (_, __, y, dy) => ({ logits: () => times(y, minus(dy, rowSum(times(y, dy)))) }),
});

/** Pools, and the softmax. */
export const POOL_RULES: Readonly<Record<string, KernelRule>> = {
  AvgPool: averagePool,
  MaxPool: maxPool,
  Softmax: softmax,
};
