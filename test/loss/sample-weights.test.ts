import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { weightWarnings } from "../../src/analysis/trained-weights.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import type { EngineChoice } from "../../src/loss/loss-options.js";
import { readWeights } from "../../src/model/bound-weights.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { expectAllClose } from "../support/allclose.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(async () => void (await useTestBackend()));
afterEach(() => tf.disposeVariables());

const SAMPLES = 22;
const classWeight = { 0: 1, 1: 5, 2: 0.25 };
const labels = Array.from({ length: SAMPLES }, (_, i) => (7 * i + (i >> 2)) % 3);
const engines: EngineChoice[] = [
  "tfjs",
  "tfjs-fused",
  "onnx",
  ...(process.env.TFJS_LANDSCAPE_BACKEND === "native" ? ["tensorflow" as const] : []),
];

function setUp(targets: "one-hot" | "labels" = "one-hot") {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 5, inputShape: [4], activation: "relu" }),
      tf.layers.dense({ units: 3, activation: "softmax" }),
    ],
  });
  const loss = targets === "labels" ? "sparseCategoricalCrossentropy" : "categoricalCrossentropy";
  model.compile({ optimizer: tf.train.sgd(0), loss, metrics: ["accuracy"] });
  const xs = tf.randomNormal([SAMPLES, 4], 0, 1, "float32", 7);
  const ys =
    targets === "labels" ? tf.tensor2d(labels, [SAMPLES, 1]) : tf.oneHot(tf.tensor1d(labels, "int32"), 3);
  return { model, xs, ys };
}

/** What `fit` logs where nothing is learned and one batch holds all samples. */
async function logged(model: tf.LayersModel, xs: tf.Tensor, ys: tf.Tensor) {
  const { history } = await model.fit(xs, ys, { epochs: 1, batchSize: SAMPLES, classWeight, verbose: 0 });
  return { loss: history.loss?.[0] as number, acc: history.acc?.[0] as number };
}

describe("class weights", () => {
  it.each(engines)("give the loss that fit logs, and metrics without weights: %s", async (engine) => {
    const { model, xs, ys } = setUp();
    const layout = layoutOfModel(model);
    const theta = await readWeights(model, layout);
    const expected = await logged(model, xs, ys);
    const evaluator = await createLossEvaluator(model, { xs, ys }, { engine, classWeight, batchSize: 8 });
    const plain = await createLossEvaluator(model, { xs, ys }, { engine, batchSize: 8 });
    const value = await evaluator.evaluate(theta);
    expectAllClose([value.loss, value.metrics.acc as number], [expected.loss, expected.acc], {
      relative: 1e-5,
    });
    expect(Math.abs((await plain.evaluate(theta)).loss - expected.loss)).toBeGreaterThan(0.1);
    expect(evaluator.facts.weights).toBe("class weights 0: 1, 1: 5, 2: 0.25");
    expect(evaluator.facts.modelDigest).not.toBe(plain.facts.modelDigest);

    // Single samples and planes are weighted as well.
    const samples = await evaluator.openSamples?.(null);
    const each = await samples?.losses(theta);
    expectAllClose(
      [(each?.loss ?? new Float64Array()).reduce((a, b) => a + b, 0) / SAMPLES],
      [expected.loss],
      { relative: 1e-5 },
    );
    const step = Float32Array.from(theta, (_, i) => Math.sin(i));
    const slice = await evaluator.openSlice?.({ center: theta, vectors: [step] }, { points: 20 });
    const moved = Float32Array.from(theta, (w, i) => w + 0.5 * (step[i] as number));
    expectAllClose([(await slice?.evaluate(0.5, 0))?.loss ?? 0], [(await evaluator.evaluate(moved)).loss], {
      relative: 1e-5,
    });
    slice?.dispose();
    samples?.dispose();
    evaluator.dispose();
    plain.dispose();
  });

  it("by class numbers, in data sets that are kept and that are streamed", async () => {
    const { model, xs, ys } = setUp("labels");
    const theta = await readWeights(model, layoutOfModel(model));
    const expected = await logged(model, xs, ys);
    const stream = tf.data.generator(function* () {
      for (let i = 0; i < SAMPLES; i += 5) {
        const count = Math.min(5, SAMPLES - i);
        yield { xs: xs.slice([i, 0], [count, 4]), ys: ys.slice([i, 0], [count, 1]) };
      }
    });
    for (const [data, cacheBytes] of [
      [{ xs, ys }, 1],
      [stream, 1e6],
      [stream, 1],
    ] as const) {
      const before = tf.memory().numTensors;
      const evaluator = await createLossEvaluator(model, data, { classWeight, cacheBytes });
      expectAllClose([(await evaluator.evaluate(theta)).loss], [expected.loss], { relative: 1e-5 });
      evaluator.dispose();
      expect(tf.memory().numTensors).toBe(before);
    }
    const { 2: _, ...few } = classWeight;
    for (const data of [{ xs, ys }, stream]) {
      await expect(createLossEvaluator(model, data, { classWeight: few, cacheBytes: 1 })).rejects.toThrow(
        /^classWeight, ys\.\S+: expected a weight for each class in the data, got class 2, and weights of 0, 1/,
      );
    }
  });

  it("are refused by name where they cannot be meant", async () => {
    const { model, xs, ys } = setUp();
    const open = (options: object) => createLossEvaluator(model, { xs, ys }, options);
    await expect(open({ classWeight: { 0: -1 } })).rejects.toThrow(
      /classWeight: expected a weight of at least 0/,
    );
    await expect(open({ classWeight: 3 })).rejects.toThrow(
      "classWeight: expected { class: weight }, got number",
    );
    await expect(open({ classWeight: [{ 0: 1 }, { 0: 1 }] })).rejects.toThrow(
      "one for each of 1 outputs, got 2",
    );
    const lossFunction = () => tf.scalar(1);
    await expect(open({ classWeight, lossFunction })).rejects.toThrow("none beside a lossFunction");
    const scalar = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [4] })] });
    scalar.compile({ optimizer: "sgd", loss: (a, b) => tf.mean(tf.squaredDifference(a, b)) });
    const before = tf.memory().numTensors;
    await expect(
      createLossEvaluator(scalar, { xs, ys: tf.zeros([SAMPLES, 1]) }, { classWeight: { 0: 2 } }),
    ).rejects.toThrow(
      "loss: expected one value per sample, to be weighted, got one number for a whole batch",
    );
    expect(tf.memory().numTensors).toBe(before + 1);
  });
});

describe("weights of samples", () => {
  it.each(engines)("weigh each loss, with those of the classes: %s", async (engine) => {
    const { model, xs, ys } = setUp();
    const theta = await readWeights(model, layoutOfModel(model));
    const own = Float32Array.from({ length: SAMPLES }, (_, i) => i / 10);
    const plain = await createLossEvaluator(model, { xs, ys }, { engine });
    const each = (await (await plain.openSamples?.(null))?.losses(theta))?.loss as Float64Array;
    const mean = (weightOf: (i: number) => number) =>
      each.reduce((sum, loss, i) => sum + weightOf(i) * loss, 0) / SAMPLES;
    const data = { xs, ys, sampleWeight: tf.tensor1d(own) };
    const evaluator = await createLossEvaluator(model, data, { engine, batchSize: 8 });
    expectAllClose([(await evaluator.evaluate(theta)).loss], [mean((i) => own[i] as number)], {
      relative: 1e-5,
    });
    expect(evaluator.facts.dataDigest).not.toBe(plain.facts.dataDigest);
    const both = await createLossEvaluator(model, data, { engine, classWeight, sampleLimit: 20 });
    const byClass = (i: number) => classWeight[labels[i] as 0 | 1 | 2] * (i < 20 ? (own[i] as number) : 0);
    expectAllClose([(await both.evaluate(theta)).loss], [(mean(byClass) * SAMPLES) / 20], { relative: 1e-5 });
    expect(both.facts.weights).toBe("class weights 0: 1, 1: 5, 2: 0.25, weights of samples");
    for (const one of [plain, evaluator, both]) one.dispose();
  });

  it("are checked", async () => {
    const { model, xs, ys } = setUp();
    const open = (sampleWeight: tf.Tensor) => createLossEvaluator(model, { xs, ys, sampleWeight });
    await expect(open(tf.ones([3]))).rejects.toThrow("sampleWeight: expected shape [22], got [3]");
    await expect(open(tf.fill([SAMPLES], -1))).rejects.toThrow(
      "finite numbers of at least 0, got -1 (sample 0)",
    );
    const stream = tf.data.array([{ xs: [1, 2, 3, 4], ys: [1, 0, 0], sampleWeight: 2 }]).batch(1);
    await expect(createLossEvaluator(model, stream)).rejects.toThrow(
      "batches { xs, ys }, got batches with sampleWeight",
    );
  });
});

describe("a run that was trained with weights", () => {
  const manifest = { name: "sgd", fit: { epochs: 3, classWeight: { 0: 1, 1: 5 } } };

  it("is warned of where the evaluation has none, or others", () => {
    expect(weightWarnings([{ manifest }], { weights: "class weights 0: 1, 1: 5" })).toEqual([]);
    expect(weightWarnings([{ manifest: { ...manifest, fit: {} } }], {})).toEqual([]);
    const [none, other] = [{}, { weights: "class weights 0: 2, 1: 5" }].flatMap((f) =>
      weightWarnings([{ manifest }], f),
    );
    expect(none?.message).toContain("sgd was trained with class weights 0: 1, 1: 5, the evaluation has none");
    expect(other?.message).toContain("the evaluation has class weights 0: 2, 1: 5");
  });
});
