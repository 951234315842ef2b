import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, it } from "vitest";
import { awaitedBackend, waitForOperations, wakeBackend } from "../../src/backend/waiting-backend.js";

const IDENTITY = {
  name: "native" as const,
  package: "@tensorflow/tfjs-node",
  version: "0",
  library: "",
  addon: { file: "", size: 0, time: 0 },
};

/** Plain JavaScript stands for the backend that is put off. */
let starts = 0;
const wait = (start = (): void => void tf.setBackend("cpu")): void => {
  starts = 0;
  waitForOperations(IDENTITY, () => {
    starts++;
    start();
  });
};

beforeAll(() => {
  (tf.findBackend("cpu") as unknown as { firstUse: boolean }).firstUse = false;
});

it("keeps tensors and moves their numbers without starting anything", async () => {
  wait();
  const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
  const classes = tf.tidy(() => tf.oneHot(tf.tensor1d([2, 0], "int32"), 3).toFloat());
  const part = tf.concat([x.slice([1, 0], [2, 2]).reshape([4]), x.clone().flatten()]);
  expect(Array.from(await part.data())).toEqual([3, 4, 5, 6, 1, 2, 3, 4, 5, 6]);
  expect(Array.from(classes.dataSync())).toEqual([0, 0, 1, 1, 0, 0]);
  expect(classes.dtype).toBe("float32");
  expect([starts, awaitedBackend()]).toEqual([0, IDENTITY]);
  wakeBackend();
  expect([starts, awaitedBackend(), tf.getBackend()]).toEqual([1, null, "cpu"]);
  // Its numbers are with the backend that has started; clones share them still.
  const copy = x.clone();
  x.dispose();
  expect(Array.from(copy.add(1).dataSync())).toEqual([2, 3, 4, 5, 6, 7]);
  tf.dispose([copy, classes, part]);
});

it("starts the backend at the first operation that computes, once", () => {
  wait();
  const weight = tf.variable(tf.tensor1d([1, 2]));
  const other = weight.clone();
  expect(starts).toBe(0);
  expect(Array.from(weight.mul(3).dataSync())).toEqual([3, 6]);
  const { value, grads } = tf.variableGrads(() => weight.square().sum() as tf.Scalar);
  expect([value.dataSync()[0], ...Object.values(grads).flatMap((g) => Array.from(g.dataSync()))]).toEqual([
    5, 2, 4,
  ]);
  weight.dispose();
  expect(Array.from(other.dataSync())).toEqual([1, 2]);
  expect([starts, tf.getBackend()]).toEqual([1, "cpu"]);
  tf.dispose([other, value, grads]);
});

it("leaves the making of whole numbers out of fractions to the backend", () => {
  wait();
  const whole = tf.tensor1d([1.5]).toInt();
  expect([starts, whole.dataSync()[0]]).toEqual([1, 1]);
  whole.dispose();
});

it("throws what the start throws, and goes on waiting", () => {
  let isBroken = true;
  wait(() => {
    if (isBroken) throw new Error("no addon");
    void tf.setBackend("cpu");
  });
  const x = tf.tensor1d([1]);
  expect(() => x.add(1)).toThrow("no addon");
  expect(() => wakeBackend()).toThrow("no addon");
  expect(awaitedBackend()).toEqual(IDENTITY);
  isBroken = false;
  expect(x.add(1).dataSync()[0]).toBe(2);
  tf.disposeVariables();
});
