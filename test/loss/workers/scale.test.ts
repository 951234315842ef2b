import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { createLossEvaluator } from "../../../src/loss/create-loss-evaluator.js";
import type { LossEvaluator } from "../../../src/loss/loss-evaluator.js";
import { settleWorkerCount } from "../../../src/loss/workers/create-worker-evaluator.js";
import { readWeights } from "../../../src/model/bound-weights.js";
import { layoutOfModel } from "../../../src/model/layout-of-model.js";
import { evaluateLine, evaluateSurface } from "../../../src/surface/evaluate-surface.js";
import { bitsOf } from "../../store/sample-run.js";
import { useTestBackend } from "../../support/backend.js";
import { tinyData, tinyModel } from "../../support/tiny-training.js";

beforeAll(() => useTestBackend());

const axis = (points: number) =>
  Float64Array.from({ length: points }, (_, i) => (i - (points >> 1)) / points);

async function planeOf(model: tf.LayersModel, count: number) {
  const center = await readWeights(model, layoutOfModel(model));
  const vectors = Array.from({ length: count }, (_, k) =>
    Float32Array.from(center, (_value, i) => Math.sin((k + 1) * (i % 997)) / 10),
  );
  return { center, vectors };
}

test("tensors do not grow over a 51 × 51 surface, and none is left behind", async () => {
  const model = tinyModel();
  const data = tinyData();
  const plane = await planeOf(model, 2);
  const before = tf.memory().numTensors;
  const evaluator = await createLossEvaluator(model, data, { engine: "tfjs" });
  const counts: number[] = [];
  const onProgress = () => counts.push(tf.memory().numTensors);
  await evaluateSurface(evaluator, plane, { alpha: axis(51), beta: axis(51) }, { onProgress });
  expect(counts.length).toBe(2601);
  expect(new Set(counts).size).toBe(1);
  evaluator.dispose();
  expect(tf.memory().numTensors).toBe(before);
  tf.dispose(data);
  model.dispose();
});

test("ten million parameters, in worker processes as in this one", async () => {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 3200, inputShape: [3120], activation: "relu", kernelInitializer: "zeros" }),
      tf.layers.dense({ units: 1, kernelInitializer: "ones" }),
    ],
  });
  model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
  const plane = await planeOf(model, 1);
  expect(plane.center.length).toBeGreaterThan(9.9e6);
  const data = { xs: tf.randomUniform([4, 3120], 0, 1, "float32", 3), ys: tf.ones([4, 1]) };
  const options = { engine: "tfjs", threads: 1 } as const;
  const own = await createLossEvaluator(model, data, options);
  const pool = await createLossEvaluator(model, data, { ...options, workers: 1 });
  try {
    const alpha = Float64Array.of(-0.5, 0, 0.25, 1);
    const expected = await evaluateLine(own, plane, alpha);
    const found = await evaluateLine(pool, plane, alpha);
    expect(expected.loss.every(Number.isFinite)).toBe(true);
    for (const [i, loss] of found.loss.entries()) {
      expect(Math.abs(loss / (expected.loss[i] as number) - 1)).toBeLessThan(1e-5);
    }
  } finally {
    own.dispose();
    pool.dispose();
    tf.dispose(data);
    model.dispose();
  }
}, 120_000);

test("a data set larger than what may be kept is streamed at each point, in worker processes too", async () => {
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [256] })] });
  model.compile({ optimizer: "sgd", loss: "meanSquaredError", metrics: ["mse"] });
  const [batches, samples] = [30, 64];
  const batchBytes = samples * 258 * 4;
  let largest = 0;
  let passes = 0;
  const data = tf.data.generator(function* () {
    passes++;
    for (let k = 0; k < batches; k++) {
      largest = Math.max(largest, tf.memory().numBytes);
      yield {
        xs: tf.randomNormal([samples, 256], 0, 1, "float32", k + 1),
        ys: tf.randomNormal([samples, 2], 0, 1, "float32", k + 100),
      };
    }
  });
  const plane = await planeOf(model, 1);
  const options = { cacheBytes: 3 * batchBytes, engine: "tfjs" } as const;
  const begin = tf.memory().numBytes;
  const own = await createLossEvaluator(model, data, options);
  const pool = await createLossEvaluator(model, data, { ...options, workers: 2 });
  const evaluators: LossEvaluator[] = [own, pool];
  try {
    largest = 0;
    const before = passes;
    const [expected, found] = await Promise.all(
      evaluators.map((evaluator) => evaluateLine(evaluator, plane, axis(5))),
    );
    // The first point takes a pass more: one that looks for numbers that are not finite.
    expect(passes - before).toBe(5 + 1);
    expect(largest - begin).toBeLessThan(4 * batchBytes);
    expect(bitsOf(found?.loss as Float64Array)).toBe(bitsOf(expected?.loss as Float64Array));
    expect(pool.facts).toMatchObject({ samples: batches * samples, dataDigest: own.facts.dataDigest });
  } finally {
    for (const evaluator of evaluators) evaluator.dispose();
    model.dispose();
  }
}, 120_000);

test("auto: a worker for each processor, as far as memory goes; a number has one thread in each", () => {
  const needs = { dataBytes: 2 ** 30, parameterCount: 1e6 };
  const machine = { processors: 8, freeBytes: 2 ** 34 };
  expect(settleWorkerCount("auto", undefined, { ...needs, dataBytes: 0 }, machine)).toEqual({
    workers: 8,
    threads: 1,
  });
  expect(settleWorkerCount("auto", undefined, needs, machine)).toEqual({ workers: 3, threads: 2 });
  expect(settleWorkerCount("auto", 4, { ...needs, dataBytes: 0 }, machine)).toEqual({
    workers: 2,
    threads: 4,
  });
  expect(settleWorkerCount("auto", undefined, needs, { ...machine, freeBytes: 0 })).toEqual({
    workers: 1,
    threads: 8,
  });
  for (const count of [1, 2, 5]) {
    expect(settleWorkerCount(count, undefined, needs, machine)).toEqual({ workers: count, threads: 1 });
  }
  expect(() => settleWorkerCount("auto", 0, needs, machine)).toThrow("threads");
  expect(() => settleWorkerCount(1.5, undefined, needs, machine)).toThrow("workers");
});
