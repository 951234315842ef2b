import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { landscapeCallback } from "../../callbacks/landscape-callback.js";
import { InvalidOptionError } from "../../src/base/errors.js";
import { openRun } from "../../src/store/run/open-run.js";
import { useTestBackend } from "../support/backend.js";
import { flatWeights, temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
let xs: tf.Tensor2D;
let ys: tf.Tensor2D;

beforeAll(async () => {
  await useTestBackend();
  ({ xs, ys } = tinyData());
});

const small = { size: 5, batchNorm: "keep", report: { width: 700, scale: 1 } } as const;

/** What is refused before training: its name, the data, options of the evaluation, and the message. */
type RefusedCase = readonly [string, () => unknown, object, RegExp];

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
    const { surfaces, trajectories } = callback.analysis ?? {};
    const surface = surfaces?.[0]?.surface;
    expect(surface?.alpha.length).toBe(5);
    const [loss] = model.evaluate(xs, ys) as tf.Scalar[];
    expect(surface?.center.loss).toBeCloseTo(loss?.dataSync()[0] as number, 5);
    expect(trajectories?.[0]?.trueLoss?.length).toBe(run.snapshots.length);
  });

  test("an analysis that fails costs neither the training nor the snapshots", async () => {
    const directory = newFolder();
    const model = tinyModel(tf.train.adam(0.05));
    const errors: unknown[] = [];
    const gone = xs.clone();
    const callback = landscapeCallback({
      directory,
      data: { xs: gone, ys },
      onError: (error) => errors.push(error),
      ...small,
    });
    const dispose = new tf.CustomCallback({
      onEpochEnd: async (epoch) => void (epoch === 1 && gone.dispose()),
    });
    const history = await model.fit(xs, ys, { epochs: 2, verbose: 0, callbacks: [callback, dispose] });
    expect(history.epoch).toEqual([0, 1]);
    expect(errors).toEqual([callback.error]);
    expect(String(callback.error)).toContain("disposed");
    expect(callback.files).toEqual([]);
    expect((await openRun(directory)).snapshots.length).toBe(3);
  });

  test("without onError the failure becomes a process warning", async () => {
    const directory = newFolder();
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const gone = xs.clone();
    const callback = landscapeCallback({
      directory,
      data: { xs: gone, ys },
      ...small,
    });
    const dispose = new tf.CustomCallback({ onEpochEnd: async () => gone.dispose() });
    const callbacks = [callback, dispose];
    await tinyModel(tf.train.adam(0.05)).fit(xs, ys, { epochs: 1, verbose: 0, callbacks });
    expect(warn).toHaveBeenCalledOnce();
    expect(String(warn.mock.calls[0]?.[0])).toContain("training is recorded, but its landscape is not");
    warn.mockRestore();
  });

  test("options are checked before training", () => {
    const directory = newFolder();
    expect(() => landscapeCallback({ directory, data: undefined as never })).toThrow(InvalidOptionError);
    expect(() => landscapeCallback({ directory, data: { xs, ys }, size: 1 })).toThrow("size: expected");
    expect(() => landscapeCallback({ directory: "", data: { xs, ys } })).toThrow("directory");
    expect(existsSync(directory)).toBe(false);
  });

  test.each([
    [
      "a slip of the pen",
      { magrin: 9 },
      /^magrin: expected an option that exists, got an unknown one; did you mean margin\?$/,
    ],
    ["a slip in the capture", { everyEpoch: 2 }, /^everyEpoch: expected an option that exists/],
    ["a slip in the report", { report: { format: ["svg"] } }, /^report.format: .*did you mean formats\?$/],
    [
      "a slip in the evaluation",
      { evaluation: { batchsize: 8 } },
      /^evaluation.batchsize: .*did you mean batchSize\?$/,
    ],
    [
      "an unknown format",
      { report: { formats: ["bmp"] } },
      /^report.formats: expected some of svg, png, pdf, mp4, webp, html, csv, got \["bmp"\]$/,
    ],
    [
      "a page in another folder",
      { report: { page: "../a.html" } },
      /^report.page: expected a file name, without a folder/,
    ],
    ["an unknown engine", { evaluation: { engine: "cuda" } }, /^engine: expected one of auto/],
    ["an unknown loss", { evaluation: { loss: "logit" } }, /^loss: expected "model" or "logits"/],
    [
      "data without targets",
      { data: { xs: [] } },
      /^data: expected \{ xs, ys \} or a tf.data.Dataset, got \{ xs \}$/,
    ],
  ])("%s is refused when the callback is made", (_what, wrong, message) => {
    const directory = newFolder();
    const options = { directory, data: { xs, ys }, ...wrong } as unknown as Parameters<
      typeof landscapeCallback
    >[0];
    expect(() => landscapeCallback(options)).toThrow(InvalidOptionError);
    expect(() => landscapeCallback(options)).toThrow(message);
  });

  const absentEngine: RefusedCase = [
    "an engine that is not there",
    () => ({ xs, ys }),
    { engine: "tensorflow" },
    /tensorflow/i,
  ];
  const refusedCases: readonly RefusedCase[] = [
    [
      "inputs of another shape",
      () => ({ xs: tf.zeros([12, 7]), ys: tf.zeros([12, 2]) }),
      {},
      /shape \[\*, 3\]/,
    ],
    ["targets of another shape", () => ({ xs: tf.zeros([12, 3]), ys: tf.zeros([12, 5]) }), {}, /5/],
    [
      "a loss of one's own that throws",
      () => ({ xs, ys }),
      {
        lossFunction: () => {
          throw new Error("bad luck");
        },
      },
      /bad luck/,
    ],
    // On the native backend this engine is there.
    ...(process.env.TFJS_LANDSCAPE_BACKEND === "wasm" ? [absentEngine] : []),
    [
      "a data set of another shape",
      () => tf.data.array([{ xs: [1, 2], ys: [0, 1] }]).batch(1),
      {},
      /shape \[\*, 3\]/,
    ],
    [
      "a data set that never ends",
      () =>
        tf.data
          .array([{ xs: [1, 2, 3], ys: [0, 1] }])
          .repeat()
          .batch(1),
      {},
      /a data set that ends, got one of size Infinity/,
    ],
    [
      "NaN in the last row of the data",
      () => ({ xs: tf.concat([tf.zeros([11, 3]), tf.fill([1, 3], Number.NaN)]), ys: tf.zeros([12, 2]) }),
      {},
      /1 of 12 rows hold NaN or infinity, first row 11/,
    ],
  ];

  test.each(refusedCases)(
    "%s stops before training, and nothing is written",
    async (_what, data, evaluation, message) => {
      const directory = newFolder();
      const model = tinyModel();
      const before = flatWeights(model);
      const options = { directory, data: data(), evaluation, ...small } as unknown as Parameters<
        typeof landscapeCallback
      >[0];
      const callbacks = [landscapeCallback(options)];
      await expect(model.fit(xs, ys, { epochs: 2, verbose: 0, callbacks })).rejects.toThrow(message);
      expect(flatWeights(model)).toEqual(before);
      expect(existsSync(directory)).toBe(false);
    },
  );

  test("a training that fails leaves no picture of the one before, in no format", async () => {
    const directory = newFolder();
    const model = tinyModel(tf.train.adam(0.05));
    const report = { formats: ["svg", "png", "pdf"], style: "paper", page: "page.html" } as const;
    const options = { ...small, directory, data: { xs, ys }, report };
    const first = landscapeCallback(options);
    await model.fit(xs, ys, { epochs: 2, verbose: 0, callbacks: [first] });
    expect(first.files.length).toBeGreaterThan(4);
    const fails = new tf.CustomCallback({
      onEpochEnd: async () => {
        throw new Error("bad luck");
      },
    });
    const callbacks = [landscapeCallback({ ...options, resume: true }), fails];
    await expect(model.fit(xs, ys, { epochs: 2, verbose: 0, callbacks })).rejects.toThrow("bad luck");
    for (const file of first.files) expect(existsSync(file), file).toBe(false);
  });

  test("trainings that are appended to one run are analysed each time", async () => {
    const directory = newFolder();
    const model = tinyModel(tf.train.adam(0.05));
    for (const resume of [false, true]) {
      const callback = landscapeCallback({ directory, resume, data: { xs, ys }, ...small });
      await model.fit(xs, ys, { epochs: 2, verbose: 0, callbacks: [callback] });
      expect(callback.error).toBeNull();
    }
  });

  test("the page names the run and carries its figure", async () => {
    const directory = newFolder();
    const callback = landscapeCallback({
      directory,
      name: "a <run> & more",
      data: { xs, ys },
      figure: { names: { data: "12 toy points" } },
      ...small,
    });
    await tinyModel(tf.train.adam(0.05)).fit(xs, ys, { epochs: 2, verbose: 0, callbacks: [callback] });
    const page = readFileSync(join(directory, "report.html"), "utf8");
    expect(page).toContain("12 toy points");
    expect(page).not.toContain("<run>");
  });
});
