import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { createEngineEvaluator } from "../../../src/loss/engine/create-engine-evaluator.js";
import type { EngineChoice } from "../../../src/loss/loss-options.js";
import { createModelEvaluator } from "../../../src/loss/model-evaluator.js";
import { bindModel } from "../../../src/model/bound-weights.js";
import { layoutOfModel } from "../../../src/model/layout-of-model.js";
import { expectAllClose } from "../../support/allclose.js";
import { useTestBackend } from "../../support/backend.js";
import { zoo } from "./model-zoo.js";

let engines: EngineChoice[] = [];

beforeAll(async () => {
  engines =
    (await useTestBackend()) === "native"
      ? ["tfjs", "tfjs-fused", "onnx", "tensorflow"]
      : ["tfjs", "tfjs-fused", "onnx"];
});

const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe.each(["lenet", "sequence", "two inputs, two outputs, shared and nested layers"])("%s", (name) => {
  test.each(["model", "logits"] as const)(
    "samples by themselves have the set's mean, loss %s",
    async (loss) => {
      const { model, data } = (zoo.find((one) => one.name === name) as (typeof zoo)[0]).make();
      const theta = bindModel(model, layoutOfModel(model)).readSync();
      for (const engine of engines) {
        const evaluator = await createEngineEvaluator(model, data, { engine, loss, batchSize: 8 });
        const value = await evaluator.evaluate(theta);
        const all = await evaluator.perSample?.open(null);
        const values = await all?.evaluate(theta);
        if (values === undefined) throw new Error("no samples");
        expectAllClose([mean(values.loss)], [value.loss], { relative: 1e-5, absolute: 1e-6 });
        for (const [metric, each] of Object.entries(values.metrics)) {
          expectAllClose([mean(each)], [value.metrics[metric]], { relative: 1e-5, absolute: 1e-6 });
        }
        const rows = Int32Array.of(1, 3, 4);
        const some = await evaluator.perSample?.open(rows);
        const own = await some?.evaluate(theta);
        expectAllClose(
          own?.loss ?? [],
          Array.from(rows, (row) => values.loss[row]),
          {
            relative: 1e-4,
            absolute: 1e-5,
          },
        );
        some?.dispose();
        some?.dispose();
        all?.dispose();
        evaluator.dispose();
      }
    },
  );
});

test("classes come from one-hot rows and class numbers, and are none of a regression", async () => {
  const model = tf.sequential({
    layers: [tf.layers.dense({ units: 3, inputShape: [2], activation: "softmax" })],
  });
  const xs = tf.ones([6, 2]);
  const labels = [2, 0, 1, 1, 2, 0];
  const oneHot = tf.oneHot(tf.tensor1d(labels, "int32"), 3).toFloat();
  const cases = [
    { loss: "categoricalCrossentropy", ys: oneHot, expected: labels },
    { loss: "sparseCategoricalCrossentropy", ys: tf.tensor1d(labels), expected: labels },
    { loss: "meanSquaredError", ys: tf.mul(oneHot, 0.5), expected: null },
  ];
  for (const { loss, ys, expected } of cases) {
    model.compile({ optimizer: "sgd", loss });
    for (const engine of engines) {
      const evaluator = await createEngineEvaluator(model, { xs, ys }, { engine });
      const classes = (await evaluator.perSample?.classes()) ?? null;
      expect(classes === null ? null : [...classes]).toEqual(expected);
      evaluator.dispose();
    }
  }
});

test("the model's own ops leave weights and tensors as they were", async () => {
  const { model, data } = (zoo.find(({ name }) => name === "lenet") as (typeof zoo)[0]).make();
  const layout = layoutOfModel(model);
  const theta = bindModel(model, layout).readSync();
  const before = tf.memory().numTensors;
  const evaluator = await createModelEvaluator(model, data);
  const some = await evaluator.perSample?.open(Int32Array.of(0, 3));
  await some?.evaluate(theta.map((value) => 2 * value));
  expect(bindModel(model, layout).readSync()).toEqual(theta);
  const broken = theta.map(() => Number.NaN);
  expect((await some?.evaluate(broken))?.loss.every(Number.isNaN)).toBe(true);
  some?.dispose();
  evaluator.dispose();
  expect(tf.memory().numTensors).toBe(before);
  await expect(some?.evaluate(theta)).rejects.toThrow("disposed");
});

test("penalties count for each sample; a loss of one number for a batch is refused", async () => {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 1, inputShape: [2], kernelRegularizer: tf.regularizers.l2({ l2: 0.3 }) }),
    ],
  });
  model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
  const data = { xs: tf.ones([5, 2]), ys: tf.zeros([5, 1]) };
  const theta = Float32Array.of(1, 2, 0);
  const evaluator = await createModelEvaluator(model, data, { includeRegularization: true });
  const all = await evaluator.perSample?.open(null);
  const { loss } = await evaluator.evaluate(theta);
  expectAllClose((await all?.evaluate(theta))?.loss ?? [], new Array(5).fill(loss), { relative: 1e-6 });
  evaluator.dispose();

  const lossFunction = (inner: tf.LayersModel, xs: tf.Tensor | tf.Tensor[]) =>
    tf.mean(inner.apply(xs) as tf.Tensor);
  const whole = await createModelEvaluator(model, data, { lossFunction });
  const some = await whole.perSample?.open(Int32Array.of(0, 1));
  await expect(some?.evaluate(theta)).rejects.toThrow("lossFunction: expected one value per sample");
  whole.dispose();
});
