import * as tf from "@tensorflow/tfjs";
import { expect, test } from "vitest";
import { createEngineEvaluator } from "../../src/loss/engine/create-engine-evaluator.js";
import { readWeights } from "../../src/model/bound-weights.js";
import { describeTraining } from "../../src/model/describe-training.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import type { RunManifest } from "../../src/model/manifest.js";
import { modelFromManifest } from "../../src/model/model-from-manifest.js";
import type { SnapshotInfo } from "../../src/store/run/run.js";
import { trainedModel } from "../../src/store/run/trained-model.js";

function trained() {
  const layers = [
    tf.layers.dense({ units: 5, activation: "tanh", inputShape: [3] }),
    tf.layers.dense({ units: 2, activation: "softmax" }),
  ];
  const model = tf.sequential({ layers });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  const layout = layoutOfModel(model);
  const manifest = { ...describeTraining(model), layout } as unknown as RunManifest;
  const run = (thetas: readonly (Float32Array | Error)[]) => ({
    manifest,
    layout,
    snapshots: thetas.map(() => ({}) as SnapshotInfo),
    readTheta: async (index: number) => {
      const theta = thetas[index] as Float32Array | Error;
      if (theta instanceof Error) throw theta;
      return theta;
    },
  });
  return { model, layout, manifest, run };
}

test("a run's model has its last weights, or its first where those are not finite or cannot be read", async () => {
  const { layout, run } = trained();
  const filled = (value: number) => new Float32Array(layout.parameterCount).fill(value);
  const broken = filled(3);
  broken[7] = Number.NaN;
  for (const [thetas, expected] of [
    [[filled(1), filled(2)], 2],
    [[filled(1), filled(2), broken], 1],
    [[filled(1), new Error("damaged")], 1],
    [[broken], 0],
    [[], 0],
  ] as const) {
    const model = await trainedModel(run(thetas));
    expect(await readWeights(model, layout)).toEqual(filled(expected));
    model.dispose();
  }
});

test("an engine that is wrong, which zeros would hide, is passed over", async () => {
  const { model, layout, manifest, run } = trained();
  const data = {
    xs: tf.randomNormal([9, 3], 0, 1, "float32", 1),
    ys: tf.tensor2d(new Array(18).fill(0.5), [9, 2]),
  };
  const engineOf = async (made: tf.LayersModel) => {
    const layer = made.layers[0] as unknown as { activation: object };
    layer.activation = { getClassName: () => "tanh", apply: (x: tf.Tensor) => tf.tanh(x).mul(2) };
    const evaluator = await createEngineEvaluator(made, data);
    evaluator.dispose();
    return evaluator.engine.name;
  };
  expect(await engineOf(await trainedModel(run([await readWeights(model, layout)])))).toBe("tfjs");
  expect(await engineOf(await modelFromManifest(manifest))).not.toBe("tfjs");
});
