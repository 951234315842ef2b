import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import {
  inversePermutation,
  permuteWeights,
  randomPermutation,
  unitsMoved,
} from "../../src/between/permutation.js";
import { permutationGroups } from "../../src/between/permutation-groups.js";
import { assignWeights, readWeightsSync } from "../../src/model/bound-weights.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { useTestBackend } from "../support/backend.js";
import { SMALL_MODELS } from "./models.js";

beforeAll(async () => {
  await useTestBackend();
});

const outputOf = (model: tf.LayersModel, inputs: tf.Tensor[]): Float32Array =>
  tf.tidy(() =>
    (model.predict(inputs.length === 1 ? inputs[0] : inputs) as tf.Tensor).dataSync(),
  ) as Float32Array;

describe("permutation groups", () => {
  /** Units of the groups, in the order of the graph. */
  const UNITS: Readonly<Record<string, readonly number[]>> = {
    dense: [6, 5],
    "conv2d, batch norm and flatten": [5],
    "conv1d and prelu": [4],
    "depthwise convolution": [4],
    "separable convolution": [4, 5],
    "transposed convolution and upsampling": [4, 3],
    "layer norm and a dense layer along time": [6, 4],
    concatenate: [5, 3],
    "sums that cross": [3, 5],
    "a residual network": [4, 4, 6, 6],
    "embedding and gru": [4, 5],
    "lstm that returns sequences, both ways": [4, 3, 3],
    "a shared layer and a nested model": [4, 4],
    "reshape and squeeze-and-excitation": [4],
  };

  test.each(Object.entries(SMALL_MODELS))(
    "%s: any permutation leaves the function unchanged",
    (name, make) => {
      const { model, inputs } = make();
      const xs = inputs();
      const groups = permutationGroups(model);
      expect(groups.warnings).toEqual([]);
      expect(groups.groups.map(({ units }) => units).sort()).toEqual([...UNITS[name]].sort());
      const theta = readWeightsSync(model, groups.layout);
      const before = outputOf(model, xs);
      for (const seed of [0, 1, 2]) {
        const permutation = randomPermutation(groups, seed);
        const moved = permuteWeights(theta, groups, permutation);
        expect(unitsMoved(permutation)).toBeGreaterThan(0);
        expect(moved).not.toEqual(theta);
        assignWeights(model, groups.layout, moved);
        const after = outputOf(model, xs);
        const worst = Math.max(...after.map((value, i) => Math.abs(value - before[i])));
        expect(worst).toBeLessThanOrEqual(1e-6);
        expect(permuteWeights(moved, groups, inversePermutation(permutation))).toEqual(theta);
      }
      tf.dispose(xs);
      model.dispose();
    },
  );

  test("a layer that is not known ends a group, and is named", () => {
    class Reversed extends tf.layers.Layer {
      static readonly className = "Reversed";
      override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
        return tf.reverse(Array.isArray(inputs) ? inputs[0] : inputs, -1);
      }
    }
    const input = tf.input({ shape: [4] });
    const first = tf.layers.dense({ units: 5, name: "first", activation: "relu" }).apply(input);
    const odd = new Reversed({ name: "odd" }).apply(first as tf.SymbolicTensor);
    const second = tf.layers.dense({ units: 6, name: "second" }).apply(odd as tf.SymbolicTensor);
    const output = tf.layers.dense({ units: 2, name: "out" }).apply(second as tf.SymbolicTensor);
    const model = tf.model({ inputs: input, outputs: output as tf.SymbolicTensor });
    const { groups, warnings } = permutationGroups(model);
    expect(groups.map(({ layers }) => layers)).toEqual([["second"]]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0].message).toMatch(/layer "odd" \(Reversed\)/);
  });

  test("a model without hidden layers has no groups", () => {
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [4] })] });
    expect(permutationGroups(model).groups).toEqual([]);
    const theta = readWeightsSync(model, layoutOfModel(model));
    expect(permuteWeights(theta, permutationGroups(model), [])).toEqual(theta);
  });

  test("a layout without some of the weights is refused", () => {
    const { model } = SMALL_MODELS.dense();
    const layout = layoutOfModel(model, { select: ({ role }) => role === "kernel" });
    expect(() => permutationGroups(model, layout)).toThrow(
      /layout: expected all 5 weights of the model, got 3/,
    );
  });

  test("a permutation that is none is refused", () => {
    const { model } = SMALL_MODELS.dense();
    const groups = permutationGroups(model);
    const theta = readWeightsSync(model, groups.layout);
    const [first, second] = randomPermutation(groups, 0);
    expect(() => permuteWeights(theta, groups, [first])).toThrow(/permutation: expected 2 groups, got 1/);
    expect(() => permuteWeights(theta, groups, [first, second.fill(0)])).toThrow(/each of 5 units once/);
    expect(() => permuteWeights(theta.subarray(1), groups, [first, second])).toThrow(/theta: expected/);
  });
});
