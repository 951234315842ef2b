import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/index.js";
import { learningRateScheduler } from "../../callbacks/learning-rate-scheduler.js";
import { createModularAddition } from "../../examples/data/modular-addition.js";
import { createTransformer } from "../../examples/models/transformer.js";
import {
  AdamW,
  cosineSchedule,
  nesterov,
  paperSchedule,
  warmUpSchedule,
  withSeed,
} from "../../examples/training/recipe.js";
import { openRun } from "../../src/index.js";
import { useTestBackend } from "../support/backend.js";

const folder = mkdtempSync(join(tmpdir(), "landscape-recipe-"));
beforeAll(async () => {
  await useTestBackend();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The rate of each epoch, as a training of so many epochs sets it. */
async function ratesOf(
  schedule: Parameters<typeof learningRateScheduler>[0],
  epochs: number,
): Promise<number[]> {
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [1] })] });
  const optimizer = tf.train.sgd(9);
  model.compile({ optimizer, loss: "meanSquaredError" });
  const rates: number[] = [];
  const callbacks = [
    learningRateScheduler(schedule),
    new tf.CustomCallback({
      onEpochEnd: async () => {
        rates.push((optimizer as unknown as { learningRate: number }).learningRate);
      },
    }),
  ];
  await model.fit(tf.zeros([1, 1]), tf.zeros([1, 1]), { epochs, verbose: 0, callbacks });
  return rates;
}

test("the papers' schedules: drops at 50, 75 and 91.7 %, a cosine, and one after a warm-up", async () => {
  const steps = await ratesOf(paperSchedule(12, 0.1), 12);
  expect(steps.map((rate) => Number(rate.toPrecision(6)))).toEqual([
    ...Array(6).fill(0.1),
    ...Array(3).fill(0.01),
    ...Array(2).fill(0.001),
    0.0001,
  ]);
  expect((await ratesOf(cosineSchedule(4, 1), 4)).map((rate) => Number(rate.toFixed(4)))).toEqual([
    1, 0.8536, 0.5, 0.1464,
  ]);
  const warm = await ratesOf(warmUpSchedule(6, 1, 2), 6);
  expect(warm.map((rate) => Number(rate.toFixed(4)))).toEqual([0.3333, 0.6667, 1, 0.8536, 0.5, 0.1464]);
  expect(() => warmUpSchedule(6, 1, 6)).toThrow("over: expected 1 to 5 epochs, got 6");
});

test("AdamW: Adam's step, and kernels lose rate · decay of what they were", () => {
  const step = (optimizer: tf.Optimizer) => {
    const [kernel, bias] = [tf.variable(tf.tensor2d([[2, -4]])), tf.variable(tf.tensor1d([3]))];
    optimizer.minimize(
      () =>
        kernel
          .mul(tf.tensor2d([[1, 5]]))
          .sum()
          .add(bias.sum()) as tf.Scalar,
    );
    return [...kernel.dataSync(), ...bias.dataSync()];
  };
  const plain = step(tf.train.adam(0.1));
  const decayed = step(new AdamW(0.1, 0.5));
  expect(decayed[0]).toBeCloseTo((plain[0] as number) - 0.1 * 0.5 * 2, 5);
  expect(decayed[1]).toBeCloseTo((plain[1] as number) + 0.1 * 0.5 * 4, 5);
  expect(decayed[2]).toBe(plain[2]);
  expect(() => new AdamW(0.1, -1)).toThrow("weightDecay: expected 0 or more, got -1");
});

test("one seed decides a training, order, dropout and unseeded weights too: the same snapshots twice", async () => {
  const { train } = createModularAddition({ modulus: 5 });
  const original = Math.random;
  const snapshots = async (name: string, seed: number) => {
    const directory = join(folder, name);
    await withSeed(seed, async () => {
      const encoder = createTransformer({ modulus: 5, width: 4, heads: 1 });
      const model = tf.sequential({
        layers: [encoder, tf.layers.dropout({ rate: 0.3 }), tf.layers.dense({ units: 5 })],
      });
      model.compile({ optimizer: nesterov(0.05), loss: "meanSquaredError" });
      await model.fit(train.xs, train.ys, {
        epochs: 2,
        batchSize: 4,
        verbose: 0,
        callbacks: [trajectoryCallback({ directory })],
      });
    });
    const run = await openRun(directory);
    return Promise.all(run.snapshots.map(async (_, step) => Array.from(await run.readTheta(step))));
  };
  const first = await snapshots("a", 7);
  expect(first.length).toBe(3);
  expect(await snapshots("b", 7)).toEqual(first);
  expect(await snapshots("c", 8)).not.toEqual(first);
  expect(Math.random).toBe(original);
  await expect(withSeed(1, () => Promise.reject(new Error("stopped")))).rejects.toThrow("stopped");
  expect(Math.random).toBe(original);
});
