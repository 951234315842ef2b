import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { mixtureMap } from "../../src/directions/mixture.js";
import { type BatchNormPolicyName, createBatchNormPolicy } from "../../src/loss/batch-norm-policy.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import { functionEvaluator } from "../../src/loss/function-evaluator.js";
import { createRecalibrator } from "../../src/loss/recalibrator.js";
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
const sum = functionEvaluator((theta) => theta[0] + 10 * theta[1] + 100 * theta[2], 3);

describe("createBatchNormPolicy", () => {
  it("interpolate: moves statistics; a negative variance is NaN, counted and named, never clamped", async () => {
    const policy = createBatchNormPolicy("interpolate", { layout, center: map.center });
    const alpha = Float64Array.of(-0.5, 0, 0.5, 1, 1.3, 1.5);
    const line = await evaluateLine(sum, map, alpha, { policy });
    expectAllClose(line.loss.subarray(0, 5), [-10 + 137.5, 101, 74.5, 48, 3.6 + 26 + 2.5], {
      absolute: 1e-4,
    });
    expect(line.loss[5]).toBeNaN();
    expect(line.nonFinite).toBe(1);
    expect(line.warnings.map(({ code }) => code)).toEqual(["non-finite-loss", "negative-variance"]);
    expect(line.warnings[1].message).toContain("1 of 6 points, whose loss is NaN: bn/moving_variance (1)");
  });

  it("keep: statistics of θ* at every point", async () => {
    const policy = createBatchNormPolicy("keep", { layout, center: map.center });
    const line = await evaluateLine(sum, map, Float64Array.of(0, 1, 1.5), { policy });
    expect(Array.from(line.loss)).toEqual([101, 103, 104]);
  });

  it("refuses an unknown policy, and recalibration without data", () => {
    const make = (name: string) =>
      createBatchNormPolicy(name as BatchNormPolicyName, { layout, center: map.center });
    expect(() => make("reset")).toThrow(
      'batchNorm: expected one of keep, interpolate, recalibrate, got "reset"',
    );
    expect(() => make("recalibrate")).toThrow("batchNorm: expected a recalibrator for recalibrate, got none");
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
  const opened = async (vectors: Float32Array[], name: BatchNormPolicyName, given?: Float32Array[]) => {
    let planes = 0;
    const sharing = {
      ...sum,
      openPlane: async () => {
        planes++;
        return {
          isCached: true,
          evaluate: (theta: Float32Array) => sum.evaluate(theta),
          dispose() {},
        };
      },
    };
    const policy = createBatchNormPolicy(name, {
      layout,
      center: models[0],
      ...(given === undefined ? {} : { vectors: given }),
    });
    await evaluateLine(sharing, { center: models[0], vectors }, grid, { policy });
    return planes;
  };

  it("are asked for one only where θ is where the directions say", async () => {
    expect(await opened(vectors, "interpolate")).toBe(1);
    expect(await opened(vectors, "keep", vectors)).toBe(1);
    expect(await opened(vectors, "keep")).toBe(0);
    const moving = [Float32Array.of(1, 1, 0)];
    expect(await opened(moving, "keep", moving)).toBe(0);
  });
});
