import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { EvaluationError, InvalidDataError, InvalidOptionError } from "../../src/base/errors.js";
import { createModelEvaluator } from "../../src/loss/model-evaluator.js";
import { readWeightsSync } from "../../src/model/bound-weights.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { expectAllClose } from "../support/allclose.js";
import { useTestBackend } from "../support/backend.js";
import { flatWeights } from "../support/tiny-training.js";

beforeAll(async () => void (await useTestBackend()));
afterEach(() => tf.disposeVariables());

const SAMPLES = 23;

function thetaOf(model: tf.LayersModel): Float32Array {
  return readWeightsSync(model, layoutOfModel(model));
}

/** A regression or classification net with dropout and batch normalization, which evaluation must keep still. */
function network(units: number, activation: "linear" | "softmax" | "sigmoid" | "softplus"): tf.Sequential {
  const seed = 3;
  const kernelInitializer = tf.initializers.randomNormal({ stddev: 0.7, seed });
  return tf.sequential({
    layers: [
      tf.layers.dense({ inputShape: [4], units: 6, activation: "tanh", kernelInitializer }),
      tf.layers.dropout({ rate: 0.5 }),
      tf.layers.batchNormalization(),
      tf.layers.dense({ units, activation, kernelInitializer }),
    ],
  });
}

function inputs(samples = SAMPLES): tf.Tensor2D {
  return tf.randomNormal([samples, 4], 0, 1, "float32", 5) as tf.Tensor2D;
}

function classes(samples = SAMPLES, count = 3): tf.Tensor1D {
  return tf.tensor1d(Array.from({ length: samples }, (_, i) => (i * i) % count));
}

function oneHot(samples = SAMPLES, count = 3): tf.Tensor2D {
  return tf.oneHot(classes(samples, count).toInt(), count).toFloat() as tf.Tensor2D;
}

/** What TF.js itself says: [loss, ...metrics]. */
function evaluated(model: tf.LayersModel, xs: tf.Tensor, ys: tf.Tensor): number[] {
  const values = model.evaluate(xs, ys, { batchSize: SAMPLES });
  return (Array.isArray(values) ? values : [values]).map((value) => value.dataSync()[0] as number);
}

describe("createModelEvaluator, compiled losses", () => {
  const positive = () => tf.abs(tf.randomNormal([SAMPLES, 3], 0, 1, "float32", 9)).add(0.1);
  const cases: readonly [string, Parameters<typeof network>[1], () => tf.Tensor][] = [
    ["meanSquaredError", "linear", positive],
    ["meanAbsoluteError", "linear", positive],
    ["meanAbsolutePercentageError", "linear", positive],
    ["meanSquaredLogarithmicError", "softplus", positive],
    ["squaredHinge", "linear", () => oneHot().mul(2).sub(1)],
    ["hinge", "linear", () => oneHot().mul(2).sub(1)],
    ["categoricalHinge", "linear", oneHot],
    ["logcosh", "linear", positive],
    ["categoricalCrossentropy", "softmax", oneHot],
    ["sparseCategoricalCrossentropy", "softmax", classes],
    ["binaryCrossentropy", "sigmoid", oneHot],
    ["kullbackLeiblerDivergence", "softmax", () => tf.softmax(positive())],
    ["poisson", "softplus", positive],
    ["cosineProximity", "linear", positive],
  ];

  it.each(cases)("%s equals model.evaluate, for any batch size", async (loss, activation, targets) => {
    const model = network(3, activation);
    model.compile({ optimizer: "sgd", loss });
    const data = { xs: inputs(), ys: targets() };
    const [expected] = evaluated(model, data.xs, data.ys);
    for (const batchSize of [1, 7, 64]) {
      const evaluator = await createModelEvaluator(model, data, { batchSize });
      const value = await evaluator.evaluate(thetaOf(model));
      expectAllClose([value.loss], [expected as number], { absolute: 2e-6, relative: 2e-6 });
      evaluator.dispose();
    }
    tf.dispose(data);
  });

  it("takes functions, lists by output and maps by output, and sums the outputs' losses", async () => {
    const input = tf.input({ shape: [4], name: "in" });
    const a = tf.layers
      .dense({ units: 3, activation: "softmax", name: "a" })
      .apply(input) as tf.SymbolicTensor;
    const b = tf.layers.dense({ units: 2, name: "b" }).apply(input) as tf.SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: [a, b] });
    const ys = { a: oneHot(), b: tf.randomNormal([SAMPLES, 2], 0, 1, "float32", 2) };
    const xs = inputs();
    const custom = (yTrue: tf.Tensor, yPred: tf.Tensor) => tf.mean(tf.abs(tf.sub(yTrue, yPred)), -1);
    for (const loss of [
      ["categoricalCrossentropy", "meanAbsoluteError"],
      { a: "categoricalCrossentropy", b: "meanAbsoluteError" },
      ["categoricalCrossentropy", custom],
    ]) {
      model.compile({ optimizer: "sgd", loss: loss as string[], metrics: { a: "accuracy", b: "mse" } });
      const values = model.evaluate(xs, [ys.a, ys.b], { batchSize: SAMPLES }) as tf.Scalar[];
      // TF.js returns the running totals of the losses first, then each loss, then the metrics.
      const numbers = values.map((value) => value.dataSync()[0] as number);
      for (const targets of [ys, [ys.a, ys.b]]) {
        const evaluator = await createModelEvaluator(model, { xs: [xs], ys: targets }, { batchSize: 6 });
        const { loss: total, metrics } = await evaluator.evaluate(thetaOf(model));
        expect(evaluator.metricNames).toEqual(["a_loss", "b_loss", "a_acc", "b_mse"]);
        expectAllClose([total], [numbers[1] as number], { absolute: 2e-6 });
        expectAllClose(Object.values(metrics), numbers.slice(2), { absolute: 2e-6 });
        evaluator.dispose();
      }
    }
  });

  it("computes several inputs given by name", async () => {
    const u = tf.input({ shape: [4], name: "u" });
    const v = tf.input({ shape: [4], name: "v" });
    const sum = tf.layers.add().apply([u, v]) as tf.SymbolicTensor;
    const output = tf.layers.dense({ units: 1 }).apply(sum) as tf.SymbolicTensor;
    const model = tf.model({ inputs: [u, v], outputs: output });
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    const xs = { v: inputs(), u: inputs().mul(2) };
    const ys = tf.randomNormal([SAMPLES], 0, 1, "float32", 3);
    const evaluator = await createModelEvaluator(model, { xs, ys }, { batchSize: 5 });
    const [expected] = evaluated(model, [xs.u, xs.v] as unknown as tf.Tensor, ys);
    const { loss } = await evaluator.evaluate(thetaOf(model));
    expectAllClose([loss], [expected as number], { relative: 1e-6 });
    await expect(createModelEvaluator(model, { xs: { u: xs.u }, ys }, {})).rejects.toThrow(
      'xs: expected an entry "v", got entries u',
    );
  });

  it("leaves regularization out, and adds it when asked", async () => {
    const model = tf.sequential();
    const kernelRegularizer = tf.regularizers.l2({ l2: 0.5 });
    model.add(tf.layers.dense({ inputShape: [4], units: 1, kernelRegularizer }));
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    const data = { xs: inputs(), ys: tf.zeros([SAMPLES, 1]) };
    const theta = Float32Array.of(1, -2, 3, 0, 0.5);
    const plain = await createModelEvaluator(model, data);
    const penalized = await createModelEvaluator(model, data, { includeRegularization: true });
    const difference = (await penalized.evaluate(theta)).loss - (await plain.evaluate(theta)).loss;
    expectAllClose([difference], [0.5 * (1 + 4 + 9)], { absolute: 1e-5 });
    expect(penalized.modelDigest).not.toBe(plain.modelDigest);
  });

  it("replaces the loss by a function, weighted by samples, and refuses promises", async () => {
    const model = network(3, "softmax");
    model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
    const data = { xs: inputs(), ys: oneHot() };
    const forward = (m: tf.LayersModel, xs: tf.Tensor | tf.Tensor[]) =>
      m.apply(xs, { training: false }) as tf.Tensor;
    const asMean = await createModelEvaluator(model, data, {
      batchSize: 6,
      lossFunction: (m, xs, ys) => tf.mean(tf.squaredDifference(forward(m, xs), ys as tf.Tensor)),
    });
    const perSample = await createModelEvaluator(model, data, {
      batchSize: 6,
      metrics: [],
      lossFunction: (m, xs, ys) => tf.mean(tf.squaredDifference(forward(m, xs), ys as tf.Tensor), 1),
    });
    const prediction = model.predict(data.xs) as tf.Tensor;
    const expected = tf.mean(tf.squaredDifference(prediction, data.ys)).dataSync()[0] as number;
    const value = await asMean.evaluate(thetaOf(model));
    expectAllClose([value.loss, (await perSample.evaluate(thetaOf(model))).loss], [expected, expected], {
      absolute: 1e-6,
    });
    expectAllClose([value.metrics.acc as number], [evaluated(model, data.xs, data.ys)[1] as number], {
      absolute: 1e-6,
    });
    expect(perSample.metricNames).toEqual([]);
    const wrong = await createModelEvaluator(model, data, {
      lossFunction: (async () => tf.scalar(0)) as unknown as () => tf.Tensor,
    });
    await expect(wrong.evaluate(thetaOf(model))).rejects.toThrow(EvaluationError);
  });
});

describe("createModelEvaluator, metrics", () => {
  it("averages sample means and computes the others on the whole set", async () => {
    const model = network(3, "softmax");
    const metrics = ["accuracy", "mse", "precision", tf.metrics.recall, tf.metrics.r2Score] as string[];
    model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics });
    const data = { xs: inputs(), ys: oneHot() };
    const expected = evaluated(model, data.xs, data.ys);
    const evaluator = await createModelEvaluator(model, data, { batchSize: 4 });
    const value = await evaluator.evaluate(thetaOf(model));
    expect(Object.keys(value.metrics)).toEqual(model.metricsNames.slice(1));
    expectAllClose(Object.values(value.metrics), expected.slice(1), { absolute: 2e-6 });
  });

  it("computes a chosen few, and names the ones there are", async () => {
    const model = network(3, "softmax");
    model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy", "mse"] });
    const data = { xs: inputs(), ys: oneHot() };
    const evaluator = await createModelEvaluator(model, data, { metrics: ["mse"] });
    expect(Object.keys((await evaluator.evaluate(thetaOf(model))).metrics)).toEqual(["mse"]);
    await expect(createModelEvaluator(model, data, { metrics: ["recall"] })).rejects.toThrow(
      'metrics: expected compiled metrics (acc, mse), got "recall"',
    );
  });

  it("refuses, by name, a metric that is no sample mean when the data come in a stream", async () => {
    const model = network(3, "softmax");
    model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy", "precision"] });
    const dataset = tf.data.zip({ xs: rows(inputs()), ys: rows(oneHot()) }).batch(5);
    const evaluator = await createModelEvaluator(model, dataset, { cacheBytes: 0 });
    const before = tf.memory().numTensors;
    await expect(evaluator.evaluate(thetaOf(model))).rejects.toThrow(
      'metric "precision": expected one value per sample',
    );
    expect(tf.memory().numTensors).toBe(before);
  });
});

function rows(tensor: tf.Tensor): tf.data.Dataset<tf.TensorContainer> {
  const values = tensor.arraySync() as number[][];
  return tf.data.array(values as unknown as tf.TensorContainer[]);
}

describe("createModelEvaluator, what it leaves behind", () => {
  function setUp() {
    const model = network(3, "softmax");
    model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
    const data = { xs: inputs(), ys: oneHot() };
    return { model, data, theta: thetaOf(model).map((value) => value + 0.25) };
  }

  it("restores the weights and frees every tensor, also the data's own", async () => {
    const { model, data, theta } = setUp();
    const weights = flatWeights(model);
    const tensors = tf.memory().numTensors;
    const evaluator = await createModelEvaluator(model, data, { batchSize: 5 });
    const held = tf.memory().numTensors;
    await evaluator.evaluate(theta);
    expect(tf.memory().numTensors).toBe(held);
    expect(flatWeights(model)).toEqual(weights);
    evaluator.dispose();
    evaluator.dispose();
    expect(tf.memory().numTensors).toBe(tensors);
    expect(data.xs.isDisposed || data.ys.isDisposed).toBe(false);
    await expect(evaluator.evaluate(theta)).rejects.toThrow(EvaluationError);
  });

  it("bypasses weight constraints, and restores after a throw in the middle", async () => {
    const { model, data, theta } = setUp();
    const weights = flatWeights(model);
    let calls = 0;
    const evaluator = await createModelEvaluator(model, data, {
      batchSize: 5,
      lossFunction: () => {
        if (++calls === 3) throw new Error("third batch");
        return tf.scalar(1);
      },
    });
    const held = tf.memory().numTensors;
    await expect(evaluator.evaluate(theta)).rejects.toThrow("third batch");
    expect(flatWeights(model)).toEqual(weights);
    expect(tf.memory().numTensors).toBe(held);
    expect((await evaluator.evaluate(theta)).loss).toBe(1);
  });

  it("evaluates θ bit for bit where a layer has a constraint", async () => {
    const model = tf.sequential();
    const kernelConstraint = tf.constraints.nonNeg();
    model.add(tf.layers.dense({ inputShape: [1], units: 1, kernelConstraint, useBias: false }));
    model.compile({ optimizer: "sgd", loss: "meanAbsoluteError" });
    const data = { xs: tf.ones([4, 1]), ys: tf.zeros([4, 1]) };
    const evaluator = await createModelEvaluator(model, data);
    expect((await evaluator.evaluate(Float32Array.of(-3))).loss).toBe(3);
  });

  it("stops within one batch of an abort and restores the weights", async () => {
    const { model, data, theta } = setUp();
    const weights = flatWeights(model);
    const controller = new AbortController();
    let batches = 0;
    const evaluator = await createModelEvaluator(model, data, {
      batchSize: 1,
      metrics: [],
      lossFunction: () => {
        if (++batches === 4) setTimeout(() => controller.abort(), 0);
        const until = performance.now() + 3;
        while (performance.now() < until);
        return tf.scalar(0);
      },
    });
    const held = tf.memory().numTensors;
    await expect(evaluator.evaluate(theta, controller.signal)).rejects.toThrow(/abort/i);
    expect(batches).toBeLessThanOrEqual(6);
    expect(flatWeights(model)).toEqual(weights);
    expect(tf.memory().numTensors).toBe(held);
    await expect(evaluator.evaluate(theta, controller.signal)).rejects.toThrow(/abort/i);
  });

  it("lets concurrent evaluations of two evaluators on one model wait for each other", async () => {
    const { model, data, theta } = setUp();
    const other = { xs: inputs(9), ys: oneHot(9) };
    const [first, second] = [
      await createModelEvaluator(model, data),
      await createModelEvaluator(model, other),
    ];
    const signal = new AbortController().signal;
    const apart = [await first.evaluate(theta), await second.evaluate(thetaOf(model))];
    const together = await Promise.all([
      first.evaluate(theta, signal),
      second.evaluate(thetaOf(model), signal),
    ]);
    expect(together).toEqual(apart);
    first.dispose();
    const late = second.evaluate(theta);
    second.dispose();
    await expect(late).rejects.toThrow(EvaluationError);
  });

  it("notices when somebody trains the model meanwhile, and puts the weights of before back", async () => {
    const { model, data, theta } = setUp();
    const weights = flatWeights(model);
    const evaluator = await createModelEvaluator(model, data, { batchSize: 2 });
    const evaluation = evaluator.evaluate(theta, new AbortController().signal);
    await new Promise((resolve) => setImmediate(resolve));
    model.setWeights(model.getWeights().map((weight) => weight.mul(2)));
    await expect(evaluation).rejects.toThrow(
      "expected weights that nobody else changes during an evaluation",
    );
    expect(flatWeights(model)).toEqual(weights);
  });

  it("gives the same bits every time", async () => {
    const { model, data, theta } = setUp();
    const [a, b] = [
      await createModelEvaluator(model, data, { batchSize: 5 }),
      await createModelEvaluator(model, data, { batchSize: 5 }),
    ];
    const first = await a.evaluate(theta);
    expect(await a.evaluate(theta)).toEqual(first);
    expect(await b.evaluate(theta)).toEqual(first);
  });

  it("keeps non-finite losses as they are", async () => {
    const { model, data, theta } = setUp();
    const evaluator = await createModelEvaluator(model, data);
    const broken = theta.slice();
    broken[0] = Number.NaN;
    expect((await evaluator.evaluate(broken)).loss).toBeNaN();
    const { parameters } = layoutOfModel(model);
    const variance = parameters.findLast(({ role }) => role === "state");
    broken.set(theta);
    broken.fill(-1, variance?.offset, (variance?.offset ?? 0) + (variance?.size ?? 0));
    expect((await evaluator.evaluate(broken)).loss).toBeNaN();
    const withNaN = tf.tidy(() => data.xs.concat(tf.fill([1, 4], Number.NaN)));
    const holes = await createModelEvaluator(
      model,
      { xs: withNaN, ys: oneHot(SAMPLES + 1) },
      { nonFiniteData: "keep" },
    );
    expect((await holes.evaluate(theta)).loss).toBeNaN();
    const targets = tf.tidy(() => data.ys.slice(1).concat(tf.fill([1, 3], Number.NaN)));
    for (const loss of ["hinge", "categoricalHinge", "meanSquaredLogarithmicError", "meanSquaredError"]) {
      model.compile({ optimizer: "sgd", loss });
      const unknown = await createModelEvaluator(
        model,
        { xs: data.xs, ys: targets },
        { nonFiniteData: "keep" },
      );
      expect((await unknown.evaluate(theta)).loss, loss).toBeNaN();
    }
  });
});

describe("createModelEvaluator, errors", () => {
  it("refuses models and options that it cannot use", async () => {
    const model = network(3, "softmax");
    const data = { xs: inputs(), ys: oneHot() };
    await expect(createModelEvaluator(model, data)).rejects.toThrow("expected a compiled model");
    model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
    for (const options of [
      { batchSize: 0 },
      { batchSize: 1.5 },
      { sampleLimit: 0 },
      { cacheBytes: -1 },
      { loss: "mse" as "model" },
      { dataId: "" },
    ]) {
      await expect(createModelEvaluator(model, data, options)).rejects.toThrow(InvalidOptionError);
    }
    const evaluator = await createModelEvaluator(model, data);
    await expect(evaluator.evaluate(new Float32Array(3))).rejects.toThrow(
      `expected ${evaluator.parameterCount} weights, got 3`,
    );
    const stateful = tf.sequential();
    stateful.add(tf.layers.simpleRNN({ units: 2, batchInputShape: [1, 3, 4], stateful: true }));
    stateful.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    await expect(createModelEvaluator(stateful, data)).rejects.toThrow(EvaluationError);
  });

  it("refuses data that do not fit, naming the tensor", async () => {
    const model = network(3, "softmax");
    model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
    const xs = inputs();
    const ys = oneHot();
    const before = tf.memory().numTensors;
    const wrong: readonly [unknown, RegExp][] = [
      [null, /data: expected \{ xs, ys \}/],
      [{ xs }, /ys: expected tensors/],
      [{ xs, ys: [1, 2] }, /expected 1 tensor\(s\)/],
      [{ xs: [3], ys }, /expected a tf\.Tensor, got number/],
      [{ xs, ys: tf.tidy(() => ys.slice(0, 4)) }, /expected 23 samples, as in the first input, got 4/],
      [{ xs: ys, ys }, /expected shape \[\*, 4\], got \[23, 3\]/],
      [{ xs, ys: xs }, /expected shape \[\*, 3\], got \[23, 4\]/],
      [{ xs: tf.zeros([0, 4]), ys: tf.zeros([0, 3]) }, /at least one sample/],
      [
        { xs: tf.tensor2d([["a", "b", "c", "d"]]), ys: tf.zeros([1, 3]) },
        /expected numbers, got dtype string/,
      ],
    ];
    for (const [data, message] of wrong) {
      const attempt = createModelEvaluator(model, data as { xs: tf.Tensor; ys: tf.Tensor });
      await expect(attempt).rejects.toThrow(InvalidDataError);
      await expect(createModelEvaluator(model, data as { xs: tf.Tensor; ys: tf.Tensor })).rejects.toThrow(
        message,
      );
    }
    expect(tf.memory().numTensors).toBe(before + 5);
    model.compile({ optimizer: "sgd", loss: "sparseCategoricalCrossentropy" });
    for (const label of [3, -1, 0.5, Number.NaN]) {
      const data = { xs: inputs(2), ys: tf.tensor1d([0, label]) };
      await expect(createModelEvaluator(model, data, { dataId: "d" })).rejects.toThrow(
        `expected class numbers from 0 to 2, got ${label}`,
      );
    }
  });
});
