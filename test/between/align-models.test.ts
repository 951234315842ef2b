import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { alignModels } from "../../src/between/align-models.js";
import { barriersOf } from "../../src/between/barrier.js";
import { connectModels } from "../../src/between/connection.js";
import { evaluatePath, linePath } from "../../src/between/path-losses.js";
import { permuteWeights, randomPermutation } from "../../src/between/permutation.js";
import { permutationGroups } from "../../src/between/permutation-groups.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import { readWeightsSync } from "../../src/model/bound-weights.js";
import { useTestBackend } from "../support/backend.js";
import { SMALL_MODELS } from "./models.js";

beforeAll(async () => {
  await useTestBackend();
});

const targets = () => tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1, 2, 0, 1], "int32"), 3).toFloat();

describe("a permuted copy is the same solution", () => {
  test.each(Object.entries(SMALL_MODELS))(
    "%s",
    async (_, make) => {
      const { model, inputs } = make();
      const data = { xs: inputs()[0], ys: targets() };
      const groups = permutationGroups(model);
      const theta = readWeightsSync(model, groups.layout);
      const copy = permuteWeights(theta, groups, randomPermutation(groups, 2));
      const tensors = tf.memory().numTensors;
      for (const method of ["weights", "activations"] as const) {
        const aligned = await alignModels(model, data, theta, copy, { method });
        expect(aligned.theta, method).toEqual(theta);
        expect(aligned.distance.before).toBeGreaterThan(0);
        expect(aligned.distance.after).toBe(0);
        expect(aligned.outputDifference).toBeLessThanOrEqual(1e-6);
        expect(aligned.moved).toBeGreaterThan(0);
        expect(aligned.warnings).toEqual([]);
      }
      expect(tf.memory().numTensors).toBe(tensors);
      expect(readWeightsSync(model, groups.layout)).toEqual(theta);
      const evaluator = await createLossEvaluator(model, data, { engine: "tfjs" });
      const aligned = await alignModels(model, data, theta, copy);
      const line = await evaluatePath(
        "aligned",
        linePath(theta, aligned.theta),
        [{ name: "train", evaluator }],
        "interpolate",
        { points: 5 },
      );
      const [{ loss, errors }] = barriersOf(line);
      // The points between are the same weights, mixed in float64 and rounded.
      expect(loss.aboveLine).toBeLessThanOrEqual(1e-6);
      expect(errors.acc.aboveLine).toBe(0);
      evaluator.dispose();
      tf.dispose([data.xs, data.ys]);
      model.dispose();
    },
    20_000,
  );
});

describe("aligning", () => {
  test("brings noisy copies closer by both methods", async () => {
    const { model, inputs } = SMALL_MODELS["a residual network"]();
    const data = { xs: inputs()[0], ys: targets() };
    const groups = permutationGroups(model);
    const theta = readWeightsSync(model, groups.layout);
    const noise = tf.randomNormal([theta.length], 0, 0.05, "float32", 9).dataSync();
    const copy = permuteWeights(theta, groups, randomPermutation(groups, 2));
    const noisy = copy.map((value, i) => value + Math.abs(noise[i]));
    for (const method of ["weights", "activations"] as const) {
      const { distance } = await alignModels(model, data, theta, noisy, { method });
      expect(distance.after).toBeLessThan(0.5 * distance.before);
    }
  });

  test("refuses a function that changes", async () => {
    /** Says that it is a Dense layer, and weighs its units by their place. */
    class Weighing extends tf.layers.Layer {
      static readonly className = "Weighing";
      override getClassName(): string {
        return "LeakyReLU";
      }
      override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
        const x = Array.isArray(inputs) ? inputs[0] : inputs;
        return tf.mul(x, tf.range(1, (x.shape[1] as number) + 1));
      }
    }
    const input = tf.input({ shape: [4] });
    const hidden = tf.layers
      .dense({ units: 6, kernelInitializer: tf.initializers.randomNormal({ seed: 4 }) })
      .apply(input);
    const odd = new Weighing({ name: "odd" }).apply(hidden as tf.SymbolicTensor) as tf.SymbolicTensor;
    const outputs = tf.layers
      .dense({ units: 3, kernelInitializer: tf.initializers.randomNormal({ seed: 5 }) })
      .apply(odd);
    const model = tf.model({ inputs: input, outputs: outputs as tf.SymbolicTensor });
    const groups = permutationGroups(model);
    const theta = readWeightsSync(model, groups.layout);
    const copy = permuteWeights(theta, groups, randomPermutation(groups, 1));
    const data = { xs: tf.randomNormal([8, 4], 0, 1, "float32", 1), ys: targets() };
    await expect(alignModels(model, data, theta, copy)).rejects.toThrow(
      /expected the same function, got outputs that differ/,
    );
  });

  test("says that a model without hidden layers has nothing to match", async () => {
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [4] })] });
    const data = { xs: tf.randomNormal([8, 4]), ys: targets() };
    const theta = readWeightsSync(model, permutationGroups(model).layout);
    const other = theta.map((value) => value + 1);
    const aligned = await alignModels(model, data, theta, other);
    expect(aligned.theta).toEqual(other);
    expect(aligned).toMatchObject({ moved: 0, units: 0 });
    expect(aligned.warnings.map(({ code }) => code)).toEqual(["no-hidden-units"]);
  });

  test("refuses an unknown method, and weights that are not finite", async () => {
    const { model, inputs } = SMALL_MODELS.dense();
    const data = { xs: inputs()[0], ys: targets() };
    const theta = readWeightsSync(model, permutationGroups(model).layout);
    const broken = theta.map(() => Number.NaN);
    for (const method of ["weights", "activations"] as const) {
      await expect(alignModels(model, data, broken, theta, { method })).rejects.toThrow(
        /first model: .*finite weights/,
      );
    }
    await expect(alignModels(model, data, theta, theta, { method: "names" as "weights" })).rejects.toThrow(
      /method: expected weights or activations, got "names"/,
    );
    await expect(alignModels(model, data, theta, theta, { tries: 0 })).rejects.toThrow(
      /tries: expected a whole/,
    );
    const sets: [] = [];
    for (const [options, message] of [
      [{ tries: 1.5 }, /tries: expected a whole number of at least 1, got 1.5/],
      [{ align: "names" as "weights" }, /align: expected weights or activations, got "names"/],
      [{ sampleLimit: 0 }, /sampleLimit: expected a whole number of at least 1, got 0/],
    ] as const) {
      await expect(connectModels(model, data, [theta, theta], sets, options)).rejects.toThrow(message);
    }
  });
});
