import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { createEngineEvaluator } from "../../src/loss/engine/create-engine-evaluator.js";
import type { EvaluationData } from "../../src/loss/evaluation-data.js";
import { createVariablesEvaluator } from "../../src/loss/variables-evaluator.js";
import { bindModel } from "../../src/model/bound-weights.js";
import { layoutOfModel, layoutOfVariables } from "../../src/model/layout-of-model.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(async () => {
  await useTestBackend();
});

const thetaOf = (model: tf.LayersModel) => bindModel(model, layoutOfModel(model)).readSync();

/** A function of the user's own as a layer: no engine knows it. */
class Own extends tf.layers.Layer {
  static className = "Own";
  private readonly own: (x: tf.Tensor) => tf.Tensor;
  constructor(own: (x: tf.Tensor) => tf.Tensor) {
    super({});
    this.own = own;
  }
  override computeOutputShape(shape: tf.Shape): tf.Shape {
    return shape;
  }
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => this.own((Array.isArray(inputs) ? inputs[0] : inputs) as tf.Tensor));
  }
}

const init = (seed: number) => tf.initializers.glorotNormal({ seed });
const dense = (units: number, seed: number, more = {}) =>
  tf.layers.dense({ units, kernelInitializer: init(seed), ...more });

/** Images of which a third is 0, as the background of a digit is, through a LeNet with a layer of one's own. */
function lenet(own: (x: tf.Tensor) => tf.Tensor = (x) => tf.clone(x)) {
  const conv = (seed: number, more = {}) =>
    tf.layers.conv2d({
      filters: 8,
      kernelSize: 3,
      activation: "relu",
      kernelInitializer: init(seed),
      ...more,
    });
  const model = tf.sequential({
    layers: [
      conv(1, { inputShape: [10, 10, 1] }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      conv(2),
      new Own(own),
      tf.layers.flatten(),
      dense(6, 3, { activation: "relu6" }),
      dense(3, 4, { activation: "softmax" }),
    ],
  });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const xs = tf.relu(tf.randomUniform([40, 10, 10, 1], -0.5, 1, "float32", 5));
  const ys = tf.oneHot(tf.randomUniform([40], 0, 3, "int32", 6), 3).cast("float32");
  return { model, data: { xs, ys } };
}

/** A recurrent network over words: no engine knows it. */
function recurrent() {
  const model = tf.sequential({
    layers: [
      tf.layers.embedding({ inputDim: 20, outputDim: 4, inputLength: 5, embeddingsInitializer: init(1) }),
      tf.layers.lstm({ units: 4, kernelInitializer: init(2), recurrentInitializer: init(3) }),
      dense(1, 4, { activation: "sigmoid" }),
    ],
  });
  model.compile({ optimizer: "sgd", loss: "binaryCrossentropy", metrics: ["accuracy"] });
  // The last word never occurs.
  const xs = tf.randomUniform([24, 5], 0, 19, "int32", 5).cast("float32");
  const ys = tf.randomUniform([24, 1], 0, 2, "int32", 6).cast("float32");
  return { model, data: { xs, ys } };
}

function offsetOf(model: tf.LayersModel, name: RegExp): number {
  const found = layoutOfModel(model).parameters.find((parameter) => name.test(parameter.name));
  if (found === undefined) throw new Error(String(name));
  return found.offset;
}

/** A generator's data set, which is read again at each evaluation. */
function stream({ xs, ys }: { readonly xs: tf.Tensor; readonly ys: tf.Tensor }): EvaluationData {
  const batches = function* () {
    for (let i = 0; i < 2; i++) {
      const half = (xs.shape[0] as number) / 2;
      yield { xs: xs.slice(i * half, half), ys: ys.slice(i * half, half) };
    }
  };
  return tf.data.generator(batches as never) as unknown as EvaluationData;
}

async function lossesAt(
  model: tf.LayersModel,
  data: EvaluationData,
  changes: readonly ((theta: Float32Array) => void)[],
  options: Parameters<typeof createEngineEvaluator>[2] = {},
) {
  const evaluator = await createEngineEvaluator(model, data, options);
  const losses: number[] = [];
  for (const change of changes) {
    const theta = thetaOf(model);
    change(theta);
    const { loss, metrics } = await evaluator.evaluate(theta);
    if (Number.isNaN(loss)) expect(Object.values(metrics).every(Number.isNaN)).toBe(true);
    losses.push(loss);
  }
  evaluator.dispose();
  return losses;
}

const times = (by: number) => (theta: Float32Array) => theta.set(theta.map((w) => by * w));
const put = (offset: number, value: number) => (theta: Float32Array) => {
  theta[offset] = value;
};
const same = () => {};

describe("where there is no loss, for models that no engine can compile", () => {
  it("an infinite weight on pixels that are 0, and an overflow, are NaN; −∞ in front of a ReLU is 0", async () => {
    const { model, data } = lenet();
    const kernel = offsetOf(model, /conv2d.*kernel/);
    const bias = offsetOf(model, /conv2d.*bias/);
    const changes = [
      ...[same, times(30), put(bias + 3, Number.NEGATIVE_INFINITY)],
      ...[put(kernel + 4, Number.NEGATIVE_INFINITY), put(kernel + 4, Number.POSITIVE_INFINITY)],
      ...[times(1e14), times(1e25), times(1e38)],
    ];
    const expected = [true, true, true, false, false, false, false, false];
    for (const given of [data, stream(data)]) {
      const losses = await lossesAt(model, given, changes, given === data ? {} : { cacheBytes: 0 });
      expect(losses.map(Number.isFinite)).toEqual(expected);
    }
  });

  it("streams under the model's own ops are audited too", async () => {
    const { model, data } = lenet();
    const plain = tf.sequential({ layers: model.layers.filter((layer) => !(layer instanceof Own)) });
    plain.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
    const losses = await lossesAt(plain, stream(data), [same, times(1e14), times(1e25)], {
      engine: "tfjs",
      cacheBytes: 0,
    });
    expect(losses.map(Number.isFinite)).toEqual([true, false, false]);
  });

  it("a recurrent network: an overflow in front of a gate is NaN, a row that no word looks up is none", async () => {
    const { model, data } = recurrent();
    const rows = offsetOf(model, /embedding/);
    const losses = await lossesAt(model, data, [
      ...[same, put(rows + 19 * 4, Number.NaN), put(rows + 19 * 4, Number.POSITIVE_INFINITY)],
      ...[put(rows + 5, Number.NaN), times(1e30), times(10)],
    ]);
    expect(losses.map(Number.isFinite)).toEqual([true, true, true, false, false, true]);
    expect(losses[1]).toBe(losses[0]);
  });

  it("what `where` leaves out, and an exponential that goes to infinity, are no gaps", async () => {
    const elu = (x: tf.Tensor) => tf.where(tf.greater(x, 0), x, tf.sub(tf.exp(x), 1));
    const sigmoid = (x: tf.Tensor) => tf.div(1, tf.add(1, tf.exp(tf.mul(x, -1e4))));
    const masked = (x: tf.Tensor) => tf.relu(tf.add(x, tf.log(tf.zerosLike(x))));
    for (const own of [elu, sigmoid, masked]) {
      const { model, data } = lenet(own);
      const [loss] = await lossesAt(model, data, [times(3)]);
      expect(loss, String(own)).toBeGreaterThan(0);
    }
    const root = lenet((x) => tf.relu6(tf.sqrt(tf.sub(x, 1e-3))));
    expect(await lossesAt(root.model, root.data, [same])).toEqual([Number.NaN]);
  });

  it("only the samples without a value are NaN one by one; kept NaN in the data is one of them", async () => {
    const { model, data } = lenet();
    const values = data.xs.dataSync().slice();
    values[7 * 100 + 55] = Number.NaN;
    const xs = tf.tensor(values, data.xs.shape);
    const evaluator = await createEngineEvaluator(model, { xs, ys: data.ys }, { nonFiniteData: "keep" });
    expect((await evaluator.evaluate(thetaOf(model))).loss).toBeNaN();
    const samples = await evaluator.perSample?.open(Int32Array.of(3, 7, 8));
    const found = await samples?.evaluate(thetaOf(model));
    expect(Array.from(found?.loss ?? [], Number.isFinite)).toEqual([true, false, true]);
    samples?.dispose();
    evaluator.dispose();
  });

  it("a loss of variables: an overflow that a saturating function hides is NaN", async () => {
    const variables = { kernel: tf.variable(tf.fill([3, 2], 0.5), true, "kernel") };
    const layout = layoutOfVariables(variables);
    const data = { xs: tf.randomUniform([20, 3], 1, 2, "float32", 3), ys: tf.zeros([20, 2]) };
    const evaluator = await createVariablesEvaluator(layout, data, ({ kernel }, xs, ys) =>
      tf.losses.meanSquaredError(ys, tf.tanh(tf.mul(tf.matMul(xs, kernel as tf.Tensor), 10))),
    );
    const at = async (value: number) => (await evaluator.evaluate(new Float32Array(6).fill(value))).loss;
    expect([await at(0.5), await at(1e10), await at(3e38), await at(0.5)].map(Number.isFinite)).toEqual([
      ...[true, true, false, true],
    ]);
    evaluator.dispose();
    tf.dispose(variables);
  });

  it("weights, backend and tensors are left as they were; ordinary points cost no second pass", async () => {
    const { model, data } = lenet();
    const backend = tf.getBackend();
    const theta = thetaOf(model);
    let calls = 0;
    const own = model.layers[3] as tf.layers.Layer;
    const call = own.call.bind(own);
    own.call = (...args) => {
      calls++;
      return call(...args);
    };
    const before = tf.memory().numTensors;
    const evaluator = await createEngineEvaluator(model, data);
    await evaluator.evaluate(theta);
    const once = calls;
    await evaluator.evaluate(theta.map((w) => 1.5 * w));
    expect(calls).toBe(once + 1);
    await evaluator.evaluate(theta.map((w) => 1e20 * w));
    await evaluator.evaluate(theta.map(() => Number.POSITIVE_INFINITY));
    evaluator.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(tf.getBackend()).toBe(backend);
    expect(thetaOf(model)).toEqual(theta);
  });
});
