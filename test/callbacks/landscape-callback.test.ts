import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { landscapeCallback } from "../../callbacks/landscape-callback.js";
import { InvalidOptionError } from "../../src/base/errors.js";
import { openRun } from "../../src/store/run/open-run.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
let xs: tf.Tensor2D;
let ys: tf.Tensor2D;

beforeAll(async () => {
  await useTestBackend();
  ({ xs, ys } = tinyData());
});

const small = { points: 5, report: { width: 700, scale: 1 } } as const;

describe("landscapeCallback", () => {
  test("records, analyses and draws; the trained weights stay as they are and nothing leaks", async () => {
    const directory = newFolder();
    const model = tinyModel(tf.train.adam(0.05));
    const callback = landscapeCallback({ directory, data: { xs, ys }, ...small });
    await model.fit(xs, ys, { epochs: 1, verbose: 0 }); // optimizer slots exist from here on
    const before = tf.memory().numTensors;
    await model.fit(xs, ys, { epochs: 3, verbose: 0, callbacks: [callback] });
    expect(callback.error).toBeNull();
    expect(tf.memory().numTensors).toBe(before);
    expect(callback.files.map((file) => basename(file))).toEqual([
      "plot.svg",
      "plot.png",
      "plot-3d.svg",
      "plot-3d.png",
      "report.html",
    ]);
    for (const file of callback.files) expect(existsSync(file)).toBe(true);
    const run = await openRun(directory);
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
    const directory = newFolder();
    const model = tinyModel(tf.train.adam(0.05));
    const errors: unknown[] = [];
    const wrong = tf.zeros([12, 7]);
    const callback = landscapeCallback({
      directory,
      data: { xs: wrong, ys },
      onError: (error) => errors.push(error),
      ...small,
    });
    const history = await model.fit(xs, ys, { epochs: 2, verbose: 0, callbacks: [callback] });
    wrong.dispose();
    expect(history.epoch).toEqual([0, 1]);
    expect(errors).toEqual([callback.error]);
    expect(String(callback.error)).toContain("shape [*, 3]");
    expect(callback.files).toEqual([]);
    expect((await openRun(directory)).snapshots.length).toBe(3);
  });

  test("without onError the failure becomes a process warning", async () => {
    const directory = newFolder();
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const wrong = tf.zeros([12, 7]);
    const callback = landscapeCallback({
      directory,
      data: { xs: wrong, ys },
      ...small,
    });
    await tinyModel(tf.train.adam(0.05)).fit(xs, ys, { epochs: 1, verbose: 0, callbacks: [callback] });
    wrong.dispose();
    expect(warn).toHaveBeenCalledOnce();
    expect(String(warn.mock.calls[0]?.[0])).toContain("training is recorded, but its landscape is not");
    warn.mockRestore();
  });

  test("options are checked before training", () => {
    const directory = newFolder();
    expect(() => landscapeCallback({ directory, data: undefined as never })).toThrow(InvalidOptionError);
    expect(() => landscapeCallback({ directory, data: { xs, ys }, points: 1 })).toThrow("points: expected");
    expect(() => landscapeCallback({ directory: "", data: { xs, ys } })).toThrow("directory");
    expect(existsSync(directory)).toBe(false);
  });

  test("the page names the run and carries its figure", async () => {
    const directory = newFolder();
    const callback = landscapeCallback({
      directory,
      name: "a <run> & more",
      data: { xs, ys },
      dataName: "12 toy points",
      ...small,
    });
    await tinyModel(tf.train.adam(0.05)).fit(xs, ys, { epochs: 2, verbose: 0, callbacks: [callback] });
    const page = readFileSync(join(directory, "report.html"), "utf8");
    expect(page).toContain("12 toy points");
    expect(page).not.toContain("<run>");
  });
});
