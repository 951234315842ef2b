import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import {
  momentDirections,
  optimizerScale,
  optimizerUpdate,
  settingsOf,
} from "../../src/curvature/optimizer-step.js";
import { bindVariables } from "../../src/model/bound-weights.js";
import { describeOptimizer } from "../../src/model/describe-training.js";
import { layoutOfVariables } from "../../src/model/layout-of-model.js";
import { readOptimizerState } from "../../src/model/optimizer-state.js";
import { expectAllClose } from "../support/allclose.js";

const CURVATURES = [3, 0.5, -0.2, 7];
const START = [1, -2, 0.5, 0.1];
let count = 0;

/** What an optimizer holds after some updates of ½·Σ cᵢ·xᵢ², the update that it then does, and the gradient it meets. */
async function updateOf(optimizer: tf.Optimizer, updates: number) {
  const w = tf.variable(tf.tensor1d(START), true, `step-${count++}`);
  const curvatures = tf.tensor1d(CURVATURES);
  const step = () =>
    optimizer.minimize(
      () => tf.tidy(() => tf.mul(0.5, tf.sum(tf.mul(curvatures, tf.square(w)))) as tf.Scalar),
      false,
      [w],
    );
  for (let i = 0; i < updates; i++) step();
  const weights = bindVariables({ w }, layoutOfVariables({ w }));
  const state = await readOptimizerState(optimizer, weights);
  const before = Float64Array.from(w.dataSync());
  const gradient = before.map((value, i) => value * (CURVATURES[i] as number));
  step();
  const moved = Float64Array.from(w.dataSync()).map((value, i) => value - (before[i] as number));
  return {
    state,
    gradient,
    moved,
    described: describeOptimizer(optimizer) as NonNullable<ReturnType<typeof describeOptimizer>>,
  };
}

const OPTIMIZERS: [string, () => tf.Optimizer][] = [
  ["SGD", () => tf.train.sgd(0.05)],
  ["momentum", () => tf.train.momentum(0.05, 0.9)],
  ["Nesterov", () => tf.train.momentum(0.05, 0.9, true)],
  ["Adam", () => tf.train.adam(0.05, 0.8, 0.95)],
  ["RMSProp with momentum", () => tf.train.rmsprop(0.05, 0.8, 0.6)],
  ["centred RMSProp", () => tf.train.rmsprop(0.05, 0.8, 0.6, 1e-4, true)],
  ["Adagrad", () => tf.train.adagrad(0.05, 0.2)],
  ["Adadelta", () => tf.train.adadelta(0.05, 0.9, 1e-3)],
];

describe("the update that an optimizer does next", () => {
  test.each(OPTIMIZERS)("%s: from its state, as TensorFlow.js does it", async (_, create) => {
    for (const updates of [0, 3]) {
      const { state, gradient, moved, described } = await updateOf(create(), updates);
      const update = optimizerUpdate(described, state, gradient, 0.05);
      expect(update).not.toHaveProperty("reason");
      const expected = (update as Float64Array).map((value) => 0.05 * value);
      expectAllClose(moved, expected, { relative: 2e-4, absolute: 1e-7 });
    }
  });

  test("without its state it is not known, but for plain SGD; Adamax's never", () => {
    const config = { learningRate: 0.1, momentum: 0.9 };
    const g = Float64Array.of(1, -2);
    expect(optimizerUpdate({ className: "SGD", config }, null, g, 0.1)).toEqual(Float64Array.of(-1, 2));
    const reason = expect.stringContaining("state was not recorded (optimizerState: true");
    expect(optimizerUpdate({ className: "Momentum", config }, null, g, 0.1)).toEqual({ reason });
    expect(optimizerUpdate({ className: "Adamax", config }, null, g, 0.1)).toEqual({
      reason: "Adamax does not give its state away: its update is not known",
    });
    expect(() =>
      optimizerUpdate({ className: "Momentum", config: {} }, { iterations: 0, slots: {}, weights: [] }, g, 1),
    ).toThrow("optimizer: Momentum: momentum: expected a finite number, got undefined");
  });
});

describe("an adaptive optimizer's own scale", () => {
  test("Adam's P, RMSProp's √(v + ε), and centred √(v − m̄² − ε): TensorFlow.js takes ε away there", async () => {
    const adam = await updateOf(tf.train.adam(0.01, 0.9, 0.99, 1e-3), 2);
    const name = adam.state.weights[0] as string;
    const v = adam.state.slots.v as Float32Array;
    expectAllClose(
      optimizerScale(adam.described, adam.state, [name]) as Float64Array,
      Float64Array.from(v, (value) => (1 - 0.9 ** 2) * (Math.sqrt(value / (1 - 0.99 ** 2)) + 1e-3)),
      { relative: 1e-6 },
    );
    const plain = await updateOf(tf.train.rmsprop(0.01, 0.9, 0, 1e-3), 2);
    expectAllClose(
      optimizerScale(plain.described, plain.state, plain.state.weights) as Float64Array,
      Float64Array.from(plain.state.slots.rms as Float32Array, (value) => Math.sqrt(value + 1e-3)),
      { relative: 1e-6 },
    );
    const centred = await updateOf(tf.train.rmsprop(0.01, 0.9, 0, 1e-5, true), 2);
    const { rms, mg } = centred.state.slots as { rms: Float32Array; mg: Float32Array };
    expectAllClose(
      optimizerScale(centred.described, centred.state, centred.state.weights) as Float64Array,
      Float64Array.from(rms, (value, i) => Math.sqrt(value - (mg[i] as number) ** 2 - 1e-5)),
      { relative: 1e-6 },
    );
  });

  test("is not defined before the first update, without state, for a weight that has none", async () => {
    const { state, described } = await updateOf(tf.train.adam(0.01), 0);
    expect(optimizerScale(described, state, ["w"])).toEqual({
      reason: "the optimizer has done no update yet",
    });
    expect(optimizerScale(described, null, ["w"])).toHaveProperty("reason");
    const later = await updateOf(tf.train.adam(0.01), 1);
    expect(optimizerScale(later.described, later.state, ["other"])).toEqual({
      reason: "the optimizer has no state of other",
    });
  });

  test("moments as directions: m and m/√v of Adam, momentum alone", async () => {
    const adam = await updateOf(tf.train.adam(0.05), 2);
    const theta = new Float32Array(4);
    const { vectors, labels } = momentDirections(theta, adam.state);
    const { m, v } = adam.state.slots as { m: Float32Array; v: Float32Array };
    expect(labels).toEqual(["m", "m/√v"]);
    expectAllClose(vectors[0] as Float32Array, m, { relative: 1e-6 });
    expectAllClose(
      vectors[1] as Float32Array,
      m.map((value, i) => value / Math.sqrt(v[i] as number)),
      { relative: 1e-5 },
    );
    const momentum = await updateOf(tf.train.momentum(0.05, 0.9), 1);
    expect(momentDirections(theta, momentum.state).labels).toEqual(["momentum"]);
    for (const state of [null, (await updateOf(tf.train.adam(0.05), 0)).state]) {
      expect(() => momentDirections(theta, state)).toThrow(
        "state: expected an optimizer's state with moments",
      );
    }
  });

  test("thresholds of every class of TensorFlow.js, or why there is none", () => {
    const of = (className: string) =>
      settingsOf({ className, config: { learningRate: 1, momentum: 0.9 } }, 0.1);
    expect(of("SGD")).toEqual({ name: "sgd", learningRate: 0.1 });
    expect(of("Momentum")).toMatchObject({ momentum: 0.9, useNesterov: false });
    expect(of("Adam")).toMatchObject({ beta1: 0.9 });
    for (const name of ["Adagrad", "Adadelta", "Adamax"]) {
      expect(of(name)).toEqual({ reason: expect.stringMatching(`^${name} has no threshold: its scale`) });
    }
    expect(of("Lion")).toHaveProperty("reason");
    expect(settingsOf({ className: "SGD", config: {} }, Number.NaN)).toHaveProperty("reason");
  });
});
