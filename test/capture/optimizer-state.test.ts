import { copyFileSync, existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { describe, expect, it } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { createTrajectoryRecorder } from "../../src/capture/create-recorder.js";
import { readOptimizerState, removeOptimizerStates } from "../../src/capture/optimizer-state-file.js";
import { type OptimizerState, stateSlots } from "../../src/model/optimizer-state.js";
import { openRun } from "../../src/store/run/open-run.js";
import { temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";

const newFolder = temporaryFolders();

/** Trains the tiny model for two epochs of three updates and returns its optimizer. */
async function train(
  directory: string,
  optimizer: tf.Optimizer,
  options: Partial<Parameters<typeof trajectoryCallback>[0]> = {},
): Promise<tf.Optimizer> {
  const { xs, ys } = tinyData();
  const callback = trajectoryCallback({ directory, optimizerState: true, ...options });
  await tinyModel(optimizer).fit(xs, ys, { epochs: 2, batchSize: 4, verbose: 0, callbacks: [callback] });
  return optimizer;
}

describe("the optimizer's state beside the snapshots", () => {
  it.each([
    ["Adam", () => tf.train.adam(0.01), ["m", "v"]],
    ["momentum", () => tf.train.momentum(0.01, 0.9), ["momentum"]],
    ["centred RMSProp", () => tf.train.rmsprop(0.01, 0.9, 0.5, 1e-7, true), ["rms", "momentum", "mg"]],
    ["Adagrad", () => tf.train.adagrad(0.01), ["accumulator"]],
    ["Adadelta", () => tf.train.adadelta(0.01), ["accum_grad", "accum_var"]],
    ["SGD", () => tf.train.sgd(0.01), []],
  ] as const)("%s: what it keeps, in the order of θ", async (_name, create, slots) => {
    const directory = newFolder();
    const optimizer = await train(directory, create());
    const run = await openRun(directory);
    expect((await readOptimizerState(run, 0))?.slots).toEqual({});
    const last = await readOptimizerState(run, run.snapshots.length - 1);
    expect(last?.iterations).toBe(6);
    expect(Object.keys(last?.slots ?? {})).toEqual(slots);
    expect(slots).toHaveLength(stateSlots(optimizer));
    const trained = run.layout.parameters.filter(({ trainable }) => trainable);
    expect(last?.weights).toEqual(slots.length === 0 ? [] : trained.map(({ name }) => name));
    const [counter, ...kept] = await optimizer.getWeights();
    counter?.tensor.dispose();
    slots.forEach((slot, k) => {
      const expected = kept
        .slice(k * trained.length, (k + 1) * trained.length)
        .flatMap(({ tensor }) => Array.from(tensor.dataSync()));
      const found = last?.slots[slot] as Float32Array;
      expect(Array.from(found.subarray(0, run.layout.trainableCount))).toEqual(expected);
      expect(found.subarray(run.layout.trainableCount).every((value) => value === 0)).toBe(true);
      expect(expected.some((value) => value !== 0)).toBe(true);
    });
  });

  it("no tensor is left over, and without the option there is no folder", async () => {
    const directory = newFolder();
    const before = tf.memory().numTensors;
    const optimizer = tf.train.sgd(0.01);
    const model = tinyModel(optimizer);
    const { xs, ys } = tinyData();
    const own = tf.memory().numTensors;
    const callbacks = [trajectoryCallback({ directory, optimizerState: true })];
    await model.fit(xs, ys, { epochs: 1, verbose: 0, callbacks });
    expect(tf.memory().numTensors - own).toBeLessThanOrEqual(0);
    expect(own).toBeGreaterThan(before);
    const other = newFolder();
    await train(other, tf.train.adam(0.01), { optimizerState: false });
    expect(existsSync(join(other, "optimizer"))).toBe(false);
    expect(await readOptimizerState(await openRun(other), 1)).toBeNull();
  });

  it("is float32 and of its own snapshot also where weights are float16", async () => {
    const directory = newFolder();
    await train(directory, tf.train.adam(0.01), { dtype: "float16" });
    const state = await readOptimizerState(await openRun(directory), 1);
    expect(state?.slots.v?.some((value) => value > 0)).toBe(true);
  });

  it("Adamax, which does not give it away, and no optimizer are refused before training", async () => {
    const directory = newFolder();
    await expect(train(directory, tf.train.adamax(0.01))).rejects.toThrow(
      /^optimizerState: expected an optimizer that gives its state away, got Adamax: getWeights\(\) is not/,
    );
    expect(existsSync(directory)).toBe(false);
    const w = tf.variable(tf.tensor1d([1]));
    await expect(
      createTrajectoryRecorder({ directory, variables: { w }, optimizerState: true }),
    ).rejects.toThrow(/^optimizerState: expected an optimizer whose state can be recorded, got none/);
    await expect(train(directory, tf.train.sgd(1), { optimizerState: 1 as never })).rejects.toThrow(
      /^optimizerState: expected true or false, got 1/,
    );
  });

  it("a loop that does not wait is told so, and what was recorded stays", async () => {
    const directory = newFolder();
    const w = tf.variable(tf.tensor1d([1, 2]), true, "waiting-w");
    const optimizer = tf.train.momentum(0.1, 0.9);
    const recorder = await createTrajectoryRecorder({
      directory,
      variables: { w },
      optimizer,
      optimizerState: true,
    });
    const update = () => optimizer.minimize(() => tf.sum(tf.square(w)) as tf.Scalar);
    await recorder.record({ epoch: 0, iteration: 0 });
    update();
    await recorder.record({ epoch: 0, iteration: 1 });
    const recording = recorder.record({ epoch: 0, iteration: 1 });
    update();
    await expect(recording).rejects.toThrow(/expected training to wait until its state is read, got another/);
    await recorder.close();
    const run = await openRun(directory);
    expect(run.snapshots).toHaveLength(2);
    expect((await readOptimizerState(run, 1))?.slots).toEqual({ momentum: Float32Array.of(2, 4) });
  });

  it("damaged files and those of another snapshot are named", async () => {
    const directory = newFolder();
    await train(directory, tf.train.adam(0.01));
    const run = await openRun(directory);
    const path = (step: number) => join(directory, "optimizer", `00000${step}.arrow`);
    const good = readFileSync(path(1));
    copyFileSync(path(2), path(1));
    await expect(readOptimizerState(run, 1)).rejects.toThrow(/optimizer.000001.arrow: expected the state of/);
    const text = good.toString("latin1");
    for (const at of [8, good.length >> 1, good.length - 20]) {
      const bad = Buffer.from(text, "latin1");
      bad[at] = (bad[at] as number) ^ 0x10;
      writeFileSync(path(1), bad);
      const found = await readOptimizerState(run, 1).catch((error: unknown) => error);
      if (found instanceof Error) expect(found).toMatchObject({ code: "format" });
      else expect((found as OptimizerState).slots.m?.length).toBe(run.layout.parameterCount);
    }
    writeFileSync(path(1), good);
    truncateSync(path(1), 300);
    await expect(readOptimizerState(run, 1)).rejects.toMatchObject({ code: "format" });
    copyFileSync(join(directory, "snapshots", "000001.arrow"), path(1));
    await expect(readOptimizerState(run, 1)).rejects.toMatchObject({ code: "format" });
  });

  it("overwrite takes it away with the snapshots, and so does clean", async () => {
    const directory = newFolder();
    await train(directory, tf.train.adam(0.01));
    expect(readdirSync(join(directory, "optimizer"))).toHaveLength(3);
    await train(directory, tf.train.adam(0.01), { overwrite: true, optimizerState: false });
    expect(existsSync(join(directory, "optimizer"))).toBe(false);
    await train(directory, tf.train.adam(0.01), { overwrite: true });
    expect((await removeOptimizerStates(directory, true)).files).toBe(3);
    expect((await removeOptimizerStates(directory)).bytes).toBeGreaterThan(1000);
    const run = await openRun(directory);
    expect(await readOptimizerState(run, 1)).toBeNull();
    expect(run.snapshots).toHaveLength(3);
  });

  it("the last weights, put in place after training, have no state", async () => {
    const directory = newFolder();
    const { xs, ys } = tinyData();
    const model = tinyModel(tf.train.adam(0.01));
    const callback = trajectoryCallback({ directory, optimizerState: true });
    const restore = new tf.CustomCallback({
      onEpochEnd: async (epoch) => {
        if (epoch === 1) model.setWeights(model.getWeights().map((weight) => weight.mul(0.5)));
      },
    });
    await model.fit(xs, ys, { epochs: 2, verbose: 0, callbacks: [callback, restore] });
    const run = await openRun(directory);
    expect(run.snapshots).toHaveLength(4);
    expect(await readOptimizerState(run, 2)).not.toBeNull();
    expect(await readOptimizerState(run, 3)).toBeNull();
  });
});
