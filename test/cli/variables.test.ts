import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { createTrajectoryRecorder } from "../../src/capture/create-recorder.js";
import { useTestBackend } from "../support/backend.js";
import { runCommand } from "../support/command-line.js";
import { temporaryFolders } from "../support/tiny-training.js";
import { loadData, loadLoss } from "./fixtures/variables-data.js";

const newFolder = temporaryFolders();
const dataModule = fileURLToPath(new URL("./fixtures/variables-data.js", import.meta.url));
const runs = [newFolder(), newFolder()] as const;
const losses: number[] = [];

beforeAll(async () => {
  await useTestBackend();
  const { xs, ys } = loadData();
  const lossOf = loadLoss();
  for (const [k, directory] of runs.entries()) {
    const w = tf.variable(tf.tensor2d([[0.5 + k], [-0.5]]));
    const b = tf.variable(tf.scalar(0.1));
    const optimizer = tf.train.sgd(0.4 + k);
    const recorder = await createTrajectoryRecorder({ directory, variables: { w, b }, optimizer });
    await recorder.record({ epoch: 0, iteration: 0 });
    for (let i = 1; i <= 5; i++) {
      optimizer.minimize(() => lossOf({ w, b }, xs, ys).loss as tf.Scalar);
      await recorder.record({ epoch: i, iteration: i });
    }
    await recorder.close();
    losses.push((await lossOf({ w, b }, xs, ys).loss.data())[0] as number);
  }
});

const json = async (...args: string[]) => {
  const { status, stdout, stderr } = await runCommand(...args, "--json");
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
};

describe("a run of variables, whose data module gives the loss", () => {
  test("has a surface on each set, and the loss of its last weights at the center", async () => {
    const args = ["surface", runs[0], "--data", dataModule, "--size", "5", "--test"];
    const { sets } = await json(...args);
    expect(sets.train.center.loss).toBeCloseTo(losses[0] as number, 5);
    expect(sets.train.metrics.acc).toHaveLength(5);
    expect(sets.train.engine.name).toBe("variables");
    expect(sets.test.loss).toHaveLength(5);
  });

  test("can be compared, sliced and embedded", async () => {
    const out = newFolder();
    const compared = await json(
      "compare",
      ...runs,
      "--data",
      dataModule,
      "--size",
      "5",
      "--seeds",
      "0",
      "--grid=-1:1:3",
      "--out",
      out,
    );
    expect(compared.runs).toHaveLength(2);
    const line = await json("interpolate", ...runs, "--data", dataModule, "--grid=0:1:3", "--out", out);
    expect(JSON.stringify(line)).toContain(JSON.stringify(line.alpha ?? line.sets ?? {}).slice(0, 5));
    await json("embed", ...runs, "--data", dataModule, "--method", "pca", "--out", newFolder());
  });

  test("is refused by name without a loss, or with options that need a model", async () => {
    const file = join(newFolder(), "..", "no-loss.mjs");
    writeFileSync(file, "export const loadData = () => ({ xs: [], ys: [] });\n");
    const run = (...args: string[]) => runCommand("surface", runs[0], ...args);
    const none = await run("--data", file);
    expect(none.status).toBe(2);
    expect(none.stderr).toContain(
      "an exported function loadLoss(), since the run was recorded from variables",
    );
    for (const [args, name] of [
      [["--workers", "2"], "--workers"],
      [["--engine", "onnx"], "--engine"],
      [["--loss", "logits"], "--loss"],
      [["--batch-norm", "recalibrate"], "--batch-norm"],
    ] as const) {
      const { status, stderr } = await run("--data", dataModule, ...args);
      expect([status, stderr]).toEqual([
        2,
        expect.stringContaining(`${name}: expected none for a run of variables`),
      ]);
    }
    const other = join(newFolder(), "..", "wrong-loss.mjs");
    writeFileSync(
      other,
      "export const loadData = () => ({ xs: [], ys: [] });\nexport const loadLoss = () => 3;\n",
    );
    const wrong = await runCommand("compare", ...runs, "--data", other, "--out", newFolder());
    expect([wrong.status, wrong.stderr]).toEqual([
      2,
      expect.stringContaining("loadLoss(): expected a function (weights, xs, ys) => loss, got a number"),
    ]);
  });
});
