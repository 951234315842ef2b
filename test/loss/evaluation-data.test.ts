import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { InvalidDataError } from "../../src/base/errors.js";
import type { EvaluationData } from "../../src/loss/evaluation-data.js";
import type { ModelLossOptions } from "../../src/loss/loss-options.js";
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

  it("refuses NaN and infinity with their rows counted, or keeps them when asked", async () => {
    const { xs, ys } = tensors();
    const values = (xs.arraySync() as number[][]).map((row, i) => (i === 3 ? [Number.NaN, 1] : row));
    values[9] = [Number.NEGATIVE_INFINITY, Number.NaN];
    const broken = { xs: tf.tensor2d(values), ys };
    const rows = values.map((row, i) => ({ xs: row, ys: Y[i] as number[] }));
    const streamed = tf.data.array(rows).batch(4) as unknown as EvaluationData;
    const model = linear();
    const before = tf.memory().numTensors;
    for (const [data, options] of [
      [broken, {}],
      [streamed, {}],
      [streamed, { cacheBytes: 0, dataId: "mine" }],
    ] as const) {
      await expect(createModelEvaluator(model, data, options)).rejects.toThrow(
        "xs: expected finite numbers, got data of which 2 of 11 rows hold NaN or infinity, first row 3; mend",
      );
    }
    expect(tf.memory().numTensors).toBe(before);
    const targets = tf.tensor2d(Y.map(([y], i) => [i === 10 ? Number.POSITIVE_INFINITY : (y as number)]));
    await expect(createModelEvaluator(model, { xs: broken.xs, ys: targets })).rejects.toThrow(
      "first row 3; ys: 1 of 11 rows hold NaN or infinity, first row 10",
    );
    // Rows that are left out do not count.
    expect((await evaluate(broken, { sampleLimit: 3 })).samples).toBe(3);
    expect((await evaluate(broken, { nonFiniteData: "keep" })).loss).toBeNaN();
    await expect(evaluate(broken, { nonFiniteData: "drop" as never })).rejects.toThrow(
      'nonFiniteData: expected "refuse" or "keep", got "drop"',
    );
  });

  it("takes the last batch of an iterator that comes with done", async () => {
    // A generator that returns its last batch, as that of jena-weather does; `evaluateDataset` takes it too.
    const returning = (cacheBytes: number) => {
      const data = tf.data
        .generator(function* () {
          for (let i = 0; i < X.length; i += 4) {
            const batch = { xs: tf.tensor2d(X.slice(i, i + 4)), ys: tf.tensor2d(Y.slice(i, i + 4)) };
            if (i + 4 >= X.length) return batch;
            yield batch;
          }
          return undefined;
        } as never)
        .prefetch(1) as unknown as EvaluationData;
      return evaluate(data, { cacheBytes });
    };
    const direct = {
      iterator: async () => {
        let i = 0;
        return {
          next: async () => {
            const value = { xs: tf.tensor2d(X.slice(i, i + 4)), ys: tf.tensor2d(Y.slice(i, i + 4)) };
            i += 4;
            return { value, done: i >= X.length };
          },
        };
      },
    };
    for (const { loss, samples } of [
      await returning(2 ** 20),
      await returning(0),
      await evaluate(direct),
      await evaluate(direct, { cacheBytes: 0 }),
    ]) {
      expect(samples).toBe(X.length);
      expectAllClose([loss], [exactLoss()], { relative: 1e-6 });
    }
  });

  it("refuses data sets that never end: by name at once, or within a limit", async () => {
    const model = linear();
    const repeated = (dataset(4) as unknown as tf.data.Dataset<tf.TensorContainer>).repeat();
    const known = tf.data.array(X.map((row, i) => ({ xs: row, ys: Y[i] as number[] }))).batch(4);
    const before = tf.memory().numTensors;
    const endless = known.repeat() as unknown as EvaluationData;
    await expect(createModelEvaluator(model, endless)).rejects.toThrow(
      "data: expected a data set that ends, got one of size Infinity; leave out repeat()",
    );
    // TF.js does not know the size of a generator, nor of what is repeated then.
    const unknown = repeated as unknown as EvaluationData;
    for (const [limit, message] of [
      [
        { samples: 100 },
        /expected a data set that ends within 100 samples, got 1\d\d samples .* no end; .*dataLimit.samples/,
      ],
      [{ bytes: 1000 }, /ends within 1000 bytes, got \d+ samples \(10\d\d bytes\)/],
      [{ seconds: 0.2 }, /ends within 0.2 seconds, got \d+ samples \(\d+ bytes\) in 0\.\d s/],
    ] as const) {
      for (const cacheBytes of [2 ** 20, 0]) {
        const options = { dataLimit: limit, cacheBytes };
        await expect(createModelEvaluator(model, unknown, options)).rejects.toThrow(message);
      }
    }
    expect(tf.memory().numTensors).toBe(before);
    await expect(createModelEvaluator(model, unknown, { dataLimit: { seconds: -1 } })).rejects.toThrow(
      "dataLimit.seconds: expected a number of at least 0, got -1",
    );
    for (const data of [endless, unknown]) {
      const some = await evaluate(data, { sampleLimit: 11 });
      expectAllClose([some.loss], [exactLoss()], { relative: 1e-6 });
    }
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
