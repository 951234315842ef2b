import { existsSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { landscapeCallback } from "../../callbacks/landscape-callback.js";
import { type TrajectoryCallbackOptions, trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { analyzeStability } from "../../src/analysis/analyze-stability.js";
import { readFigures } from "../../src/analysis/read-figures.js";
import { createUniform } from "../../src/math/random.js";
import { readWeightsSync } from "../../src/model/bound-weights.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { readStability, writeStability } from "../../src/store/kinds/stability-file.js";
import { openRun } from "../../src/store/run/open-run.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders } from "../support/tiny-training.js";

vi.mock("../../src/store/kinds/stability-file.js", { spy: true });

const newFolder = temporaryFolders();
let xs: tf.Tensor;
let ys: tf.Tensor;

beforeAll(async () => {
  await useTestBackend();
  xs = tf.randomNormal([24, 3], 0, 1, "float32", 7);
  ys = tf.randomNormal([24, 1], 0, 1, "float32", 8);
});

function network(optimizer: tf.Optimizer, first: tf.layers.Layer[] = []): tf.LayersModel {
  const kernel = (seed: number) => ({ kernelInitializer: tf.initializers.glorotNormal({ seed }) });
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 5, inputShape: [3], activation: "tanh", ...kernel(1) }),
      ...first,
      tf.layers.batchNormalization(),
      // Without a seed of its own, the dropout draws from Math.random.
      tf.layers.dropout({ rate: 0.3 }),
      tf.layers.dense({ units: 1, ...kernel(2) }),
    ],
  });
  model.compile({ optimizer, loss: "meanSquaredError" });
  return model;
}

/** Trains with random numbers that are the same each time; what comes out of it. */
async function train(
  optimizer: tf.Optimizer,
  stability: TrajectoryCallbackOptions["stability"],
  directory = newFolder(),
) {
  const model = network(optimizer);
  const layout = layoutOfModel(model);
  const callback = trajectoryCallback({
    ...{ directory, name: "net", stability },
    schedule: { everyBatches: 2 },
  });
  const uniform = createUniform(5, "training");
  const random = vi.spyOn(Math, "random").mockImplementation(uniform);
  try {
    const { history } = await model.fit(xs, ys, {
      epochs: 3,
      batchSize: 8,
      verbose: 0,
      callbacks: [callback],
    });
    const next = uniform();
    return { directory, callback, history, next, theta: readWeightsSync(model, layout), model };
  } finally {
    random.mockRestore();
  }
}

describe("stability while training", () => {
  test.each([
    ["SGD", () => tf.train.sgd(0.05)],
    ["Adam", () => tf.train.adam(0.01)],
  ])("%s: weights, random numbers, history, gradients and memory are as without it", async (_, make) => {
    const gradients = ["Tanh", "MatMul", "BatchMatMul", "Square", "Mean"].map((name) => tf.getGradient(name));
    const kernels = tf.getKernelsForBackend(tf.getBackend()).map(({ kernelFunc }) => kernelFunc);
    const without = await train(make(), undefined);
    const before = tf.memory().numTensors;
    const own = await train(make(), { data: { xs, ys }, every: 2 });
    const left = tf.memory().numTensors - before;
    expect(own.theta).toEqual(without.theta);
    expect(own.history).toEqual(without.history);
    expect(own.next).toBe(without.next);
    expect(["Tanh", "MatMul", "BatchMatMul", "Square", "Mean"].map((name) => tf.getGradient(name))).toEqual(
      gradients,
    );
    expect(tf.getKernelsForBackend(tf.getBackend()).map(({ kernelFunc }) => kernelFunc)).toEqual(kernels);
    // A third training takes what the first one took, and so did the second.
    const again = tf.memory().numTensors;
    await train(make(), undefined);
    expect(left).toBe(tf.memory().numTensors - again);
    expect(own.callback.warnings).toEqual(without.callback.warnings);
  });

  test("the numbers are those of the snapshots, at every n-th; plot draws them afterwards", async () => {
    const { directory, model } = await train(tf.train.sgd(0.05), { data: { xs, ys }, every: 2, batches: 2 });
    const live = await readStability(join(directory, "curvature/stability-live.arrow"));
    const run = await openRun(directory);
    // 9 updates: the initial weights, four that are due, the final ones.
    expect(run.snapshots.length).toBe(6);
    expect(live?.points.map(({ step }) => step)).toEqual([0, 2, 4]);
    const { stability } = await analyzeStability(
      run,
      model,
      { xs, ys },
      { snapshots: "all", batches: 2, traceProducts: 0, directory: newFolder() },
    );
    for (const point of live?.points ?? []) {
      const other = stability.points.find(({ step }) => step === point.step);
      for (const name of ["loss", "gradientNorm", "threshold", "batchSharpness", "sharpness"] as const) {
        expect(Math.abs(point[name] - (other?.[name] ?? Number.NaN)), name).toBeLessThan(
          1e-3 * Math.abs(point[name]),
        );
      }
      expect(Math.abs(point.criticalSharpness / (other?.criticalSharpness ?? 0) - 1)).toBeLessThan(0.05);
    }
    const { figures } = await readFigures(run);
    const drawn = figures.find(({ name }) => name === "plot-stability")?.figure;
    expect(drawn?.caption).toContain("BatchNormalization and Dropout layers");
    await run.close();
  });

  test("Adam is measured in its own scale, also where its state is not recorded", async () => {
    const { directory } = await train(tf.train.adam(0.01), { data: { xs, ys } });
    const live = await readStability(join(directory, "curvature/stability-live.arrow"));
    const [first, ...rest] = live?.points ?? [];
    expect(first?.reasons.preconditioned).toContain("the optimizer has done no update yet");
    expect(rest.length).toBeGreaterThan(3);
    for (const { preconditioned, threshold } of rest.slice(0, -1)) {
      expect(preconditioned).toBeGreaterThan(0);
      expect(threshold).toBeCloseTo(3800, 5);
    }
    expect(existsSync(join(directory, "optimizer"))).toBe(false);
  });

  test("a failure ends it, not the training; plot draws what was measured before", async () => {
    const directory = newFolder();
    const model = network(tf.train.sgd(0.05));
    const callback = trajectoryCallback({ directory, stability: { data: { xs, ys }, batches: 0 } });
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
    const breaking = new tf.CustomCallback({
      onEpochEnd: async (epoch) => {
        if (epoch === 1) vi.mocked(writeStability).mockRejectedValueOnce(new Error("the disk is full"));
      },
    });
    const { epoch } = await model.fit(xs, ys, { epochs: 4, verbose: 0, callbacks: [callback, breaking] });
    warned.mockRestore();
    expect(epoch.length).toBe(4);
    expect(callback.warnings).toContainEqual({
      code: "stability-failed",
      message: expect.stringContaining("without its stability: the disk is full"),
    });
    const live = await readStability(join(directory, "curvature/stability-live.arrow"));
    expect(live?.points.map(({ step }) => step)).toEqual([0, 1, 2, 3]);
    const run = await openRun(directory);
    expect(run.snapshots.length).toBe(5);
    const { figures } = await readFigures(run);
    expect(figures.map(({ name }) => name)).toContain("plot-stability");
    await run.close();
  });

  test("eigenvalues that have not converged are named, as analyzeStability names them", async () => {
    const directory = newFolder();
    // Products of float32 do not give so many digits.
    const stability = { data: { xs, ys }, batches: 0, tolerance: 1e-12, every: 100 };
    const callback = trajectoryCallback({ directory, stability });
    await network(tf.train.sgd(0.05)).fit(xs, ys, { epochs: 1, verbose: 0, callbacks: [callback] });
    const live = await readStability(join(directory, "curvature/stability-live.arrow"));
    expect(live?.points.length).toBe(1);
    expect(live?.warnings.map(({ code }) => code)).toEqual(["stability-not-converged"]);
  });

  test("what cannot be measured is refused before the first batch; options by name", async () => {
    const model = network(tf.train.sgd(0.05));
    const before = readWeightsSync(model, layoutOfModel(model));
    const trained = (stability: TrajectoryCallbackOptions["stability"]) =>
      model.fit(xs, ys, {
        epochs: 1,
        verbose: 0,
        callbacks: [trajectoryCallback({ directory: newFolder(), stability })],
      });
    await expect(trained({ data: { xs: tf.ones([4, 2]), ys } })).rejects.toThrow("xs");
    await expect(trained({ data: { xs, ys }, minibatch: 25 })).rejects.toThrow(
      "minibatch: expected at most the 24 samples of the data, got 25",
    );
    expect(readWeightsSync(model, layoutOfModel(model))).toEqual(before);
    const make = (stability: object) => () =>
      trajectoryCallback({
        directory: "never",
        stability: stability as { data: { xs: tf.Tensor; ys: tf.Tensor } },
      });
    expect(make({ data: { xs, ys }, every: 0 })).toThrow(
      "stability.every: expected a whole number of at least 1",
    );
    expect(make({ data: 3 })).toThrow("stability.data: expected { xs, ys }");
    expect(make({ data: { xs, ys }, evry: 2 })).toThrow("evry");
    expect(() =>
      landscapeCallback({ directory: "never", data: { xs, ys }, stability: { every: 0 } }),
    ).toThrow("stability.every");
  });
});
