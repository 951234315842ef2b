import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import {
  changeLearningRate,
  describeOptimizer,
  readLearningRate,
} from "../../src/model/describe-training.js";
import { useTestBackend } from "../support/backend.js";

const OPTIMIZERS: Record<string, (rate: number) => tf.Optimizer> = {
  SGD: (rate) => tf.train.sgd(rate),
  Momentum: (rate) => tf.train.momentum(rate, 0.9),
  RMSProp: (rate) => tf.train.rmsprop(rate, 0.9, 0.5),
  "RMSProp, centred": (rate) => tf.train.rmsprop(rate, 0.9, 0.5, 1e-7, true),
  Adam: (rate) => tf.train.adam(rate),
  Adamax: (rate) => tf.train.adamax(rate),
  Adagrad: (rate) => tf.train.adagrad(rate),
  Adadelta: (rate) => tf.train.adadelta(rate),
};

/** Where x starts at 1 and its constant gradient is 2: x after one update. */
function afterOneUpdate(optimizer: tf.Optimizer): number {
  const x = tf.variable(tf.scalar(1));
  optimizer.minimize(() => tf.mul(x, 2) as tf.Scalar, false, [x]);
  const [value] = x.dataSync();
  x.dispose();
  return value as number;
}

beforeAll(useTestBackend);

describe.each(Object.entries(OPTIMIZERS))("learning rate of %s", (_name, create) => {
  it("is read", () => {
    const optimizer = create(0.25);
    expect(readLearningRate(optimizer)).toBe(0.25);
    optimizer.dispose();
  });

  it("takes effect at the next update, as if the optimizer had been made with it", () => {
    const changed = create(0.5);
    const made = create(0.01);
    expect(changeLearningRate(changed, 0.01)).toBe(true);
    expect(readLearningRate(changed)).toBe(0.01);
    expect(afterOneUpdate(changed)).toBe(afterOneUpdate(made));
    expect(afterOneUpdate(create(0.5))).not.toBe(afterOneUpdate(create(0.01)));
  });

  it("changes without leaking tensors", () => {
    const optimizer = create(0.5);
    const before = tf.memory().numTensors;
    for (const rate of [0.1, 0.01, 0.01, 0.5]) changeLearningRate(optimizer, rate);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("is among the settings", () => {
    const { className, config } = describeOptimizer(create(0.25)) ?? {};
    expect(className).toBe(create(0.25).getClassName());
    expect(config).toMatchObject({ learningRate: 0.25 });
  });
});

describe("an optimizer without a learning rate", () => {
  class Frozen extends tf.Optimizer {
    static get className() {
      return "Frozen";
    }
    override applyGradients() {}
    override getConfig() {
      return {};
    }
  }

  it("reads as NaN and cannot be changed", () => {
    expect(readLearningRate(new Frozen())).toBeNaN();
    expect(changeLearningRate(new Frozen(), 0.1)).toBe(false);
    expect(readLearningRate(undefined)).toBeNaN();
    expect(describeOptimizer(null)).toBeNull();
  });
});
