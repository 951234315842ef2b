import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { createVariablesEvaluator, type VariablesLoss } from "../../src/loss/variables-evaluator.js";
import { layoutOfVariables } from "../../src/model/layout-of-model.js";
import { expectAllClose } from "../support/allclose.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(async () => void (await useTestBackend()));
afterEach(() => tf.disposeVariables());

const SAMPLES = 7;
const x = Float32Array.from({ length: SAMPLES }, (_, i) => i - 2);
const y = Float32Array.from({ length: SAMPLES }, (_, i) => 2 * i + 1);
const layout = () => layoutOfVariables({ w: tf.variable(tf.scalar(0)), b: tf.variable(tf.zeros([1])) });
const line: VariablesLoss = ({ w, b }, xs, ys) =>
  tf.squaredDifference((xs as tf.Tensor).mul(w as tf.Tensor).add(b as tf.Tensor), ys as tf.Tensor);
const truth = (w: number, b: number) =>
  x.reduce((sum, value, i) => sum + (w * value + b - (y[i] as number)) ** 2, 0) / SAMPLES;
const data = () => ({ xs: tf.tensor1d(x), ys: tf.tensor1d(y) });

describe("the loss of variables", () => {
  it("is the mean over all samples, whatever the batches and the form of the result; tensors come as given", async () => {
    const mean: VariablesLoss = (...given) => tf.mean(line(...given) as tf.Tensor);
    for (const loss of [line, mean]) {
      const set = data();
      const own = layout();
      tf.disposeVariables();
      const before = tf.memory().numTensors;
      const evaluator = await createVariablesEvaluator(own, set, loss, { batchSize: 3 });
      const { loss: value } = await evaluator.evaluate(Float32Array.of(1.5, -0.25));
      expectAllClose([value], [truth(1.5, -0.25)], { relative: 1e-5 });
      expect((await evaluator.evaluate(Float32Array.of(Number.NaN, 0))).loss).toBeNaN();
      const other = await evaluator.withData?.({ xs: tf.tensor1d([1]), ys: tf.tensor1d([5]) });
      expectAllClose([(await other?.evaluate(Float32Array.of(2, 0)))?.loss ?? 0], [9], { relative: 1e-6 });
      other?.dispose();
      evaluator.dispose();
      // Two tensors of the other set.
      expect(tf.memory().numTensors).toBe(before + 2);
    }
  });

  it("takes records, lists and data sets; metrics are averaged", async () => {
    const loss: VariablesLoss<{ a: tf.Tensor }, tf.Tensor[]> = (weights, { a }, [target]) => ({
      loss: line(weights, a, target as tf.Tensor) as tf.Tensor,
      metrics: { mae: tf.abs((target as tf.Tensor).sub(a)) },
    });
    const records = { xs: { a: tf.tensor1d(x) }, ys: [tf.tensor1d(y)] };
    const evaluator = await createVariablesEvaluator(layout(), records, loss, {
      batchSize: 2,
    });
    const value = await evaluator.evaluate(Float32Array.of(0, 0));
    const mae = y.reduce((sum, one, i) => sum + Math.abs(one - (x[i] as number)), 0) / SAMPLES;
    expectAllClose([value.loss, value.metrics.mae as number], [truth(0, 0), mae], { relative: 1e-5 });
    const stream = tf.data.generator(function* () {
      for (let i = 0; i < SAMPLES; i += 3)
        yield { xs: tf.tensor1d(x.slice(i, i + 3)), ys: tf.tensor1d(y.slice(i, i + 3)) };
    });
    for (const cacheBytes of [1, 1e6]) {
      const streamed = await createVariablesEvaluator(layout(), stream, line, { cacheBytes });
      expectAllClose([(await streamed.evaluate(Float32Array.of(1, 1))).loss], [truth(1, 1)], {
        relative: 1e-5,
      });
    }
  });

  it("is tried before any work: sums, promises, wrong shapes and chance are found", async () => {
    const open = (loss: unknown) => createVariablesEvaluator(layout(), data(), loss as VariablesLoss);
    await expect(open(3)).rejects.toThrow("loss: expected a function, got number");
    await expect(open(async () => tf.scalar(1))).rejects.toThrow(
      "a tensor, or { loss, metrics } of tensors, got a promise",
    );
    await expect(open(() => tf.zeros([3]))).rejects.toThrow(
      "one value per sample, got shape [3] for 7 samples",
    );
    const total: VariablesLoss = (...given) => tf.sum(line(...given) as tf.Tensor);
    await expect(open(total)).rejects.toThrow(
      /loss function: expected the mean over a batch, .* whose halves give/,
    );
    const random: VariablesLoss = (...given) =>
      tf.mean(line(...given) as tf.Tensor).mul(tf.randomUniform([]));
    const evaluator = await open(random);
    expect(evaluator.facts.warnings?.map(({ code }) => code)).toEqual(["random-loss"]);
    await expect(
      createVariablesEvaluator(layout(), { ...data(), sampleWeight: tf.ones([7]) }, line),
    ).rejects.toThrow("weigh in the loss function itself");
  });
});
