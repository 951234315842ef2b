import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { openPredictionProbe } from "../../src/loss/predictions.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { readPredictions } from "../../src/store/kinds/predictions-file.js";
import { useTestBackend } from "../support/backend.js";
import { runCommand } from "../support/command-line.js";
import { flatWeights, temporaryFolders, tinyModel } from "../support/tiny-training.js";
import { loadData } from "./fixtures/tiny-data.js";

const newFolder = temporaryFolders();
const [small, wide] = [newFolder(), newFolder()];
const dataModule = fileURLToPath(new URL("./fixtures/tiny-data.js", import.meta.url));

/** Another shape than the tiny model: no batch norm, another width, inputs as a column, and logits. */
function columnModel(): tf.LayersModel {
  const model = tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [3, 1] }),
      tf.layers.dense({ units: 7, activation: "relu" }),
      tf.layers.dense({ units: 2, activation: "softmax" }),
    ],
  });
  model.compile({ optimizer: tf.train.sgd(0.1), loss: "categoricalCrossentropy" });
  return model;
}

beforeAll(async () => {
  await useTestBackend();
  const { xs, ys } = loadData();
  for (const [model, directory, name, inputs] of [
    [tinyModel(tf.train.sgd(0.1)), small, "small", xs],
    [columnModel(), wide, "wide", xs.reshape([xs.shape[0], 3, 1])],
  ] as const) {
    const callbacks = [trajectoryCallback({ directory, name })];
    await model.fit(inputs, ys, { epochs: 4, batchSize: 6, verbose: 0, callbacks });
  }
});

describe("embed --space predictions", () => {
  test("places networks of different shape in one picture, and stores what they predict", async () => {
    const out = newFolder();
    const args = [
      "embed",
      small,
      wide,
      "--space",
      "predictions",
      "--data",
      dataModule,
      "--out",
      out,
      "--format",
      "svg",
    ];
    const { status, stdout, stderr } = await runCommand(...args, "--json");
    expect([status, stderr.includes("Error")]).toEqual([0, false]);
    const found = JSON.parse(stdout);
    expect(found.runs.map(({ name }: { name: string }) => name)).toEqual([
      "small",
      "wide",
      "ignorance to truth",
    ]);
    expect(found.facts).toMatchObject({ space: "predictions", classes: 2, batchNorm: "recalibrate" });
    expect(found.run.filter((r: number) => r < 2).length).toBe(10);
    // At ignorance the cross-entropy is ln C, at the truth 0.
    expect([found.loss[10], found.loss.at(-1)]).toEqual([expect.closeTo(Math.log(2), 10), 0]);
    const svg = readFileSync(join(out, "predictions-inpca-2d.svg"), "utf8");
    for (const text of ["small", "wide", "InPC 1"]) expect(svg).toContain(text);
    const [name] = readdirSync(join(wide, "predictions"));
    const file = join(wide, "predictions", name as string);
    const predictions = await readPredictions(file);
    const sums = predictions?.logProbabilities.map((row) => Math.exp(row[0]) + Math.exp(row[1]));
    for (const sum of sums ?? []) expect(sum).toBeCloseTo(1, 5);
    const before = readFileSync(file);
    await runCommand(...args, "--method", "inpca", "phate", "--knn", "3");
    expect(existsSync(join(out, "predictions-phate-2d.svg"))).toBe(true);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test("a probe predicts what the model does, and leaves its weights alone", async () => {
    const { xs, ys } = loadData();
    const model = columnModel();
    const theta = Float32Array.from(flatWeights(model));
    const tensors = tf.memory().numTensors;
    const probe = await openPredictionProbe(model, { xs, ys }, { layout: layoutOfModel(model), probe: 5 });
    const other = theta.map((value) => value / 2);
    const [half, own] = await probe.predict(2, async (i) => (i === 0 ? other : theta));
    probe.dispose();
    expect(tf.memory().numTensors).toBe(tensors);
    expect(flatWeights(model)).toEqual(Array.from(theta));
    const expected = await (model.predict(xs.reshape([xs.shape[0], 3, 1]).slice(0, 5)) as tf.Tensor).data();
    for (const [i, value] of own.entries()) expect(Math.exp(value)).toBeCloseTo(expected[i], 5);
    expect(half).not.toEqual(own);
  });

  test("what cannot be is refused by name", async () => {
    const refused = async (message: string, ...args: string[]) => {
      const { status, stderr } = await runCommand("embed", small, ...args);
      expect([status, stderr]).toEqual([2, expect.stringContaining(message)]);
    };
    await refused("--data: expected a module whose samples are predicted", "--space", "predictions");
    await refused(
      "--probe: expected --space predictions, which takes it, got --space weights",
      "--probe",
      "5",
    );
    await refused("--method inpca: expected --space predictions", "--method", "inpca");
    const space = ["--space", "predictions", "--data", dataModule];
    await refused(
      "--method: expected inpca or phate with --space predictions, got umap",
      ...space,
      "--method",
      "umap",
    );
    await refused("--knn-dist: expected --space weights, which takes it", ...space, "--knn-dist", "cosine");
    await refused('knn: expected method "phate", which takes it', ...space, "--knn", "3");
    const regression = tf.sequential({
      layers: [tf.layers.dense({ units: 2, inputShape: [3], activation: "sigmoid" })],
    });
    regression.compile({ optimizer: "sgd", loss: "binaryCrossentropy" });
    const { xs, ys } = loadData();
    await expect(
      openPredictionProbe(regression, { xs, ys }, { layout: layoutOfModel(regression) }),
    ).rejects.toThrow("expected a classifier that ends in a softmax, got a final sigmoid");
  });
});
