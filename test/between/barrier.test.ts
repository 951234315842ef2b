import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { barrierOf, barriersOf } from "../../src/between/barrier.js";
import { evaluatePath, evaluateRepairedLine, linePath } from "../../src/between/path-losses.js";
import { createRepairer, mixMoments } from "../../src/between/repair.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import { functionEvaluator } from "../../src/loss/local-evaluator.js";
import { readWeightsSync } from "../../src/model/bound-weights.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { expectAllClose } from "../support/allclose.js";
import { useTestBackend } from "../support/backend.js";
import { SMALL_MODELS } from "./models.js";

beforeAll(async () => {
  await useTestBackend();
});

describe("barriers", () => {
  const t = Float64Array.of(0, 0.25, 0.5, 0.75, 1);

  test("are above the line between the ends, and above their mean", () => {
    const barrier = barrierOf(t, Float64Array.of(1, 1, 3, 2.5, 2));
    expect(barrier).toEqual({
      aboveLine: 1.5,
      aboveMean: 1.5,
      maximum: 3,
      at: 0.5,
      ends: [1, 2],
      nonFinite: 0,
    });
  });

  test("of a line that falls below its ends are 0 and half the difference of the ends", () => {
    expect(barrierOf(t, Float64Array.of(1, 0, 0, 0, 2))).toMatchObject({
      aboveLine: 0,
      aboveMean: 0.5,
      at: 1,
    });
  });

  test("are NaN where a value is, and infinite where one is", () => {
    const broken = barrierOf(t, Float64Array.of(1, Number.NaN, 3, 2, 2));
    expect(broken).toMatchObject({
      aboveLine: Number.NaN,
      aboveMean: Number.NaN,
      maximum: Number.NaN,
      nonFinite: 1,
    });
    const high = barrierOf(t, Float64Array.of(1, Number.POSITIVE_INFINITY, 3, 2, 2));
    expect(high).toMatchObject({ aboveLine: Number.POSITIVE_INFINITY, at: 0.25, nonFinite: 1 });
  });

  test("need a path from 0 to 1", () => {
    expect(() =>
      barrierOf(
        t.map((one) => one / 2),
        t,
      ),
    ).toThrow(/barrier: expected as many values as points from 0 to 1/);
    expect(() => barrierOf(t, t.subarray(1))).toThrow(/barrier: expected/);
  });

  test("of a closed form along a line: L = |θ|² has its known values", async () => {
    const evaluator = functionEvaluator((theta) => -theta.reduce((sum, value) => sum + value * value, 0), 2);
    const line = linePath(Float32Array.of(1, 0), Float32Array.of(-1, 0));
    const path = await evaluatePath("line", line, [{ name: "train", evaluator }], "none", { points: 5 });
    expectAllClose(path.values[0].loss, [-1, -0.25, 0, -0.25, -1]);
    expectAllClose(path.arcLength, [0, 0.5, 1, 1.5, 2]);
    expect(barriersOf(path)[0].loss).toMatchObject({ aboveLine: 1, aboveMean: 1, at: 0.5 });
  });

  test("lines refuse ends of other lengths, or that are not finite", async () => {
    expect(() => linePath(Float32Array.of(1), Float32Array.of(1, 2))).toThrow(
      /second model: expected 1 weights, got 2/,
    );
    expect(() => linePath(Float32Array.of(1), Float32Array.of(Number.NaN))).toThrow(
      /second model, entry 0: expected finite/,
    );
    const evaluator = functionEvaluator(() => 0, 1);
    const path = linePath(Float32Array.of(0), Float32Array.of(0));
    await expect(
      evaluatePath("line", path, [{ name: "a", evaluator }], "none", { points: 2 }),
    ).rejects.toThrow(/points: expected a whole number of at least 3/);
  });
});

const data = (xs: tf.Tensor) => ({
  xs,
  ys: tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1, 2, 0, 1], "int32"), 3).toFloat(),
});

/** Values of a layer before its activation, unit by unit: mean and deviation over all samples and places. */
function momentsBefore(model: tf.LayersModel, layer: string, xs: tf.Tensor): number[] {
  const [input] = model.inputs;
  const found = model.getLayer(layer);
  const config = { ...found.getConfig(), activation: "linear", name: `${layer}-linear` };
  const inner = (found.getClassName() === "Dense" ? tf.layers.dense : tf.layers.conv2d)(config as never);
  const before = tf.model({
    inputs: input,
    outputs: inner.apply(found.input as tf.SymbolicTensor) as tf.SymbolicTensor,
  });
  inner.setWeights(found.getWeights());
  const values = before.predict(xs) as tf.Tensor;
  const axes = [...Array(values.rank - 1).keys()];
  const { mean, variance } = tf.moments(values, axes);
  return [...mean.dataSync(), ...tf.sqrt(variance).dataSync()];
}

describe("REPAIR", () => {
  test.each(["dense", "transposed convolution and upsampling"])(
    "%s: the units of the mixed network get the moments asked for, folded into its weights",
    async (name) => {
      const { model, inputs } = name === "dense" ? withBias() : SMALL_MODELS[name]();
      const { xs, ys } = data(inputs()[0]);
      const layout = layoutOfModel(model);
      const a = readWeightsSync(model, layout);
      const b = a.map((value, i) => -0.5 * value + 0.1 * Math.sin(i));
      const repairer = await createRepairer(model, { xs, ys });
      const [ofA, ofB] = [await repairer.moments(a), await repairer.moments(b)];
      const middle = a.map((value, i) => (value + b[i]) / 2);
      const wanted = mixMoments(ofA, ofB, 0.5);
      await repairer.repairInto(middle, wanted);
      const now = await repairer.moments(middle);
      now.forEach(({ mean, deviation }, l) => {
        expectAllClose(mean, wanted[l].mean, { absolute: 1e-5 });
        expectAllClose(deviation, wanted[l].deviation, { absolute: 1e-5 });
      });
      // The weights of a model that has its own moments already stay as they are.
      const same = Float32Array.from(a);
      await repairer.repairInto(same, ofA);
      expectAllClose(same, a, { absolute: 1e-6 });
      expect(readWeightsSync(model, layout)).toEqual(a);
      repairer.dispose();
    },
  );

  /** Two hidden layers, both with a bias. */
  function withBias() {
    const input = tf.input({ shape: [4] });
    const one = tf.layers
      .dense({ units: 5, activation: "relu", name: "one" })
      .apply(input) as tf.SymbolicTensor;
    const two = tf.layers
      .dense({ units: 4, activation: "tanh", name: "two" })
      .apply(one) as tf.SymbolicTensor;
    const output = tf.layers.dense({ units: 3, activation: "softmax" }).apply(two) as tf.SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: output });
    model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
    return { model, inputs: () => [tf.randomNormal([8, 4], 0, 1, "float32", 3)] };
  }

  test("measures what a layer gives before its activation", async () => {
    const { model, inputs } = withBias();
    const [xs] = inputs();
    const repairer = await createRepairer(model, data(xs));
    expect(repairer.layers).toEqual(["one", "two"]);
    const moments = await repairer.moments(readWeightsSync(model, layoutOfModel(model)));
    moments.forEach(({ mean, deviation }, l) => {
      expectAllClose([...mean, ...deviation], momentsBefore(model, repairer.layers[l], xs), {
        absolute: 1e-5,
      });
    });
  });

  test("leaves the ends of a line as they are, to the bit", async () => {
    const { model, inputs } = withBias();
    const set = data(inputs()[0]);
    const a = readWeightsSync(model, layoutOfModel(model));
    const b = a.map((value) => -0.5 * value);
    const evaluator = await createLossEvaluator(model, set, { engine: "tfjs" });
    const repairer = await createRepairer(model, set);
    const sets = [{ name: "train", evaluator }];
    const line = await evaluatePath("line", linePath(a, b), sets, "none", { points: 5 });
    const repaired = await evaluateRepairedLine("line", [a, b], repairer, sets, { points: 5 });
    expect(repaired.values[0].loss[0]).toBe(line.values[0].loss[0]);
    expect(repaired.values[0].loss[4]).toBe(line.values[0].loss[4]);
    // The mixed weights nearly cancel; repaired, the units vary as they do at the ends.
    expect(repaired.values[0].loss[2]).not.toBe(line.values[0].loss[2]);
    evaluator.dispose();
    repairer.dispose();
  });

  test("is refused where there is batch normalization", async () => {
    const { model, inputs } = SMALL_MODELS["a residual network"]();
    await expect(createRepairer(model, data(inputs()[0]))).rejects.toThrow(
      /repair: expected a model without batch normalization.*recalibrate/,
    );
  });
});

test("batch norm kept, interpolated and recalibrated give lines of their own, equal at the first end", async () => {
  const { model, inputs } = SMALL_MODELS["conv2d, batch norm and flatten"]();
  const set = data(inputs()[0]);
  const a = readWeightsSync(model, layoutOfModel(model));
  const b = a.map((value, i) => value + 0.2 * Math.abs(Math.cos(i)));
  const evaluator = await createLossEvaluator(model, set, { engine: "tfjs" });
  const sets = [{ name: "train", evaluator }];
  const lines = [];
  for (const policy of ["keep", "interpolate", "recalibrate"] as const) {
    lines.push(await evaluatePath("line", linePath(a, b), sets, policy, { points: 3 }));
  }
  const [keep, interpolate, recalibrate] = lines.map(({ values }) => values[0].loss);
  expect(keep[0]).toBe(interpolate[0]);
  expect(new Set([keep[2], interpolate[2], recalibrate[2]]).size).toBe(3);
  expect(interpolate[2]).toBe((await evaluator.evaluate(b)).loss);
  evaluator.dispose();
});
