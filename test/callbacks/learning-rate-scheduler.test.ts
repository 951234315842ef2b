import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { type LearningRateSchedule, learningRateScheduler } from "../../callbacks/learning-rate-scheduler.js";
import { InvalidOptionError, RunStateError } from "../../src/base/errors.js";
import { readLearningRate } from "../../src/model/describe-training.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(useTestBackend);

/** Trains a tiny model of 2 batches an epoch; returns the rate at the end of every batch. */
async function ratesOf(
  schedule: LearningRateSchedule,
  {
    optimizer = tf.train.sgd(0.5),
    per,
    epochs = 4,
    initialEpoch = 0,
    scheduler = learningRateScheduler(schedule, per === undefined ? {} : { per }),
  }: {
    optimizer?: tf.Optimizer;
    per?: "epoch" | "batch";
    epochs?: number;
    initialEpoch?: number;
    scheduler?: ReturnType<typeof learningRateScheduler>;
  } = {},
) {
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
  model.compile({ optimizer, loss: "meanSquaredError" });
  const [xs, ys] = [tf.ones([4, 2]), tf.ones([4, 1])];
  const rates: number[] = [];
  class Watch extends tf.CustomCallback {
    override async onBatchEnd() {
      rates.push(readLearningRate(optimizer));
    }
  }
  const callbacks = [scheduler, new Watch({})];
  const before = tf.memory().numTensors;
  await model.fit(xs, ys, { epochs, initialEpoch, batchSize: 2, verbose: 0, callbacks });
  expect(tf.memory().numTensors - before).toBe(0);
  tf.dispose([xs, ys]);
  model.dispose();
  return rates;
}

/** The rate of each epoch: both of its batches must have used it. */
async function epochRates(...args: Parameters<typeof ratesOf>) {
  const rates = await ratesOf(...args);
  expect(rates.filter((_, index) => index % 2 === 0)).toEqual(rates.filter((_, index) => index % 2 === 1));
  return rates.filter((_, index) => index % 2 === 0);
}

describe("LearningRateScheduler", () => {
  it.each<[string, LearningRateSchedule, number[]]>([
    ["step", { kind: "step", every: 2, factor: 0.5 }, [0.5, 0.5, 0.25, 0.25]],
    ["step of 0.1", { kind: "step", every: 3 }, [0.5, 0.5, 0.5, 0.05]],
    ["exponential", { kind: "exponential", factor: 0.5, initial: 1 }, [1, 0.5, 0.25, 0.125]],
    ["cosine", { kind: "cosine", over: 2, final: 0.1 }, [0.5, 0.3, 0.1, 0.1]],
    [
      "piecewise",
      {
        kind: "piecewise",
        rates: [
          { at: 1, rate: 0.2 },
          { at: 3, rate: 0 },
        ],
      },
      [0.5, 0.2, 0.2, 0],
    ],
    ["function", (epoch, rate) => rate / (epoch + 1), [0.5, 0.25, 0.5 / 6, 0.5 / 24]],
  ])("%s", async (_name, schedule, expected) => {
    const rates = await epochRates(schedule);
    expect(rates).toHaveLength(expected.length);
    rates.forEach((rate, epoch) => {
      expect(rate).toBeCloseTo(expected[epoch] as number, 12);
    });
  });

  it("counts updates with per: batch", async () => {
    const rates = await ratesOf({ kind: "exponential", factor: 0.5 }, { per: "batch", epochs: 2 });
    expect(rates).toEqual([0.5, 0.25, 0.125, 0.0625]);
  });

  it("numbers epochs as fit does", async () => {
    const rates = await epochRates({ kind: "step", every: 2, factor: 0.5 }, { initialEpoch: 2, epochs: 5 });
    expect(rates).toEqual([0.25, 0.25, 0.125]);
  });

  it("does not decay twice when the same optimizer trains on", async () => {
    const optimizer = tf.train.sgd(0.5);
    const schedule: LearningRateSchedule = { kind: "step", every: 1, factor: 0.5 };
    const scheduler = learningRateScheduler(schedule);
    expect(await epochRates(schedule, { optimizer, scheduler, epochs: 2 })).toEqual([0.5, 0.25]);
    const continued = { optimizer, scheduler, initialEpoch: 2, epochs: 4 };
    expect(await epochRates(schedule, continued)).toEqual([0.125, 0.0625]);
    optimizer.setLearningRate(0.8);
    expect(await epochRates(schedule, { optimizer, scheduler, epochs: 1 })).toEqual([0.8]);
  });

  it.each<[unknown, RegExp]>([
    [{ kind: "linear" }, /^schedule.kind: expected "step", .*, got "linear"$/],
    ["step", /^schedule.kind: expected/],
    [{ kind: "step", every: 0 }, /^schedule.every: expected a positive integer, got 0$/],
    [{ kind: "step", every: 1, factor: -1 }, /^schedule.factor: expected a finite number above 0, got -1$/],
    [{ kind: "exponential" }, /^schedule.factor: expected a finite number above 0, got undefined$/],
    [{ kind: "exponential", factor: 1, initial: Number.NaN }, /^schedule.initial: .* got NaN$/],
    [{ kind: "cosine", over: 1.5 }, /^schedule.over: expected a positive integer, got 1.5$/],
    [
      { kind: "cosine", over: 2, final: -1 },
      /^schedule.final: expected a finite rate of at least 0, got -1$/,
    ],
    [{ kind: "piecewise", rates: [] }, /^schedule.rates: expected a list of { at, rate }, got \[\]$/],
    [{ kind: "piecewise", rates: [{ at: -1, rate: 1 }] }, /^schedule.rates\[0\].at: /],
    [{ kind: "piecewise", rates: [{ at: 1, rate: -1 }] }, /^schedule.rates\[0\].rate: /],
    [
      {
        kind: "piecewise",
        rates: [
          { at: 2, rate: 1 },
          { at: 2, rate: 1 },
        ],
      },
      /^schedule.rates\[1\].at: expected more than 2, got 2$/,
    ],
  ])("refuses %j", (schedule, message) => {
    expect(() => learningRateScheduler(schedule as LearningRateSchedule)).toThrow(InvalidOptionError);
    expect(() => learningRateScheduler(schedule as LearningRateSchedule)).toThrow(message);
  });

  it("refuses another unit of time", () => {
    const options = { per: "step" } as unknown as { per: "batch" };
    expect(() => learningRateScheduler({ kind: "step", every: 1 }, options)).toThrow(
      /^per: expected "epoch" or "batch", got "step"$/,
    );
  });

  it("stops training at a rate that no optimizer can use", async () => {
    await expect(ratesOf(() => Number.NaN)).rejects.toThrow(
      /^learning rate of epoch 0: expected a finite rate of at least 0, got NaN$/,
    );
  });

  it("refuses a model that is not compiled", () => {
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
    expect(() => learningRateScheduler({ kind: "step", every: 1 }).setModel(model)).toThrow(RunStateError);
    model.dispose();
  });
});
