import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import { readWeights } from "../../src/model/bound-weights.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { expectAllClose } from "../support/allclose.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(async () => void (await useTestBackend()));
afterEach(() => tf.disposeVariables());

const SAMPLES = 10;
const values = Array.from({ length: SAMPLES }, (_, i) => [i / 3, Math.cos(i)]);

/** Targets 0, so that the squared error is the squared prediction. */
function setUp(loss: (yTrue: tf.Tensor, yPred: tf.Tensor) => tf.Tensor) {
  const model = tf.sequential({
    layers: [tf.layers.dense({ units: 1, inputShape: [2], kernelInitializer: "ones" })],
  });
  model.compile({ optimizer: "sgd", loss });
  const tensors = { xs: tf.tensor2d(values), ys: tf.zeros([SAMPLES, 1]) };
  const stream = tf.data.generator(function* () {
    for (let i = 0; i < SAMPLES; i += 4) {
      const count = Math.min(4, SAMPLES - i);
      yield { xs: tensors.xs.slice([i, 0], [count, 2]), ys: tensors.ys.slice([i, 0], [count, 1]) };
    }
  });
  return { model, tensors, stream };
}

const squares = values.map(([a, b]) => (a + b) ** 2);
const total = squares.reduce((a, b) => a + b, 0);

describe("a compiled loss of one number for a batch", () => {
  it.each([
    ["a sum", (a: tf.Tensor, b: tf.Tensor) => tf.sum(tf.squaredDifference(a, b)), total],
    [
      "a root",
      (a: tf.Tensor, b: tf.Tensor) => tf.sqrt(tf.mean(tf.squaredDifference(a, b))),
      Math.sqrt(total / SAMPLES),
    ],
  ])(
    "that is %s is that of the whole set, or refused by name where samples come in parts",
    async (_, loss, whole) => {
      const { model, tensors, stream } = setUp(loss);
      const theta = await readWeights(model, layoutOfModel(model));
      for (const batchSize of [3, 128]) {
        const evaluator = await createLossEvaluator(model, tensors, { batchSize });
        expectAllClose([(await evaluator.evaluate(theta)).loss], [whole], { relative: 1e-5 });
        evaluator.dispose();
      }
      const before = tf.memory().numTensors;
      await expect(createLossEvaluator(model, stream, { cacheBytes: 1 })).rejects.toThrow(
        /loss of output "[^"]+": expected one value per sample, or the mean over a batch, got/,
      );
      expect(tf.memory().numTensors).toBe(before);
      const kept = await createLossEvaluator(model, stream);
      expectAllClose([(await kept.evaluate(theta)).loss], [whole], { relative: 1e-5 });
      kept.dispose();
    },
  );

  it("that is a mean is averaged over the batches of a stream", async () => {
    const { model, tensors, stream } = setUp((a, b) => tf.mean(tf.squaredDifference(a, b)));
    const theta = await readWeights(model, layoutOfModel(model));
    for (const data of [tensors, stream]) {
      const evaluator = await createLossEvaluator(model, data, { cacheBytes: 1, batchSize: 4 });
      expectAllClose([(await evaluator.evaluate(theta)).loss], [total / SAMPLES], { relative: 1e-5 });
      expect(evaluator.facts.warnings?.map(({ code }) => code)).not.toContain("random-loss");
      evaluator.dispose();
    }
  });
});

/** Dropout that stays on while the model is evaluated. */
class AlwaysDropout extends tf.layers.Layer {
  static className = "AlwaysDropout";
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const input = Array.isArray(inputs) ? (inputs[0] as tf.Tensor) : inputs;
    return tf.tidy(() => tf.mul(input, tf.cast(tf.greater(tf.randomUniform(input.shape), 0.5), "float32")));
  }
}
tf.serialization.registerClass(AlwaysDropout);

it("a model that gives other outputs each time is named in a warning", async () => {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 8, inputShape: [2] }),
      new AlwaysDropout({}),
      tf.layers.dense({ units: 1 }),
    ],
  });
  model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
  const data = { xs: tf.tensor2d(values), ys: tf.zeros([SAMPLES, 1]) };
  const before = tf.memory().numTensors;
  const evaluator = await createLossEvaluator(model, data);
  const warning = evaluator.facts.warnings?.find(({ code }) => code === "random-loss");
  expect(warning?.message).toContain("gives other outputs each time it is evaluated at the same weights");
  evaluator.dispose();
  expect(tf.memory().numTensors).toBe(before);
  const still = tf.sequential({
    layers: [
      tf.layers.dense({ units: 8, inputShape: [2] }),
      tf.layers.dropout({ rate: 0.5 }),
      tf.layers.dense({ units: 1 }),
    ],
  });
  still.compile({ optimizer: "sgd", loss: "meanSquaredError" });
  const steady = await createLossEvaluator(still, data, { engine: "tfjs" });
  expect(steady.facts.warnings).toEqual([]);
  steady.dispose();
});
