import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { mixtureMap } from "../../src/directions/mixture.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import { functionEvaluator, localEvaluator } from "../../src/loss/local-evaluator.js";
import { createRecalibrator } from "../../src/loss/recalibrator.js";
import { type BatchNormPolicyName, openSlice } from "../../src/loss/slice-loss.js";
import { readWeights } from "../../src/model/bound-weights.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { evaluateLine } from "../../src/surface/evaluate-surface.js";
import { expectAllClose } from "../support/allclose.js";
import { useTestBackend } from "../support/backend.js";
import { makeLayout } from "../support/layout.js";

beforeAll(async () => void (await useTestBackend()));
afterEach(() => tf.disposeVariables());

const layout = makeLayout([
  { name: "dense/kernel", shape: [1, 1] },
  { name: "bn/moving_mean", shape: [1], role: "state", trainable: false, layerType: "BatchNormalization" },
  {
    name: "bn/moving_variance",
    shape: [1],
    role: "state",
    trainable: false,
    layerType: "BatchNormalization",
  },
]);
const models = [Float32Array.of(1, 0, 1), Float32Array.of(3, 2, 0.25)];
const map = mixtureMap("line", models);
const lossOf = (theta: Float32Array) => theta[0] + 10 * theta[1] + 100 * theta[2];
const sum = functionEvaluator(lossOf, 3, { layout });

describe("batch norm at the points of a slice", () => {
  it("interpolate: moves statistics; a negative variance is NaN, counted and named, never clamped", async () => {
    const alpha = Float64Array.of(-0.5, 0, 0.5, 1, 1.3, 1.5);
    const line = await evaluateLine(sum, map, alpha, { batchNorm: "interpolate" });
    expectAllClose(line.loss.subarray(0, 5), [-10 + 137.5, 101, 74.5, 48, 3.6 + 26 + 2.5], {
      absolute: 1e-4,
    });
    expect(line.loss[5]).toBeNaN();
    expect(line.nonFinite).toBe(1);
    expect(line.warnings.map(({ code }) => code)).toEqual(["non-finite-loss", "negative-variance"]);
    expect(line.warnings[1].message).toContain("1 of 6 points, whose loss is NaN: bn/moving_variance (1)");
  });

  it("keep: statistics of θ* at every point", async () => {
    const line = await evaluateLine(sum, map, Float64Array.of(0, 1, 1.5), { batchNorm: "keep" });
    expect(Array.from(line.loss)).toEqual([101, 103, 104]);
  });

  it("refuses an unknown policy, and recalibration without data", async () => {
    for (const evaluator of [sum, functionEvaluator(lossOf, 3)]) {
      const open = (name: string) => openSlice(evaluator, map, { batchNorm: name as BatchNormPolicyName });
      await expect(open("reset")).rejects.toThrow(
        'batchNorm: expected one of keep, interpolate, recalibrate, got "reset"',
      );
      await expect(open("recalibrate")).rejects.toThrow(
        "batchNorm: expected an evaluator with a calibration set for recalibrate, got none",
      );
    }
  });
});

describe("a real layer", () => {
  it("has a loss where its variance is negative and its ε makes up for it", async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.batchNormalization({ inputShape: [1], epsilon: 0.1, name: "bn" }),
        tf.layers.dense({ units: 1, kernelInitializer: "ones" }),
      ],
    });
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    const evaluator = await createLossEvaluator(model, { xs: tf.ones([2, 1]), ys: tf.zeros([2, 1]) });
    const layout = layoutOfModel(model);
    const center = await readWeights(model, layout);
    const vector = new Float32Array(center.length);
    const place = layout.parameters.find(({ name }) => name.endsWith("moving_variance"))?.offset ?? 0;
    vector[place] = 1;
    const slice = { center, vectors: [vector] };
    const alpha = Float64Array.of(-1.2, -1.05, 0);
    const line = await evaluateLine(evaluator, slice, alpha, { batchNorm: "interpolate" });
    expect(line.loss[0]).toBeNaN();
    expectAllClose(line.loss.subarray(1), [1 / 0.05, 1 / 1.1], { relative: 1e-5 });
    expect(line.warnings[1]?.message).toContain("1 of 3 points, whose loss is NaN: bn/moving_variance (1)");
    evaluator.dispose();
    model.dispose();
  });
});

describe("createRecalibrator", () => {
  const build = () => {
    const model = tf.sequential({
      layers: [
        tf.layers.dense({
          units: 3,
          inputShape: [2],
          kernelInitializer: tf.initializers.randomNormal({ seed: 3 }),
        }),
        tf.layers.batchNormalization(),
        tf.layers.dropout({ rate: 0.5 }),
        tf.layers.dense({ units: 2, kernelInitializer: tf.initializers.randomNormal({ seed: 4 }) }),
        tf.layers.batchNormalization({ scale: false }),
        tf.layers.dense({ units: 1 }),
      ],
    });
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    return model;
  };
  const data = () => ({
    xs: tf.tensor2d(Array.from({ length: 24 }, (_, i) => [Math.sin(i), Math.cos(3 * i) + i / 10])),
    ys: tf.tensor2d(Array.from({ length: 24 }, (_, i) => [i / 24])),
  });

  it("gives every layer the moments of its inputs over the whole set, later layers after earlier ones", async () => {
    const model = build();
    const layout = layoutOfModel(model);
    const set = data();
    const theta = await readWeights(model, layout);
    const recalibrator = await createRecalibrator(model, set);
    await recalibrator.recalibrateInto(theta);
    const at = (name: RegExp, k: number) => {
      const parameter = layout.parameters.filter((p) => name.test(p.name))[k];
      return Array.from(theta.subarray(parameter.offset, parameter.offset + parameter.size));
    };
    const moments = (input: tf.Tensor) => {
      const { mean, variance } = tf.moments(input, [0]);
      return [Array.from(mean.dataSync()), Array.from(variance.dataSync())];
    };
    const first = model.layers[0].apply(set.xs) as tf.Tensor;
    const [mean, variance] = moments(first);
    expectAllClose(at(/moving_mean/, 0), mean, { absolute: 1e-6 });
    expectAllClose(at(/moving_variance/, 0), variance, { absolute: 1e-6 });
    const normalized = first.sub(tf.tensor1d(mean)).div(tf.sqrt(tf.tensor1d(variance).add(1e-3)));
    const [secondMean, secondVariance] = moments(model.layers[3].apply(normalized) as tf.Tensor);
    expectAllClose(at(/moving_mean/, 1), secondMean, { absolute: 1e-5 });
    expectAllClose(at(/moving_variance/, 1), secondVariance, { absolute: 1e-5 });
  });

  it("averages the statistics of several batches, and leaves the model and the memory as they were", async () => {
    const model = build();
    const layout = layoutOfModel(model);
    const set = data();
    const theta = await readWeights(model, layout);
    const before = Array.from(theta);
    const recalibrator = await createRecalibrator(model, set, { batchSize: 10, sampleLimit: 24 });
    const tensors = tf.memory().numTensors;
    await recalibrator.recalibrateInto(theta);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(Array.from(await readWeights(model, layout))).toEqual(before);
    const output = model.layers[0].apply(set.xs) as tf.Tensor2D;
    const means = [
      [0, 10],
      [10, 10],
      [20, 4],
    ].map(([start, count]) =>
      output
        .slice([start, 0], [count, 3])
        .mean(0)
        .mul(count / 24),
    );
    const expected = means.reduce((a, b) => a.add(b)).dataSync();
    const place = layout.parameters.filter(({ name }) => /moving_mean/.test(name))[0];
    expectAllClose(theta.subarray(place.offset, place.offset + 3), expected, { absolute: 1e-6 });
  });

  it("puts everything back when it is aborted, and says when it cannot be used", async () => {
    const model = build();
    const layout = layoutOfModel(model);
    const set = data();
    const recalibrator = await createRecalibrator(model, set);
    const theta = await readWeights(model, layout);
    const before = Array.from(theta);
    const tensors = tf.memory().numTensors;
    await expect(recalibrator.recalibrateInto(theta, AbortSignal.abort(new Error("enough")))).rejects.toThrow(
      "enough",
    );
    expect(Array.from(await readWeights(model, layout))).toEqual(before);
    expect(tf.memory().numTensors).toBe(tensors);
    const evaluator = await createLossEvaluator(model, set);
    expect(Object.hasOwn(model.layers[1], "call")).toBe(false);
    evaluator.dispose();
    await expect(recalibrator.recalibrateInto(new Float32Array(3))).rejects.toThrow("theta: expected");
    recalibrator.dispose();
    await expect(recalibrator.recalibrateInto(theta)).rejects.toThrow("disposed");
    await expect(createRecalibrator(model, set, { batchSize: 0 })).rejects.toThrow("batchSize");
  });
});

describe("evaluators that share work over a plane", () => {
  const grid = Float64Array.from({ length: 21 }, (_, i) => -1 + i / 10);
  const vectors = [Float32Array.of(1, 0, 0)];
  const opened = async (directions: Float32Array[], batchNorm: BatchNormPolicyName) => {
    let planes = 0;
    const engine = {
      ...sum.facts,
      evaluate: (theta: Float32Array) => sum.evaluate(theta),
      openPlane: async () => {
        planes++;
        return {
          isCached: true,
          evaluate: (theta: Float32Array) => sum.evaluate(theta),
          dispose() {},
        };
      },
      dispose() {},
    };
    const recalibrator = { dataDigest: "calibration", samples: 1, recalibrateInto: async () => {} };
    const sharing = localEvaluator({ engine, layout, undefinedAt: () => [], recalibrator, release() {} });
    await evaluateLine(sharing, { center: models[0], vectors: directions }, grid, { batchNorm });
    await evaluateLine(sharing, map, grid, { batchNorm });
    return planes;
  };

  it("are asked for one only where θ is where the directions say", async () => {
    expect(await opened(vectors, "interpolate")).toBe(1);
    expect(await opened(vectors, "keep")).toBe(1);
    expect(await opened(vectors, "recalibrate")).toBe(0);
    const moving = [Float32Array.of(1, 1, 0)];
    expect(await opened(moving, "keep")).toBe(0);
    expect(await opened(moving, "interpolate")).toBe(1);
  });
});
