import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { randomDirections } from "../../../src/directions/random.js";
import { createLossEvaluator } from "../../../src/loss/create-loss-evaluator.js";
import { readWeights } from "../../../src/model/bound-weights.js";
import { layoutOfModel } from "../../../src/model/layout-of-model.js";
import { evaluateSurface } from "../../../src/surface/evaluate-surface.js";
import { expectAllClose } from "../../support/allclose.js";
import { useTestBackend } from "../../support/backend.js";

beforeAll(async () => void (await useTestBackend()));
afterEach(() => tf.disposeVariables());

const grid = { alpha: Float64Array.of(-1, -0.5, 0, 0.5, 1), beta: Float64Array.of(-1, 0, 0.7) };

function build(hasBatchNorm: boolean): tf.LayersModel {
  const random = (seed: number) => tf.initializers.randomNormal({ seed, stddev: 0.6 });
  const model = tf.sequential();
  model.add(
    tf.layers.conv2d({
      inputShape: [6, 6, 2],
      filters: 4,
      kernelSize: 3,
      kernelInitializer: random(1),
      useBias: false,
    }),
  );
  // Without ε, batch norm takes the scale of its inputs away exactly.
  if (hasBatchNorm) model.add(tf.layers.batchNormalization({ epsilon: 1e-12 }));
  model.add(tf.layers.reLU());
  model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: 6, kernelInitializer: random(2), useBias: false }));
  model.add(tf.layers.reLU());
  model.add(tf.layers.dense({ units: 3, activation: "softmax", kernelInitializer: random(3) }));
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  return model;
}

/** Which weights are scaled, and by what: the n-th kernel, or a statistic by name. */
type Scaling = readonly (readonly [which: number | "moving_mean" | "moving_variance", factor: number])[];

async function surfaces(hasBatchNorm: boolean, scaling: Scaling) {
  const model = build(hasBatchNorm);
  const layout = layoutOfModel(model);
  const xs = tf.randomNormal([20, 6, 6, 2], 0, 1, "float32", 5);
  const ys = tf.oneHot(tf.range(0, 20, 1, "int32").mod(3).toInt(), 3).toFloat();
  const evaluator = await createLossEvaluator(model, { xs, ys }, { loss: "logits" });
  const theta = await readWeights(model, layout);
  const changed = theta.slice();
  const kernels = layout.parameters.filter(({ role }) => role === "kernel");
  for (const [which, factor] of scaling) {
    const parameter =
      typeof which === "number" ? kernels[which] : layout.parameters.find(({ key }) => key?.endsWith(which));
    if (parameter === undefined) throw new Error(`no weight ${which}`);
    const { offset, size } = parameter;
    for (let i = offset; i < offset + size; i++) changed[i] *= factor;
  }
  const run = async (center: Float32Array, normalize: "filter" | "none") =>
    (await evaluateSurface(evaluator, randomDirections(layout, center, { seed: 0, normalize }), grid)).loss;
  const result = {
    filter: [await run(theta, "filter"), await run(changed, "filter")],
    none: [await run(theta, "none"), await run(changed, "none")],
  };
  evaluator.dispose();
  return result;
}

/** Largest difference of two surfaces relative to their values. */
function apart([a, b]: Float64Array[]): number {
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]) / (1 + Math.abs(value))));
}

describe("scale invariance", () => {
  it("a ReLU network with layers rescaled by c and 1/c has the same filter-normalized surface", async () => {
    const { filter, none } = await surfaces(false, [
      [0, 10],
      [1, 0.1],
    ]);
    expectAllClose(filter[1], filter[0], { absolute: 1e-5, relative: 1e-5 });
    expect(apart(none)).toBeGreaterThan(0.05);
  });

  it("so has a network whose scale batch norm takes away", async () => {
    const { filter, none } = await surfaces(true, [
      [0, 8],
      ["moving_mean", 8],
      ["moving_variance", 64],
    ]);
    expectAllClose(filter[1], filter[0], { absolute: 1e-5, relative: 1e-5 });
    expect(apart(none)).toBeGreaterThan(0.05);
  });
});
