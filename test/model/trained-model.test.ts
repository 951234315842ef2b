import * as tf from "@tensorflow/tfjs";
import { expect, test } from "vitest";
import { openRunEvaluators } from "../../src/analysis/compare/compare-options.js";
import { type DataModule, modelOfRun } from "../../src/cli/load-module.js";
import { createEngineEvaluator } from "../../src/loss/engine/create-engine-evaluator.js";
import { functionEvaluator } from "../../src/loss/local-evaluator.js";
import { readWeights } from "../../src/model/bound-weights.js";
import { describeTraining } from "../../src/model/describe-training.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import type { RunManifest } from "../../src/model/manifest.js";
import { modelFromManifest } from "../../src/model/model-from-manifest.js";
import type { Run, SnapshotInfo } from "../../src/store/run/run.js";
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
  // Every weight is finite, and no loss can be: such a point compares nothing.
  const diverged = filled(3);
  diverged[7] = 1e20;
  for (const [thetas, expected] of [
    [[filled(1), filled(2)], 2],
    [[filled(1), filled(2), broken], 1],
    [[filled(1), filled(2), diverged], 1],
    [[filled(1), new Error("damaged")], 1],
    [[broken], 0],
    [[], 0],
  ] as const) {
    const model = await trainedModel(run(thetas));
    expect(await readWeights(model, layout)).toEqual(filled(expected));
    model.dispose();
  }
});

test("an engine that is wrong, which zeros would hide, is refused", async () => {
  const { model, layout, manifest, run } = trained();
  const ys = tf.tensor2d(new Array(18).fill(0.5), [9, 2]);
  const data = { xs: tf.randomNormal([9, 3], 0, 1, "float32", 1), ys };
  const open = async (made: tf.LayersModel) => {
    const layer = made.layers[0] as unknown as { activation: object };
    layer.activation = { getClassName: () => "tanh", apply: (x: tf.Tensor) => tf.tanh(x).mul(2) };
    return await createEngineEvaluator(made, data, { engine: "tfjs-fused" }).finally(() => made.dispose());
  };
  const ended = await trainedModel(run([await readWeights(model, layout)]));
  await expect(open(ended)).rejects.toThrow("does not agree with the model's own ops");
  (await open(await modelFromManifest(manifest))).dispose();
  tf.dispose([data.xs, ys]);
  model.dispose();
});

test("comparisons and commands take a run's model with its last weights", async () => {
  const { model, layout, run } = trained();
  const last = await readWeights(model, layout);
  const trainedRun = run([new Float32Array(layout.parameterCount), last]) as unknown as Run;
  const opened: Float32Array[] = [];
  const data = { xs: tf.zeros([1, 3]), ys: tf.zeros([1, 2]) };
  const evaluators = await openRunEvaluators([trainedRun], {
    directory: "comparison",
    data,
    openEvaluator: async (made) => {
      opened.push(await readWeights(made, layout));
      return functionEvaluator(() => 0, layout.parameterCount);
    },
  });
  evaluators.dispose();
  for (const hasLoss of [false, true]) {
    const module = { loadModel: async () => null, hasLoss } as unknown as DataModule;
    const made = (await modelOfRun(trainedRun, module, { data: "data.js" })) as tf.LayersModel;
    opened.push(await readWeights(made, layout));
    made.dispose();
  }
  expect(opened).toEqual([last, last, last]);
  tf.dispose([data.xs, data.ys]);
  model.dispose();
});
