import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { analyzeStability } from "../../src/analysis/analyze-stability.js";
import { decodeNumber } from "../../src/base/json.js";
import { createTrajectoryRecorder } from "../../src/capture/create-recorder.js";
import type { CurvesPanel, Figure } from "../../src/figure/figure.js";
import { readStability } from "../../src/store/kinds/stability-file.js";
import { openRun } from "../../src/store/run/open-run.js";
import { partOfRun, type Run } from "../../src/store/run/run.js";
import { temporaryFolders } from "../support/tiny-training.js";

const newFolder = temporaryFolders();

const SAMPLES = 32;
const xs = tf.randomNormal([SAMPLES, 3], 0, 1, "float32", 1);
const ys = tf.tidy(() => tf.sin(tf.mul(2, tf.sum(xs, 1, true))));

interface Training {
  readonly optimizer: tf.Optimizer;
  readonly epochs?: number;
  readonly every?: number;
  readonly batchSize?: number;
  readonly optimizerState?: boolean;
  /** Layers between the hidden one and the output. */
  readonly between?: () => tf.layers.Layer[];
  readonly callbacks?: tf.CustomCallback[];
}

/** A tanh network under squared error, trained on the whole set unless said otherwise. */
async function trained({ optimizer, ...training }: Training): Promise<{ run: Run; model: tf.LayersModel }> {
  const { epochs = 4, every = 1, batchSize = SAMPLES, optimizerState = true } = training;
  const { between = () => [], callbacks = [] } = training;
  const kernel = (seed: number) => tf.initializers.glorotNormal({ seed });
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 16, inputShape: [3], activation: "tanh", kernelInitializer: kernel(1) }),
      ...between(),
      tf.layers.dense({ units: 1, kernelInitializer: kernel(2) }),
    ],
  });
  model.compile({ optimizer, loss: "meanSquaredError" });
  const directory = newFolder();
  const recorder = trajectoryCallback({ directory, optimizerState, schedule: { everyEpochs: every } });
  await model.fit(xs, ys, {
    epochs,
    batchSize,
    shuffle: false,
    verbose: 0,
    callbacks: [recorder, ...callbacks],
  });
  return { run: await openRun(directory), model };
}

const panelNamed = (figure: Figure, title: string): CurvesPanel =>
  figure.panels.find((panel) => panel.title.startsWith(title)) as CurvesPanel;

describe("a run against its optimizer's own edge of stability", () => {
  test("full-batch gradient descent hovers within 10 % of 2/η, and the figure says so", {
    timeout: 120_000,
  }, async () => {
    const { run, model } = await trained({ optimizer: tf.train.sgd(0.25), epochs: 700, every: 20 });
    const late = partOfRun(run, { from: 24 });
    const { stability, figure } = await analyzeStability(late, model, { xs, ys }, { traceProducts: 0 });
    expect(stability.points).toHaveLength(12);
    const shares = stability.points.map(({ sharpness, threshold }) => sharpness / threshold);
    expect(stability.points[0]?.threshold).toBeCloseTo(8, 9);
    expect(Math.abs(shares.reduce((a, b) => a + b, 0) / shares.length - 1)).toBeLessThan(0.1);
    for (const { sharpness, residual, criticalSharpness, batchSharpness } of stability.points) {
      expect(residual).toBeLessThan(1e-2 * sharpness);
      // On a full batch the two say the same, up to what a quadratic leaves out; neither is above λ₁ for long.
      expect(Math.abs(criticalSharpness - batchSharpness)).toBeLessThan(0.1 * sharpness);
    }
    expect(figure.fidelity[0]).toMatch(
      /\(SGD\) is at its edge of stability: over its last 4 snapshots λ₁ is/,
    );
    const share = panelNamed(figure, "Share of the threshold");
    const drawn = share.series.find(({ name }) => name === "λ₁")?.y.map(decodeNumber);
    expect(drawn).toEqual(shares);
    expect(panelNamed(figure, "Trace")).toBeUndefined();
  });

  test("Adam: λ₁ in its own scale against 38/η, from the recorded state; without it the reason is given", {
    timeout: 120_000,
  }, async () => {
    const { run, model } = await trained({ optimizer: tf.train.adam(0.02), epochs: 6 });
    const { stability, figure } = await analyzeStability(run, model, { xs, ys }, { traceProducts: 4 });
    const [first, ...rest] = stability.points;
    expect(first?.preconditioned).toBeNaN();
    expect(first?.reasons.preconditioned).toBe("the optimizer has done no update yet");
    expect(first?.criticalSharpness).toBeGreaterThan(0);
    for (const point of rest) {
      expect(point.threshold).toBeCloseTo(38 / 0.02, 6);
      expect(point.preconditioned).toBeGreaterThan(0);
      const { criticalSharpness, ...reasons } = point.reasons;
      expect(reasons).toEqual({ batchSharpness: "batch sharpness is for plain SGD" });
      // Momentum turns later than the gradient.
      if (criticalSharpness === undefined) expect(point.criticalSharpness).toBeGreaterThan(0);
      else expect(criticalSharpness).toMatch(/^momentum leads the next update uphill/);
    }
    expect(figure.caption).toContain(
      "λ₁ in the optimizer's scale is not defined: the optimizer has done no update",
    );
    expect(figure.caption).not.toContain("Batch sharpness");
    const bare = await trained({ optimizer: tf.train.adam(0.02), epochs: 2, optimizerState: false });
    const without = await analyzeStability(bare.run, bare.model, { xs, ys }, { traceProducts: 0 });
    const last = without.stability.points.at(-1);
    expect(last?.sharpness).toBeGreaterThan(0);
    expect(last?.reasons.preconditioned).toMatch(/state was not recorded \(optimizerState: true/);
    expect(last?.reasons.criticalSharpness).toMatch(/state was not recorded/);
    expect(without.figure.fidelity[0]).toContain("its distance to the edge of stability is not known");
    // A panel of nothing but the edge would say nothing.
    expect(panelNamed(without.figure, "Share of the threshold")).toBeUndefined();
    expect(panelNamed(figure, "Share of the threshold")).toBeDefined();
  });

  test("mini-batches of plain SGD: batch sharpness with its error; changes of the rate are marked", {
    timeout: 120_000,
  }, async () => {
    const optimizer = tf.train.sgd(0.05);
    const lower = new tf.CustomCallback({
      onEpochEnd: async (epoch) => {
        if (epoch === 1) (optimizer as unknown as tf.SGDOptimizer).setLearningRate(0.01);
      },
    });
    const { run, model } = await trained({ optimizer, batchSize: 4, callbacks: [lower] });
    const tensors = tf.memory().numTensors;
    const { stability, figure } = await analyzeStability(
      run,
      model,
      { xs, ys },
      { batches: 4, traceProducts: 4 },
    );
    expect(tf.memory().numTensors).toBe(tensors);
    expect(stability.minibatch).toBe(4);
    for (const { batchSharpness, batchError } of stability.points) {
      expect(batchSharpness).toBeGreaterThan(0);
      expect(batchError).toBeGreaterThan(0);
    }
    expect(stability.points.map(({ threshold }) => Math.round(threshold))).toEqual([40, 40, 40, 200, 200]);
    expect(panelNamed(figure, "Share").marks).toEqual([{ x: 3, label: "rate changed", tone: "drop" }]);
    expect(figure.caption).toContain("over mini-batches of 4 samples");
  });

  test("goes on where it was stopped, with what was finished; a second time nothing is computed", {
    timeout: 120_000,
  }, async () => {
    const { run, model } = await trained({ optimizer: tf.train.sgd(0.05) });
    const options = { traceProducts: 4, batches: 0 };
    const abort = new AbortController();
    const stopped = analyzeStability(
      run,
      model,
      { xs, ys },
      {
        ...options,
        signal: abort.signal,
        onProgress: (_, done) => {
          if (done === 2) abort.abort(new Error("Ctrl-C"));
        },
      },
    );
    await expect(stopped).rejects.toThrow("Ctrl-C");
    const seen: number[] = [];
    const onProgress = (_: string, done: number) => seen.push(done);
    const { stability } = await analyzeStability(run, model, { xs, ys }, { ...options, onProgress });
    expect(seen).toEqual([3, 4, 5]);
    const again = await analyzeStability(run, model, { xs, ys }, { ...options, onProgress });
    expect(seen).toHaveLength(3);
    expect(again.stability).toEqual(stability);
    const whole = await analyzeStability(run, model, { xs, ys }, { ...options, force: true });
    whole.stability.points.forEach(({ sharpness }, i) => {
      expect(stability.points[i]?.sharpness).toBeCloseTo(sharpness, 4);
    });
    const [file, ...others] = readdirSync(join(run.directory, "curvature")) as [string, ...string[]];
    expect(others).toEqual([]);
    const path = join(run.directory, "curvature", file);
    expect((await readStability(path))?.points).toEqual(whole.stability.points);
    writeFileSync(path, "ARROW1 no");
    await expect(analyzeStability(run, model, { xs, ys }, options)).rejects.toMatchObject({ code: "format" });
  });

  test("dropout and batch norm are said; a layer without weights does not matter", {
    timeout: 120_000,
  }, async () => {
    const between = () => [
      tf.layers.dropout({ rate: 0.3, seed: 1 }),
      tf.layers.batchNormalization(),
      tf.layers.reshape({ targetShape: [16] }),
    ];
    const { run, model } = await trained({ optimizer: tf.train.momentum(0.02, 0.9), epochs: 2, between });
    const { stability, figure } = await analyzeStability(
      run,
      model,
      { xs, ys },
      { snapshots: 2, traceProducts: 0 },
    );
    expect(stability.points.map(({ step }) => step)).toEqual([0, 2]);
    expect(stability.points[1]?.threshold).toBeCloseTo(3.8 / 0.02, 6);
    expect(stability.points[1]?.criticalSharpness).toBeGreaterThan(0);
    expect(figure.caption).toContain(
      "The network has Dropout and BatchNormalization layers: in training the optimizer",
    );
  });

  test("a zero gradient and a loss that is not finite leave nothing made up", async () => {
    const model = tf.sequential({
      layers: [tf.layers.dense({ units: 1, inputShape: [2], kernelInitializer: "zeros" })],
    });
    model.compile({ optimizer: tf.train.sgd(0.1), loss: "meanSquaredError" });
    const directory = newFolder();
    const recorder = await createTrajectoryRecorder({ directory, model, fit: { batchSize: 2 } });
    await recorder.record({ epoch: 0, iteration: 0 });
    model.layers[0]?.setWeights([tf.tensor2d([[Number.NaN], [1]]), tf.tensor1d([0])]);
    await recorder.record({ epoch: 1, iteration: 1 });
    await recorder.close();
    const data = {
      xs: tf.tensor2d([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      ys: tf.zeros([3, 1]),
    };
    const { stability } = await analyzeStability(await openRun(directory), model, data, { traceProducts: 4 });
    const [still, lost] = stability.points;
    expect(still).toMatchObject({ loss: 0, gradientNorm: 0 });
    expect(still?.sharpness).toBeGreaterThan(10);
    expect(still?.reasons).toMatchObject({
      criticalSharpness: "the update is zero",
      batchSharpness: "the gradient of every mini-batch is zero",
    });
    expect(lost?.reasons).toEqual({ curvature: "the loss is NaN" });
    for (const value of [lost?.sharpness, lost?.trace, lost?.criticalSharpness]) expect(value).toBeNaN();
  });

  test("options that cannot be used are named before anything is computed", async () => {
    const { run, model } = await trained({ optimizer: tf.train.sgd(0.1), epochs: 1 });
    const tried = (options: object) => analyzeStability(run, model, { xs, ys }, options);
    await expect(tried({ snapshots: 0 })).rejects.toThrow(
      "snapshots: expected a whole number of at least 1, got 0",
    );
    await expect(tried({ traceProducts: 3 })).rejects.toThrow(
      "traceProducts: expected a whole number of at least 4",
    );
    await expect(tried({ tolerance: 0 })).rejects.toThrow(
      "tolerance: expected a number between 0 and 1, got 0",
    );
    await expect(tried({ minibatch: 1.5 })).rejects.toThrow("minibatch: expected");
    expect(readdirSync(run.directory)).not.toContain("curvature");
  });
});
