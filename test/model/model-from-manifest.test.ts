import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { EvaluationError } from "../../src/base/errors.js";
import { modelDigest } from "../../src/loss/loss-plan.js";
import { createModelEvaluator } from "../../src/loss/model-evaluator.js";
import { readWeightsSync } from "../../src/model/bound-weights.js";
import { describeTraining } from "../../src/model/describe-training.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import type { RunManifest } from "../../src/model/manifest.js";
import { modelFromManifest, modelToJson } from "../../src/model/model-from-manifest.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(async () => void (await useTestBackend()));
afterEach(() => tf.disposeVariables());

type Described = Parameters<typeof modelFromManifest>[0];

/** What a run directory says of a model, after a journey through JSON. */
function manifestOf(model: tf.LayersModel): Described {
  const { model: topology, optimizer, loss, metrics } = describeTraining(model);
  const manifest = { model: topology, optimizer, loss, metrics, layout: layoutOfModel(model) };
  return JSON.parse(JSON.stringify(manifest)) as RunManifest;
}

function sequential(units = 4): tf.Sequential {
  const model = tf.sequential();
  model.add(tf.layers.conv2d({ inputShape: [6, 6, 1], filters: 2, kernelSize: 3, activation: "relu" }));
  model.add(tf.layers.batchNormalization());
  model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units, kernelInitializer: tf.initializers.glorotNormal({ seed: 1 }) }));
  model.add(tf.layers.dense({ units: 3, activation: "softmax" }));
  const optimizer = tf.train.momentum(0.1, 0.9, true);
  model.compile({ optimizer, loss: "categoricalCrossentropy", metrics: ["accuracy", "mse"] });
  return model;
}

function functional(): tf.LayersModel {
  const a = tf.input({ shape: [3] });
  const b = tf.input({ shape: [2] });
  const joined = tf.layers.concatenate().apply([a, b]) as tf.SymbolicTensor;
  const x = tf.layers.dense({ units: 2, name: "x" }).apply(joined) as tf.SymbolicTensor;
  const y = tf.layers.dense({ units: 1, name: "y" }).apply(x) as tf.SymbolicTensor;
  const model = tf.model({ inputs: [a, b], outputs: [x, y] });
  model.compile({
    optimizer: "adam",
    loss: { x: "meanSquaredError", y: "meanAbsoluteError" },
    metrics: { y: "mse" },
  });
  return model;
}

describe("modelFromManifest", () => {
  it("rebuilds topology, loss, metrics and optimizer, with the same loss at the same θ", async () => {
    const model = sequential();
    const rebuilt = await modelFromManifest(manifestOf(model));
    expect(rebuilt.metricsNames).toEqual(model.metricsNames);
    expect(rebuilt.optimizer.getClassName()).toBe("Momentum");
    expect(rebuilt.optimizer.getConfig()).toMatchObject({
      learningRate: 0.1,
      momentum: 0.9,
      useNesterov: true,
    });
    const data = {
      xs: tf.randomUniform([5, 6, 6, 1], 0, 1, "float32", 1),
      ys: tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1], "int32"), 3),
    };
    const layout = layoutOfModel(model);
    const theta = readWeightsSync(model, layout);
    const [original, copy] = [
      await createModelEvaluator(model, data),
      await createModelEvaluator(rebuilt, data, { layout }),
    ];
    expect(await copy.evaluate(theta)).toEqual(await original.evaluate(theta));
    expect(copy.modelDigest).toBe(original.modelDigest);
  });

  it("rebuilds functional models with several inputs and outputs", async () => {
    const model = functional();
    const rebuilt = await modelFromManifest(manifestOf(model));
    expect(rebuilt.metricsNames).toEqual(model.metricsNames);
    expect(rebuilt.optimizer.getClassName()).toBe("Adam");
  });

  it("says what it cannot rebuild and what to do", async () => {
    const manifest = manifestOf(sequential());
    const layer = { class_name: "MyLayer", config: { name: "mine" } };
    const wrong: readonly [Partial<Described>, RegExp][] = [
      [{ model: null }, /run\.json: model: expected a topology, got null \(a custom loop\)/],
      [{ loss: null }, /run\.json: loss: expected a compiled loss/],
      [{ loss: "custom" }, /run\.json: loss: .*got a custom function/],
      [{ metrics: ["accuracy", "custom"] }, /run\.json: metrics: .*got a custom function/],
      [{ loss: "noSuchLoss" }, /run\.json: loss and metrics: .*noSuchLoss/],
      [{ loss: { z: "meanSquaredError" } }, /expected entries for outputs .*, got z/],
      [{ optimizer: { className: "Lion", config: {} } }, /run\.json: optimizer: .*got Lion/],
      [
        { model: { class_name: "Sequential", config: { name: "s", layers: [layer] } } },
        /run\.json: model: .*MyLayer/,
      ],
      [{ layout: { ...manifest.layout, parameterCount: 7 } }, /run\.json: layout: .*got 7/],
    ];
    for (const [change, message] of wrong) {
      const before = tf.memory().numTensors;
      const attempt = modelFromManifest({ ...manifest, ...change });
      await expect(attempt).rejects.toThrow(EvaluationError);
      await expect(modelFromManifest({ ...manifest, ...change })).rejects.toThrow(message);
      await expect(modelFromManifest({ ...manifest, ...change })).rejects.toThrow("loadModel()");
      expect(tf.memory().numTensors, String(message)).toBe(before);
    }
  });
});

describe("modelDigest", () => {
  const digest = (model: tf.LayersModel) => modelDigest(layoutOfModel(model), modelToJson(model));

  it("is that of the architecture, not of names and initial values", () => {
    expect(digest(sequential())).toBe(digest(sequential()));
    expect(digest(functional())).toBe(digest(functional()));
    expect(digest(sequential(5))).not.toBe(digest(sequential()));
    const other = sequential();
    (other.layers[0] as unknown as { activation: unknown }).activation = (
      tf.layers.activation({ activation: "tanh" }) as unknown as { activation: unknown }
    ).activation;
    expect(digest(other)).not.toBe(digest(sequential()));
  });

  it("differs for evaluators with another loss or other metrics", async () => {
    const data = { xs: tf.zeros([2, 6, 6, 1]), ys: tf.oneHot(tf.tensor1d([0, 1], "int32"), 3) };
    const digests = new Set<string>();
    for (const [loss, metrics] of [
      ["categoricalCrossentropy", []],
      ["meanSquaredError", []],
      ["meanSquaredError", ["accuracy"]],
    ] as const) {
      const model = sequential();
      model.compile({ optimizer: "sgd", loss, metrics: [...metrics] });
      digests.add((await createModelEvaluator(model, data)).modelDigest);
    }
    expect(digests.size).toBe(3);
  });
});
