import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { addWeightDecay } from "../../src/training/jump-trainer.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(() => useTestBackend());

test("a weight on which the loss does not depend is left as it is, without decay", () => {
  const variables = [tf.variable(tf.tensor1d([2, -4])), tf.variable(tf.tensor1d([3]))] as const;
  const [used, unused] = variables;
  const optimizer = tf.train.sgd(0.5);
  addWeightDecay(optimizer, variables, 0.2);
  const before = tf.memory().numTensors;
  optimizer.minimize(() => used.sum().asScalar(), false, [...variables]);
  expect(tf.memory().numTensors).toBe(before);
  // w - rate·(1 + decay·w)
  for (const [i, expected] of [1.3, -4.1].entries()) expect(used.dataSync()[i]).toBeCloseTo(expected, 6);
  expect(Array.from(unused.dataSync())).toEqual([3]);
  tf.dispose([...variables]);
  optimizer.dispose();
});
