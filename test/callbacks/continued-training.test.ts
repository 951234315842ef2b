import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { type TrajectoryCallbackOptions, trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { RunStateError } from "../../src/base/errors.js";
import type { RunManifest } from "../../src/model/manifest.js";
import { openRun } from "../../src/store/run/open-run.js";
import { useTestBackend } from "../support/backend.js";
import { flatWeights, temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";

beforeAll(useTestBackend);
const newFolder = temporaryFolders();

async function manifestOf(directory: string): Promise<RunManifest> {
  return JSON.parse(await readFile(join(directory, "run.json"), "utf8")) as RunManifest;
}

async function trainOn(
  model: tf.LayersModel,
  options: TrajectoryCallbackOptions,
  fit: tf.ModelFitArgs = {},
  others: tf.CustomCallback[] = [],
) {
  const { xs, ys } = tinyData();
  const callback = trajectoryCallback(options);
  await model.fit(xs, ys, { epochs: 2, batchSize: 4, verbose: 0, ...fit, callbacks: [callback, ...others] });
  return callback;
}

describe("the snapshot added when training ends", () => {
  /** Puts other weights in place when training ends, as "restore best weights" does. */
  class Restore extends tf.CustomCallback {
    readonly #how: (model: tf.LayersModel) => void;
    #model: tf.LayersModel | null = null;
    constructor(how: (model: tf.LayersModel) => void) {
      super({});
      this.#how = how;
    }
    override setModel(model: Parameters<tf.CustomCallback["setModel"]>[0]) {
      this.#model = model as tf.LayersModel;
    }
    override async onTrainEnd() {
      this.#how(this.#model as tf.LayersModel);
    }
  }
  const halves = (model: tf.LayersModel) =>
    tf.tidy(() => {
      for (const weight of model.weights) weight.write(tf.fill(weight.shape as number[], 0.5));
    });

  // Theirs has to run first: TF.js calls callbacks in their order.
  async function record(
    schedule: TrajectoryCallbackOptions["schedule"],
    how: (model: tf.LayersModel) => void,
  ) {
    const directory = newFolder();
    const { xs, ys } = tinyData();
    const ours = trajectoryCallback({ directory, ...(schedule === undefined ? {} : { schedule }) });
    const callbacks = [new Restore(how), ours];
    await tinyModel().fit(xs, ys, { epochs: 3, batchSize: 4, verbose: 0, callbacks });
    return (await openRun(directory)).snapshots;
  }

  it("has no logs where the weights are not those of the last epoch", async () => {
    for (const schedule of [undefined, { everyEpochs: 2 }] as const) {
      const snapshots = await record(schedule, halves);
      expect(snapshots.at(-1)).toMatchObject({ epoch: 3, iteration: 9, logs: {} });
    }
    expect(Object.keys((await record(undefined, halves)).at(-2)?.logs ?? {})).toContain("loss");
  });

  it("keeps the logs of the last epoch where nothing is put in place", async () => {
    const snapshots = await record({ everyEpochs: 2 }, () => {});
    expect(Object.keys(snapshots.at(-1)?.logs ?? {})).toContain("loss");
  });
});

describe("another compiled loss in a run that is continued", () => {
  it("is the run's loss from then on, and run.json says what it was and where it changed", async () => {
    const directory = newFolder();
    const model = tinyModel();
    await trainOn(model, { directory });
    await trainOn(model, { directory, resume: true });
    model.compile({ optimizer: tf.train.sgd(0.1), loss: "meanSquaredError", metrics: ["mae"] });
    await trainOn(model, { directory, resume: true });
    const { loss, metrics, resumes } = await manifestOf(directory);
    expect({ loss, metrics }).toEqual({ loss: "meanSquaredError", metrics: ["mae"] });
    expect(resumes?.map(({ step, replaced }) => ({ step, replaced }))).toEqual([
      { step: 3, replaced: undefined },
      { step: 5, replaced: { loss: "categoricalCrossentropy", metrics: ["accuracy"] } },
    ]);
  });
});

describe("what fit does not tell its callbacks", () => {
  it("is written down where the caller says it", async () => {
    const directory = newFolder();
    await trainOn(
      tinyModel(),
      { directory, fit: { classWeight: { 0: 1, 1: 5 }, augmented: true } },
      { classWeight: { 0: 1, 1: 5 } },
    );
    expect((await manifestOf(directory)).fit).toMatchObject({
      epochs: 2,
      batchSize: 4,
      classWeight: { 0: 1, 1: 5 },
      augmented: true,
    });
  });
});

describe('resume: "process"', () => {
  it("makes one run of trainings in a loop, with one callback or a new one each time", async () => {
    for (const one of [true, false]) {
      const directory = newFolder();
      const model = tinyModel();
      const { xs, ys } = tinyData();
      const options = { directory, resume: "process" } as const;
      let callback = trajectoryCallback(options);
      for (let round = 0; round < 3; round++) {
        if (!one) callback = trajectoryCallback(options);
        await model.fit(xs, ys, { epochs: 1, batchSize: 4, verbose: 0, callbacks: [callback] });
      }
      expect((await openRun(directory)).snapshots.map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3]);
    }
  });

  it("does not append to the run of an earlier process: an error, or with overwrite a new one", async () => {
    const directory = newFolder();
    await trainOn(tinyModel(), { directory });
    // As the next start of the program finds it.
    const elsewhere = newFolder();
    const { cp } = await import("node:fs/promises");
    await cp(directory, elsewhere, { recursive: true });
    await expect(trainOn(tinyModel(), { directory: elsewhere, resume: "process" })).rejects.toThrow(
      RunStateError,
    );
    const model = tinyModel();
    const options = { directory: elsewhere, resume: "process", overwrite: true } as const;
    await trainOn(model, options);
    await trainOn(model, options);
    expect((await openRun(elsewhere)).snapshots.map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("a run that is continued from other weights", () => {
  it("says so in a warning; from the same ones it does not", async () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const directory = newFolder();
    const model = tinyModel();
    await trainOn(model, { directory });
    const same = await trainOn(model, { directory, resume: true });
    expect(same.warnings.map(({ code }) => code)).not.toContain("resumed-elsewhere");
    expect(warn).not.toHaveBeenCalled();
    const other = await trainOn(tinyModel(), { directory, resume: true });
    expect(other.warnings.find(({ code }) => code === "resumed-elsewhere")?.message).toContain(
      "goes on from other weights than those of its last snapshot (4)",
    );
    expect(warn).toHaveBeenCalledOnce();
    warn.mockRestore();
  });
});

describe("transfer learning", () => {
  it("freeze, train, unfreeze, train is one path over all weights that were trained", async () => {
    const directory = newFolder();
    const model = tinyModel();
    const compile = () => model.compile({ optimizer: tf.train.sgd(0.1), loss: "categoricalCrossentropy" });
    const [base] = model.layers as [tf.layers.Layer];
    base.trainable = false;
    compile();
    await trainOn(model, { directory });
    base.trainable = true;
    compile();
    await trainOn(model, { directory, resume: true });
    const run = await openRun(directory);
    expect(run.snapshots).toHaveLength(5);
    expect(run.warnings).toEqual([]);
    expect(run.layout.trainableCount).toBe(3 * 4 + 4 + 4 + 4 + 4 * 2 + 2);
    expect(run.layout.parameters.filter(({ trainable }) => !trainable).map(({ role }) => role)).toEqual([
      "state",
      "state",
    ]);
    // θ keeps the order of the first training: each weight is found by its name.
    const theta = await run.readTheta(4);
    const byName = new Map(model.weights.map((weight) => [weight.name, weight.read().dataSync()]));
    for (const { name, offset, size } of run.layout.parameters) {
      expect([...theta.subarray(offset, offset + size)]).toEqual([...(byName.get(name) as Float32Array)]);
    }
    const kernel = run.layout.parameters.find(({ name }) => name === base.weights[0]?.name);
    expect(kernel?.trainable).toBe(true);
    expect((await manifestOf(directory)).resumes?.[0]?.trainable).toContain(base.weights[0]?.name);
    expect(flatWeights(model)).toHaveLength(theta.length);
  });
});
