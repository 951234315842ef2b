import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { LossMode, LossValue } from "../../src/loss/loss-evaluator.js";
import { createModelEvaluator } from "../../src/loss/model-evaluator.js";
import { readWeightsSync } from "../../src/model/bound-weights.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { expectAllClose } from "../support/allclose.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(async () => void (await useTestBackend()));
afterEach(() => tf.disposeVariables());

/** Puts its input through unchanged, so that the input is the logits. */
function passThrough(units: number, shape: number[] = []): tf.Sequential {
  const model = tf.sequential();
  model.add(
    tf.layers.dense({ inputShape: [...shape, units], units, useBias: false, kernelInitializer: "identity" }),
  );
  return model;
}

function withEnding(model: tf.Sequential, ending: tf.layers.Layer, loss: string): tf.Sequential {
  model.add(ending);
  model.compile({ optimizer: "sgd", loss, metrics: ["accuracy"] });
  return model;
}

async function evaluate(
  model: tf.LayersModel,
  xs: tf.Tensor,
  ys: tf.Tensor,
  loss: LossMode,
): Promise<LossValue> {
  const evaluator = await createModelEvaluator(model, { xs, ys }, { loss, batchSize: 2 });
  expect(evaluator.lossMode).toBe(loss);
  const value = await evaluator.evaluate(readWeightsSync(model, layoutOfModel(model)));
  evaluator.dispose();
  return value;
}

const activation = (name: "softmax" | "sigmoid") => tf.layers.activation({ activation: name });

describe("loss modes of the crossentropies", () => {
  // True losses: 69 (capped), 0 (perfect) and ln 3.
  const logits = [
    [-69, 0, -200],
    [100, 0, 0],
    [2, 2, 2],
  ];
  const labels = [0, 0, 1];

  it.each(["categoricalCrossentropy", "sparseCategoricalCrossentropy"])("%s", async (loss) => {
    const xs = tf.tensor2d(logits);
    const ys = loss.startsWith("sparse") ? tf.tensor1d(labels) : tf.oneHot(tf.tensor1d(labels, "int32"), 3);
    for (const ending of [tf.layers.softmax(), activation("softmax"), tf.layers.softmax({ axis: -1 })]) {
      const model = withEnding(passThrough(3), ending, loss);
      const clipped = await evaluate(model, xs, ys, "model");
      expectAllClose([clipped.loss], [(16.118095 + 1.19e-7 + Math.log(3)) / 3], { absolute: 1e-5 });
      expectAllClose([clipped.clippedShare as number, clipped.cappedShare as number], [2 / 3, 1 / 3], {
        absolute: 1e-7,
      });
      const exact = await evaluate(model, xs, ys, "logits");
      expectAllClose([exact.loss], [(69 + 0 + Math.log(3)) / 3], { absolute: 1e-5 });
      expect([exact.clippedShare, exact.cappedShare]).toEqual([null, null]);
      expect(exact.metrics).toEqual(clipped.metrics);
      // The layer is left as it was.
      expectAllClose((model.predict(xs) as tf.Tensor).sum(1).dataSync(), [1, 1, 1], { absolute: 1e-6 });
    }
  });

  it("binaryCrossentropy", async () => {
    const xs = tf.tensor2d([[50], [-40], [0.5], [-30]]);
    const ys = tf.tensor2d([[0], [0], [1], [1]]);
    const model = withEnding(passThrough(1), activation("sigmoid"), "binaryCrossentropy");
    const softplus = Math.log1p(Math.exp(-0.5));
    const exact = await evaluate(model, xs, ys, "logits");
    expectAllClose([exact.loss], [(50 + 0 + softplus + 30) / 4], { absolute: 1e-5 });
    expect(exact.metrics.acc).toBe(0.5);
    const clipped = await evaluate(model, xs, ys, "model");
    expect(clipped.loss).toBeLessThan((2 * 16.2 + softplus) / 4);
    expect([clipped.clippedShare, clipped.cappedShare]).toEqual([0.75, 0.5]);
    expect(clipped.metrics.acc).toBe(0.5);
  });

  it("takes the activation of a Dense or convolutional layer away, and of TimeDistributed", async () => {
    // Small logits: the clipped and the exact loss are one.
    const xs = tf.randomNormal([5, 4, 6], 0, 1, "float32", 1);
    const labels = tf.tensor2d(Array.from({ length: 5 }, (_, i) => [i % 3, 1, 2, 0]));
    const ys = tf.expandDims(labels, 2);
    const kernelInitializer = tf.initializers.glorotUniform({ seed: 1 });
    const config = { activation: "softmax", kernelInitializer } as const;
    const endings = [
      tf.layers.dense({ units: 3, ...config }),
      tf.layers.conv1d({ filters: 3, kernelSize: 1, ...config }),
      tf.layers.timeDistributed({ layer: tf.layers.dense({ units: 3, ...config }) }),
    ];
    for (const ending of endings) {
      const model = withEnding(passThrough(6, [4]), ending, "sparseCategoricalCrossentropy");
      const [clipped, exact] = [
        await evaluate(model, xs, ys, "model"),
        await evaluate(model, xs, ys, "logits"),
      ];
      expectAllClose([exact.loss], [clipped.loss], { absolute: 1e-5 });
      expect(exact.loss).not.toBe(0);
    }
  });

  it("opens nested models, and refuses a final layer that is used twice", async () => {
    const inner = tf.sequential();
    inner.add(tf.layers.dense({ inputShape: [3], units: 3, useBias: false, kernelInitializer: "identity" }));
    inner.add(tf.layers.softmax());
    const nested = tf.sequential();
    nested.add(tf.layers.dense({ inputShape: [3], units: 3, useBias: false, kernelInitializer: "identity" }));
    nested.add(inner);
    nested.compile({ optimizer: "sgd", loss: "sparseCategoricalCrossentropy" });
    const [xs, ys] = [tf.tensor2d(logits), tf.tensor1d(labels)];
    const { loss } = await evaluate(nested, xs, ys, "logits");
    expectAllClose([loss], [(69 + Math.log(3)) / 3], { absolute: 1e-5 });

    const input = tf.input({ shape: [3] });
    const shared = tf.layers.dense({ units: 3, activation: "softmax", name: "twice" });
    const twice = shared.apply(shared.apply(input)) as tf.SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: twice });
    model.compile({ optimizer: "sgd", loss: "sparseCategoricalCrossentropy" });
    await expect(evaluate(model, xs, ys, "logits")).rejects.toThrow(
      'layer "twice": expected a final softmax of its own in loss mode logits, got a layer that is used in several places',
    );
    // A layer that another model uses as well is no matter.
    const other = tf.model({ inputs: input, outputs: inner.apply(input) as tf.SymbolicTensor });
    other.compile({ optimizer: "sgd", loss: "sparseCategoricalCrossentropy" });
    expectAllClose([(await evaluate(other, xs, ys, "logits")).loss], [loss], { absolute: 1e-6 });
  });

  it("names loss and layer where there are no logits", async () => {
    const [xs, ys] = [tf.zeros([2, 3]), tf.zeros([2, 3])];
    const regression = passThrough(3);
    regression.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    await expect(evaluate(regression, xs, ys, "logits")).rejects.toThrow(
      /output layer "dense_.*expected a crossentropy loss .*, got meanSquaredError on neither softmax nor sigmoid/,
    );
    const mixed = withEnding(passThrough(3), activation("sigmoid"), "categoricalCrossentropy");
    await expect(evaluate(mixed, xs, ys, "logits")).rejects.toThrow("got categoricalCrossentropy on sigmoid");
    const sideways = tf.sequential();
    sideways.add(
      tf.layers.softmax({ inputShape: [3, 4], axis: 1 } as Parameters<typeof tf.layers.softmax>[0]),
    );
    sideways.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
    await expect(evaluate(sideways, tf.zeros([1, 3, 4]), tf.zeros([1, 3, 4]), "logits")).rejects.toThrow(
      "expected a softmax over the last axis, got axis 1",
    );
  });

  it("takes a function that works on logits as it is", async () => {
    const model = passThrough(3);
    const loss = tf.losses.softmaxCrossEntropy as (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;
    model.compile({ optimizer: "sgd", loss });
    const ys = tf.oneHot(tf.tensor1d(labels, "int32"), 3).toFloat();
    const value = await evaluate(model, tf.tensor2d(logits), ys, "logits");
    expectAllClose([value.loss], [(69 + Math.log(3)) / 3], { absolute: 1e-5 });
  });

  it("leaves the model as it was when the forward pass throws", async () => {
    const model = withEnding(passThrough(3), activation("softmax"), "categoricalCrossentropy");
    const [xs, ys] = [tf.tensor2d(logits), tf.oneHot(tf.tensor1d(labels, "int32"), 3)];
    const evaluator = await createModelEvaluator(model, { xs, ys }, { loss: "logits" });
    const layer = model.layers[0] as tf.layers.Layer;
    const call = layer.call;
    layer.call = () => {
      throw new Error("broken layer");
    };
    const theta = readWeightsSync(model, layoutOfModel(model));
    const before = tf.memory().numTensors;
    await expect(evaluator.evaluate(theta)).rejects.toThrow("broken layer");
    expect(tf.memory().numTensors).toBe(before);
    layer.call = call;
    expectAllClose((model.predict(xs) as tf.Tensor).sum(1).dataSync(), [1, 1, 1], { absolute: 1e-6 });
  });
});

describe("NaN", () => {
  it("stays NaN behind a negative variance, a NaN weight and an overflow, whatever the kernels make of it", async () => {
    const model = tf.sequential();
    model.add(tf.layers.conv2d({ inputShape: [6, 6, 1], filters: 2, kernelSize: 3, activation: "relu" }));
    model.add(tf.layers.batchNormalization());
    model.add(tf.layers.activation({ activation: "relu" }));
    model.add(tf.layers.maxPooling2d({ poolSize: 2 }));
    model.add(tf.layers.conv2d({ filters: 2, kernelSize: 2, activation: "relu" }));
    model.add(tf.layers.flatten());
    model.add(tf.layers.dense({ units: 3, activation: "softmax" }));
    model.compile({ optimizer: "sgd", loss: "sparseCategoricalCrossentropy", metrics: ["accuracy"] });
    // The kernels are of one sign, so that no ReLU is idle, whatever the initial values.
    for (const { val } of model.weights as unknown as { val: tf.Variable }[]) val.assign(tf.abs(val));
    const xs = tf.randomUniform([4, 6, 6, 1], 0, 1, "float32", 1);
    const layout = layoutOfModel(model);
    const theta = readWeightsSync(model, layout);
    for (const loss of ["model", "logits"] as const) {
      const data = { xs, ys: tf.tensor1d([0, 1, 2, 0]) };
      const evaluator = await createModelEvaluator(model, data, { loss });
      expect((await evaluator.evaluate(theta)).loss).toBeGreaterThan(0);
      const point = (change: (copy: Float32Array) => void) => {
        const copy = theta.slice();
        change(copy);
        return evaluator.evaluate(copy);
      };
      const negative = await point((copy) => copy.fill(-0.01, copy.length - 1));
      const nan = await point((copy) => copy.fill(Number.NaN, 0, 1));
      const overflow = await point((copy) => {
        const dense = layout.parameters.find(({ shape }) => shape.join() === "2,3");
        copy.fill(Number.POSITIVE_INFINITY, dense?.offset, (dense?.offset ?? 0) + 6);
      });
      for (const value of [negative, nan, overflow]) {
        expect([value.loss, value.metrics.acc]).toEqual([Number.NaN, Number.NaN]);
      }
      // A variance of −ε/2 still has a root.
      expect((await point((copy) => copy.fill(-0.0005, copy.length - 1))).loss).toBeGreaterThan(0);
      evaluator.dispose();
    }
  });
});
