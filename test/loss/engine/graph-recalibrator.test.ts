import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { createFastRecalibrator } from "../../../src/loss/engine/graph-recalibrator.js";
import { resolveModelLossOptions } from "../../../src/loss/loss-options.js";
import { planLoss } from "../../../src/loss/loss-plan.js";
import { createRecalibrator } from "../../../src/loss/recalibrator.js";
import { createNormal } from "../../../src/math/random.js";
import { readWeights } from "../../../src/model/bound-weights.js";
import { layoutOfModel } from "../../../src/model/layout-of-model.js";
import { useTestBackend } from "../../support/backend.js";

beforeAll(async () => void (await useTestBackend()));
afterEach(() => tf.disposeVariables());

const engines = [
  "tfjs-fused",
  "onnx",
  ...(process.env.TFJS_LANDSCAPE_BACKEND === "native" ? ["tensorflow"] : []),
];
const SAMPLES = 75;

/** Convolutions whose strides leave pixels over, padding, an addition, batch norms behind ReLU and without γ, dropout. */
function network(): tf.LayersModel {
  const input = tf.input({ shape: [10, 9, 2] });
  const first = tf.layers.conv2d({ filters: 4, kernelSize: 3, strides: 2, padding: "valid" }).apply(input);
  const normed = tf.layers.batchNormalization({ name: "first" }).apply(first) as tf.SymbolicTensor;
  const same = tf.layers.conv2d({ filters: 4, kernelSize: 3, padding: "same", useBias: false }).apply(normed);
  const second = tf.layers
    .batchNormalization({ scale: false, epsilon: 1e-5 })
    .apply(tf.layers.reLU().apply(same));
  const sum = tf.layers.add().apply([normed, second as tf.SymbolicTensor]);
  const flat = tf.layers.flatten().apply(tf.layers.maxPooling2d({ poolSize: 2 }).apply(sum));
  const dense = tf.layers.dense({ units: 6 }).apply(tf.layers.dropout({ rate: 0.5 }).apply(flat));
  const last = tf.layers.batchNormalization({ center: false }).apply(dense);
  const model = tf.model({
    inputs: input,
    outputs: tf.layers.dense({ units: 3, activation: "softmax" }).apply(last) as tf.SymbolicTensor,
  });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  return model;
}

function sequence(): tf.LayersModel {
  const shared = tf.layers.batchNormalization();
  const input = tf.input({ shape: [7, 3] });
  const hidden = shared.apply(
    tf.layers.conv1d({ filters: 3, kernelSize: 2 }).apply(input),
  ) as tf.SymbolicTensor;
  const twice = shared.apply(tf.layers.activation({ activation: "tanh" }).apply(hidden));
  const model = tf.model({
    inputs: input,
    outputs: tf.layers
      .dense({ units: 3, activation: "softmax" })
      .apply(tf.layers.flatten().apply(twice)) as tf.SymbolicTensor,
  });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  return model;
}

describe("statistics by an engine", () => {
  it.each(
    engines.flatMap(
      (engine) =>
        [
          [engine, "images", network],
          [engine, "a sequence, with a layer used twice", sequence],
        ] as const,
    ),
  )("%s gives those of the model's own ops, on %s", async (name, _, make) => {
    const model = make();
    const layout = layoutOfModel(model);
    const shape = model.inputs[0]?.shape.slice(1) as number[];
    const data = {
      xs: tf.randomNormal([SAMPLES, ...shape], 0.7, 2, "float32", 3),
      ys: tf.ones([SAMPLES, 3]),
    };
    const theta = await readWeights(model, layout);
    const next = createNormal(5);
    const moved = Float32Array.from(theta, (weight) => weight + 0.3 * next());
    for (const batchSize of [undefined, 20]) {
      const before = tf.memory().numTensors;
      const own = await createRecalibrator(model, data, { layout, batchSize, sampleLimit: 70 });
      const fast = await createFastRecalibrator(
        model,
        data,
        { name, threads: 1 },
        planLoss(model, resolveModelLossOptions({})),
        { layout, batchSize, sampleLimit: 70 },
      );
      expect([fast.samples, fast.dataDigest]).toEqual([own.samples, own.dataDigest]);
      for (const point of [theta, moved, moved.map((weight) => 4 * weight)]) {
        const [expected, found] = [Float32Array.from(point), Float32Array.from(point)];
        await own.recalibrateInto(expected);
        await fast.recalibrateInto(found);
        expect(found).not.toEqual(point);
        found.forEach((value, i) => {
          expect(Math.abs(value - (expected[i] as number))).toBeLessThanOrEqual(
            2e-5 * (Math.abs(expected[i] as number) + 0.05),
          );
        });
      }
      own.dispose();
      fast.dispose();
      expect(tf.memory().numTensors).toBe(before);
    }
  });

  it("are refused where they are not those of the model's own ops", async () => {
    const model = network();
    const data = { xs: tf.randomNormal([SAMPLES, 10, 9, 2]), ys: tf.ones([SAMPLES, 3]) };
    const fast = await createFastRecalibrator(
      model,
      data,
      { name: "tfjs-fused", threads: 1 },
      planLoss(model, resolveModelLossOptions({})),
      {},
    );
    const layer = model.getLayer("first") as tf.layers.Layer & { epsilon: number };
    // What the engine compiled is no longer what the model computes.
    layer.epsilon = 10;
    await expect(fast.recalibrateInto(await readWeights(model, layoutOfModel(model)))).rejects.toThrow(
      /engine "tfjs-fused": expected the statistics of the model's own ops on the first 64 samples, got .*: (mean|variance)/,
    );
    fast.dispose();
  });
});
