import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { InvalidDataError } from "../../src/base/errors.js";
import type { EvaluationData } from "../../src/loss/evaluation-data.js";
import type { ModelLossOptions } from "../../src/loss/loss-evaluator-options.js";
import { createModelEvaluator } from "../../src/loss/model-evaluator.js";
import { expectAllClose } from "../support/allclose.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(async () => void (await useTestBackend()));
afterEach(() => tf.disposeVariables());

const X = Array.from({ length: 11 }, (_, i) => [Math.sin(i), Math.cos(2 * i)]);
const Y = Array.from({ length: 11 }, (_, i) => [(i * 7) % 5]);
const THETA = Float32Array.of(0.5, -1.25, 0.125);

function linear(): tf.Sequential {
  const model = tf.sequential();
  model.add(tf.layers.dense({ inputShape: [2], units: 1 }));
  model.compile({ optimizer: "sgd", loss: "meanSquaredError", metrics: ["mae"] });
  return model;
}

/** The exact loss of THETA over the first samples. */
function exactLoss(samples = X.length): number {
  const errors = X.slice(0, samples).map(([a, b], i) => {
    const prediction = 0.5 * (a as number) - 1.25 * (b as number) + 0.125;
    return (prediction - (Y[i]?.[0] as number)) ** 2;
  });
  return errors.reduce((sum, value) => sum + value, 0) / samples;
}

function tensors() {
  return { xs: tf.tensor2d(X), ys: tf.tensor2d(Y) };
}

function dataset(batchSize: number, order: () => readonly number[] = () => [...X.keys()]) {
  return tf.data
    .generator(function* () {
      for (const i of order()) yield { xs: X[i] as number[], ys: Y[i] as number[] };
    })
    .batch(batchSize) as unknown as EvaluationData;
}

async function evaluate(data: EvaluationData, options: ModelLossOptions = {}) {
  const evaluator = await createModelEvaluator(linear(), data, options);
  const { loss } = await evaluator.evaluate(THETA);
  const { dataDigest, samples } = evaluator;
  evaluator.dispose();
  return { loss, dataDigest, samples };
}

describe("evaluation data", () => {
  it("tensors, data sets kept and data sets streamed give the same loss and digest", async () => {
    const held = await evaluate(tensors(), { batchSize: 4 });
    expectAllClose([held.loss], [exactLoss()], { relative: 1e-6 });
    expect(held.dataDigest).toMatch(/^[0-9a-f]{64}$/);
    for (const batchSize of [1, 4, 100]) {
      for (const cacheBytes of [2 ** 20, 0]) {
        const before = tf.memory().numTensors;
        const streamed = await evaluate(dataset(batchSize), { batchSize: 4, cacheBytes });
        expect(streamed).toEqual({ ...held, loss: streamed.loss });
        expectAllClose([streamed.loss], [held.loss], { relative: 1e-6 });
        // What is left is the model: two weights, and the optimizer's rate.
        expect(tf.memory().numTensors).toBe(before + 3);
      }
    }
  });

  it("the digest is of values, shapes and types", async () => {
    const digest = async (xs: tf.Tensor, ys: tf.Tensor) => (await evaluate({ xs, ys })).dataDigest;
    const { xs, ys } = tensors();
    const same = await digest(xs, ys);
    expect(await digest(xs.clone(), ys.clone())).toBe(same);
    expect(await digest(xs, ys.reshape([11]))).toBe(same);
    expect(await digest(xs, ys.toInt())).not.toBe(same);
    expect(await digest(xs.add(1e-6), ys)).not.toBe(same);
    expect(await digest(xs.slice(0, 10), ys.slice(0, 10))).not.toBe(same);
    expect((await evaluate(tensors(), { dataId: "test-2000" })).dataDigest).toBe("test-2000");
  });

  it("takes only the first samples when asked", async () => {
    for (const data of [tensors(), dataset(4)]) {
      const some = await evaluate(data, { sampleLimit: 6 });
      expect(some.samples).toBe(6);
      expectAllClose([some.loss], [exactLoss(6)], { relative: 1e-6 });
    }
    const cut = await evaluate(tensors(), { sampleLimit: 6 });
    expect((await evaluate(dataset(4), { sampleLimit: 6, cacheBytes: 0 })).dataDigest).toBe(cut.dataDigest);
  });

  it("refuses a pass that differs from the first", async () => {
    let pass = 0;
    const reversed = dataset(4, () => (pass++ === 0 ? [...X.keys()] : [...X.keys()].reverse()));
    const evaluator = await createModelEvaluator(linear(), reversed, { cacheBytes: 0 });
    const before = tf.memory().numTensors;
    await expect(evaluator.evaluate(THETA)).rejects.toThrow(
      /data: expected the same data at every pass .* take shuffling and random augmentation out/,
    );
    expect(tf.memory().numTensors).toBe(before);
    pass = 0;
    const shorter = dataset(4, () => (pass++ === 0 ? [...X.keys()] : [0, 1, 2]));
    const named = await createModelEvaluator(linear(), shorter, { cacheBytes: 0, dataId: "mine" });
    await expect(named.evaluate(THETA)).rejects.toThrow(InvalidDataError);
    // Kept in memory there is no second pass, and nothing to differ.
    pass = 0;
    const kept = await createModelEvaluator(
      linear(),
      dataset(4, () => (pass++ === 0 ? [0, 1] : [1, 0])),
    );
    expectAllClose([(await kept.evaluate(THETA)).loss], [exactLoss(2)], { relative: 1e-6 });
  });

  it("refuses empty, unbatched and foreign data sets without losing a tensor", async () => {
    const model = linear();
    const before = tf.memory().numTensors;
    const empty = dataset(4, () => []);
    await expect(createModelEvaluator(model, empty)).rejects.toThrow("got an empty data set");
    const unbatched = tf.data.generator(function* () {
      yield { xs: tf.tensor1d([1, 2]), ys: tf.tensor1d([1]) };
    }) as unknown as EvaluationData;
    await expect(createModelEvaluator(model, unbatched)).rejects.toThrow(InvalidDataError);
    const pairs = tf.data.array([1, 2, 3]) as unknown as EvaluationData;
    await expect(createModelEvaluator(model, pairs)).rejects.toThrow("xs: expected tensors");
    const controller = new AbortController();
    controller.abort();
    const aborted = createModelEvaluator(model, dataset(4), { signal: controller.signal });
    await expect(aborted).rejects.toThrow(/abort/i);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("keeps to a batch size that the model fixes", async () => {
    const model = tf.sequential();
    model.add(tf.layers.dense({ batchInputShape: [4, 2], units: 1 }));
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    const { xs, ys } = tensors();
    await expect(createModelEvaluator(model, { xs, ys })).rejects.toThrow(
      "expected a multiple of the model's batch of 4 samples, got 11",
    );
    const eight = { xs: xs.slice(0, 8), ys: ys.slice(0, 8) };
    const evaluator = await createModelEvaluator(model, eight, { batchSize: 100 });
    expect(evaluator.engine.batchSize).toBe(4);
    expectAllClose([(await evaluator.evaluate(THETA)).loss], [exactLoss(8)], { relative: 1e-6 });
  });

  it("leaves the caller's tensors alone and does not need them afterwards", async () => {
    const data = tensors();
    const evaluator = await createModelEvaluator(linear(), data, { batchSize: 100 });
    const { loss } = await evaluator.evaluate(THETA);
    expect(data.xs.isDisposed).toBe(false);
    tf.dispose(data);
    expect((await evaluator.evaluate(THETA)).loss).toBe(loss);
  });
});
