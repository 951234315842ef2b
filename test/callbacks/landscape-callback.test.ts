import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { landscapeCallback } from "../../callbacks/landscape-callback.js";
import { InvalidOptionError } from "../../src/errors.js";
import { openRun } from "../../src/store/open-run.js";
import { useTestBackend } from "../support/backend.js";

let folder: string;
let xs: tf.Tensor2D;
let ys: tf.Tensor2D;

beforeAll(async () => {
  await useTestBackend();
  xs = tf.randomNormal([40, 4], 0, 1, "float32", 3);
  ys = tf.tidy(() => tf.oneHot(xs.argMax(1).mod(3), 3).toFloat() as tf.Tensor2D);
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "landscape-callback-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function compiledModel(): tf.LayersModel {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 6, activation: "tanh", inputShape: [4] }),
      tf.layers.batchNormalization(),
      tf.layers.dense({ units: 3, activation: "softmax" }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(0.05), loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  return model;
}

const small = { points: 5, report: { width: 700, height: 500, scale: 1 } } as const;

describe("landscapeCallback", () => {
  test("records, analyses and draws; the trained weights stay as they are and nothing leaks", async () => {
    const model = compiledModel();
    const callback = landscapeCallback({ directory: join(folder, "run"), data: { xs, ys }, ...small });
    await model.fit(xs, ys, { epochs: 1, verbose: 0 }); // optimizer slots exist from here on
    const before = tf.memory().numTensors;
    await model.fit(xs, ys, { epochs: 3, verbose: 0, callbacks: [callback] });
    expect(callback.error).toBeNull();
    expect(tf.memory().numTensors).toBe(before);
    expect(callback.files.map((file) => basename(file))).toEqual(["plot.svg", "plot.png", "report.html"]);
    for (const file of callback.files) expect(existsSync(file)).toBe(true);
    const run = await openRun(join(folder, "run"));
    const final = await run.readTheta(run.snapshots.length - 1);
    const kernel = model.getWeights()[0]?.dataSync() as Float32Array;
    expect(Array.from(final.subarray(0, kernel.length))).toEqual(Array.from(kernel));
    const { surface, trajectories } = callback.analysis ?? {};
    expect(surface?.alpha.length).toBe(5);
    const [loss] = model.evaluate(xs, ys) as tf.Scalar[];
    expect(surface?.center.loss).toBeCloseTo(loss?.dataSync()[0] as number, 5);
    expect(trajectories?.[0]?.trueLoss?.length).toBe(run.snapshots.length);
  });

  test("an analysis that fails costs neither the training nor the snapshots", async () => {
    const model = compiledModel();
    const errors: unknown[] = [];
    const wrong = tf.zeros([40, 7]);
    const callback = landscapeCallback({
      directory: join(folder, "run"),
      data: { xs: wrong, ys },
      onError: (error) => errors.push(error),
      ...small,
    });
    const history = await model.fit(xs, ys, { epochs: 2, verbose: 0, callbacks: [callback] });
    wrong.dispose();
    expect(history.epoch).toEqual([0, 1]);
    expect(errors).toEqual([callback.error]);
    expect(String(callback.error)).toContain("shape [*, 4]");
    expect(callback.files).toEqual([]);
    expect((await openRun(join(folder, "run"))).snapshots.length).toBe(3);
  });

  test("without onError the failure becomes a process warning", async () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const wrong = tf.zeros([40, 7]);
    const callback = landscapeCallback({
      directory: join(folder, "run"),
      data: { xs: wrong, ys },
      ...small,
    });
    await compiledModel().fit(xs, ys, { epochs: 1, verbose: 0, callbacks: [callback] });
    wrong.dispose();
    expect(warn).toHaveBeenCalledOnce();
    expect(String(warn.mock.calls[0]?.[0])).toContain("training is recorded, but its landscape is not");
    warn.mockRestore();
  });

  test("options are checked before training", () => {
    const directory = join(folder, "run");
    expect(() => landscapeCallback({ directory, data: undefined as never })).toThrow(InvalidOptionError);
    expect(() => landscapeCallback({ directory, data: { xs, ys }, points: 1 })).toThrow("points: expected");
    expect(() => landscapeCallback({ directory: "", data: { xs, ys } })).toThrow("directory");
    expect(existsSync(directory)).toBe(false);
  });

  test("the page names the run and carries its figure", async () => {
    const callback = landscapeCallback({
      directory: join(folder, "run"),
      name: "a <run> & more",
      data: { xs, ys },
      dataName: "40 toy points",
      ...small,
    });
    await compiledModel().fit(xs, ys, { epochs: 2, verbose: 0, callbacks: [callback] });
    const page = readFileSync(join(folder, "run", "report.html"), "utf8");
    expect(page).toContain("40 toy points");
    expect(page).not.toContain("<run>");
  });
});
