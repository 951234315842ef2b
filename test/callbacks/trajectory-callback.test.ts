import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { learningRateScheduler } from "../../callbacks/learning-rate-scheduler.js";
import { type TrajectoryCallbackOptions, trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { InvalidOptionError, LayoutError, RunStateError } from "../../src/base/errors.js";
import { openRun } from "../../src/store/run/open-run.js";
import type { SnapshotInfo } from "../../src/store/run/run.js";
import { useTestBackend } from "../support/backend.js";
import {
  flatWeights,
  removeFolder,
  temporaryFolders,
  tinyData,
  tinyModel,
  Witness,
} from "../support/tiny-training.js";

beforeAll(useTestBackend);
const newFolder = temporaryFolders();

/** Trains 3 batches an epoch and returns what was recorded beside what a witness saw. */
async function train({
  epochs = 3,
  fit = {},
  optimizer,
  callbacks = [],
  ...options
}: Partial<TrajectoryCallbackOptions> & {
  epochs?: number;
  fit?: tf.ModelFitArgs;
  optimizer?: tf.Optimizer;
  callbacks?: tf.CustomCallback[];
} = {}) {
  const directory = options.directory ?? newFolder();
  const model = tinyModel(optimizer);
  const { xs, ys } = tinyData();
  const witness = new Witness();
  const callback = trajectoryCallback({ directory, ...options });
  const all = [witness, callback, ...callbacks];
  await model.fit(xs, ys, { epochs, batchSize: 4, verbose: 0, ...fit, callbacks: all });
  const run = await openRun(directory);
  const thetas = await Promise.all(run.snapshots.map((_, index) => run.readTheta(index)));
  return { run, thetas: thetas.map((theta) => Array.from(theta)), witness, model, callback, directory };
}

const column = <K extends keyof SnapshotInfo>(snapshots: readonly SnapshotInfo[], key: K) =>
  snapshots.map((snapshot) => snapshot[key]);

describe("what is recorded every epoch", () => {
  it("is the initial weights and those after each epoch, bit for bit", async () => {
    const { run, thetas, witness, model } = await train();
    expect(thetas).toEqual([witness.initial[0], ...witness.epochs.map(({ theta }) => theta)]);
    expect(thetas.at(-1)).toEqual(flatWeights(model));
    expect(run.layout.trainableCount).toBe(3 * 4 + 4 + 4 + 4 + 4 * 2 + 2);
    expect(run.layout.parameterCount).toBe(run.layout.trainableCount + 8);
    expect(new Set(thetas.map(String)).size).toBe(4);
  });

  it("comes with step, epoch, iteration, time and rate", async () => {
    const before = Date.now();
    const { snapshots } = (await train()).run;
    expect(column(snapshots, "step")).toEqual([0, 1, 2, 3]);
    expect(column(snapshots, "epoch")).toEqual([0, 1, 2, 3]);
    expect(column(snapshots, "iteration")).toEqual([0, 3, 6, 9]);
    expect(column(snapshots, "learningRate")).toEqual([0.1, 0.1, 0.1, 0.1]);
    const times = column(snapshots, "time");
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times[0]).toBeGreaterThanOrEqual(before);
    expect(times.at(-1)).toBeLessThanOrEqual(Date.now());
  });

  it("comes with all logs of the epoch, validation included, and none at the start", async () => {
    const { xs, ys } = tinyData();
    const { run, witness } = await train({ fit: { validationData: [xs, ys] } });
    expect(column(run.snapshots, "logs")).toEqual([{}, ...witness.epochs.map(({ logs }) => logs)]);
    expect(Object.keys(run.snapshots[1]?.logs ?? {}).sort()).toEqual(["acc", "loss", "val_acc", "val_loss"]);
  });

  it("counts epochs from initialEpoch", async () => {
    const { snapshots } = (await train({ fit: { initialEpoch: 5 }, epochs: 7 })).run;
    expect(column(snapshots, "epoch")).toEqual([5, 6, 7]);
    expect(column(snapshots, "iteration")).toEqual([0, 3, 6]);
  });

  it("is the initial weights alone where nothing is trained", async () => {
    const { run } = await train({ fit: { initialEpoch: 2 }, epochs: 2 });
    expect(run.snapshots.map(({ step, epoch, iteration }) => [step, epoch, iteration])).toEqual([[0, 2, 0]]);
  });
});

describe("schedules", () => {
  const positions = (snapshots: readonly SnapshotInfo[]) =>
    snapshots.map(({ epoch, iteration }) => [epoch, iteration]);

  it("everyEpochs: the final weights come without being due", async () => {
    const { run, thetas, witness } = await train({ schedule: { everyEpochs: 2 } });
    expect(positions(run.snapshots)).toEqual([
      [0, 0],
      [2, 6],
      [3, 9],
    ]);
    expect(thetas[2]).toEqual(witness.epochs[2]?.theta);
    expect(run.snapshots[2]?.logs).toEqual(witness.epochs[2]?.logs);
  });

  it("everyBatches: an update that ends an epoch counts it, with the epoch's logs", async () => {
    const { run, thetas, witness } = await train({ schedule: { everyBatches: 1 }, epochs: 2 });
    expect(positions(run.snapshots)).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 3],
      [1, 4],
      [1, 5],
      [2, 6],
    ]);
    expect(thetas.slice(1)).toEqual(witness.batches.map(({ theta }) => theta));
    expect(run.snapshots[1]?.logs.loss).toBe(witness.batches[0]?.loss);
    expect(Object.keys(run.snapshots[1]?.logs ?? {}).sort()).toEqual(["acc", "loss"]);
    expect(run.snapshots[3]?.logs).toEqual(witness.epochs[0]?.logs);
    expect(run.snapshots[6]?.logs).toEqual(witness.epochs[1]?.logs);
  });

  it("epochs: a list", async () => {
    const { run } = await train({ schedule: { epochs: [1] } });
    expect(column(run.snapshots, "epoch")).toEqual([0, 1, 3]);
  });

  it("iterations: a list", async () => {
    const { run, thetas, witness } = await train({ schedule: { iterations: [2, 3] } });
    expect(positions(run.snapshots)).toEqual([
      [0, 0],
      [0, 2],
      [1, 3],
      [3, 9],
    ]);
    expect(thetas[1]).toEqual(witness.batches[1]?.theta);
  });

  it("geometric: dense at first", async () => {
    const { run } = await train({ schedule: { geometric: { ratio: 2 } } });
    expect(column(run.snapshots, "iteration")).toEqual([0, 1, 2, 4, 8, 9]);
  });

  it("records weights that another callback puts in place when training ends", async () => {
    class Restore extends tf.CustomCallback {
      #model: tf.LayersModel | null = null;
      override setModel(model: Parameters<tf.CustomCallback["setModel"]>[0]) {
        this.#model = model as tf.LayersModel;
      }
      override async onTrainEnd() {
        tf.tidy(() => {
          for (const weight of this.#model?.weights ?? [])
            weight.write(tf.fill(weight.shape as number[], 0.5));
        });
      }
    }
    const directory = newFolder();
    const model = tinyModel();
    const { xs, ys } = tinyData();
    const callbacks = [new Restore({}), trajectoryCallback({ directory })];
    await model.fit(xs, ys, { epochs: 2, verbose: 0, callbacks });
    const run = await openRun(directory);
    expect(positions(run.snapshots)).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
      [2, 2],
    ]);
    expect(new Set(await run.readTheta(3))).toEqual(new Set([0.5]));
  });
});

describe("learning rate", () => {
  const optimizers: [string, () => tf.Optimizer][] = [
    ["SGD", () => tf.train.sgd(0.1)],
    ["Momentum", () => tf.train.momentum(0.1, 0.9)],
    ["Adam", () => tf.train.adam(0.1)],
    ["RMSProp", () => tf.train.rmsprop(0.1)],
    ["Adagrad", () => tf.train.adagrad(0.1)],
    ["Adadelta", () => tf.train.adadelta(0.1)],
    ["Adamax", () => tf.train.adamax(0.1)],
  ];

  it.each(optimizers)("drops of %s are recorded at the first snapshot they led to", async (_name, create) => {
    const scheduler = learningRateScheduler({ kind: "step", every: 2, factor: 0.5, initial: 0.2 });
    const { run } = await train({ optimizer: create(), epochs: 4, callbacks: [scheduler] });
    expect(column(run.snapshots, "learningRate")).toEqual([0.2, 0.2, 0.2, 0.1, 0.1]);
  });

  it("does not depend on the order of the callbacks", async () => {
    const directory = newFolder();
    const { xs, ys } = tinyData();
    const callbacks = [
      learningRateScheduler({ kind: "step", every: 1, factor: 0.5 }, { per: "batch" }),
      trajectoryCallback({ directory, schedule: { everyBatches: 1 } }),
    ];
    await tinyModel().fit(xs, ys, { epochs: 1, batchSize: 4, verbose: 0, callbacks });
    expect(column((await openRun(directory)).snapshots, "learningRate")).toEqual([0.1, 0.1, 0.05, 0.025]);
  });

  it("of the initial weights is the one that the first update used, in either order", async () => {
    const schedule = { kind: "step", every: 100, initial: 0.05 } as const;
    for (const isFirst of [true, false]) {
      const directory = newFolder();
      const { xs, ys } = tinyData();
      const record = trajectoryCallback({ directory, schedule: { everyBatches: 1 } });
      const scheduler = learningRateScheduler(schedule, { per: "batch" });
      const callbacks = isFirst ? [record, scheduler] : [scheduler, record];
      await tinyModel().fit(xs, ys, { epochs: 1, batchSize: 4, verbose: 0, callbacks });
      const { snapshots } = await openRun(directory);
      expect(column(snapshots, "learningRate")).toEqual([0.05, 0.05, 0.05, 0.05]);
      expect(column(snapshots, "iteration")).toEqual([0, 1, 2, 3]);
      expect(snapshots[0]).toMatchObject({ epoch: 0, logs: {} });
    }
  });

  it("is the one the updates used, though onEpochEnd has changed it already", async () => {
    const optimizer = tf.train.adam(0.1);
    class Decay extends tf.CustomCallback {
      override async onEpochEnd() {
        (optimizer as unknown as { learningRate: number }).learningRate /= 10;
      }
    }
    const directory = newFolder();
    const { xs, ys } = tinyData();
    const callbacks = [new Decay({}), trajectoryCallback({ directory })];
    await tinyModel(optimizer).fit(xs, ys, { epochs: 3, verbose: 0, callbacks });
    const rates = column((await openRun(directory)).snapshots, "learningRate");
    expect(rates.map((rate) => Number(rate.toPrecision(6)))).toEqual([0.1, 0.1, 0.01, 0.001]);
  });
});

describe("kinds of models and of training", () => {
  it("fitDataset, with initialEpoch", async () => {
    const { xs, ys } = tinyData();
    const pairs = tf.data.zip({ xs: tf.data.array(tf.unstack(xs)), ys: tf.data.array(tf.unstack(ys)) });
    const directory = newFolder();
    const model = tinyModel();
    const witness = new Witness();
    await model.fitDataset(pairs.batch(5), {
      epochs: 5,
      initialEpoch: 3,
      verbose: 0,
      callbacks: [witness, trajectoryCallback({ directory })],
    } as tf.ModelFitDatasetArgs<tf.TensorContainer>);
    const run = await openRun(directory);
    expect(run.snapshots.map(({ epoch, iteration }) => [epoch, iteration])).toEqual([
      [3, 0],
      [4, 3],
      [5, 6],
    ]);
    expect(Array.from(await run.readTheta(0))).toEqual(witness.initial[0]);
    expect(Array.from(await run.readTheta(2))).toEqual(flatWeights(model));
  });

  it("fitDataset without a batch: the initial weights come first", async () => {
    const empty = tf.data.generator(function* (): Generator<tf.TensorContainer> {});
    const directory = newFolder();
    await tinyModel().fitDataset(
      empty as tf.data.Dataset<tf.TensorContainer>,
      {
        epochs: 1,
        verbose: 0,
        callbacks: [trajectoryCallback({ directory })],
      } as tf.ModelFitDatasetArgs<tf.TensorContainer>,
    );
    const { snapshots } = await openRun(directory);
    expect(snapshots.map(({ epoch, iteration }) => [epoch, iteration])).toEqual([
      [0, 0],
      [1, 0],
    ]);
    expect(snapshots[0]?.learningRate).toBe(0.1);
  });

  it("functional models with several inputs and outputs and a shared layer", async () => {
    const [a, b] = [tf.input({ shape: [3] }), tf.input({ shape: [3] })];
    const shared = tf.layers.dense({ units: 4 });
    const [left, right] = [shared.apply(a), shared.apply(b)] as tf.SymbolicTensor[];
    const joined = tf.layers.concatenate().apply([left, right] as tf.SymbolicTensor[]) as tf.SymbolicTensor;
    const first = tf.layers.dense({ units: 1, name: "first" }).apply(joined) as tf.SymbolicTensor;
    const second = tf.layers.dense({ units: 2, name: "second" }).apply(joined) as tf.SymbolicTensor;
    const model = tf.model({ inputs: [a, b], outputs: [first, second] });
    const loss = {
      first: "meanSquaredError",
      second: (t: tf.Tensor, p: tf.Tensor) => tf.sub(t, p).abs().mean(1),
    };
    model.compile({ optimizer: tf.train.sgd(0.01), loss: loss as unknown as string });
    const directory = newFolder();
    const { xs, ys } = tinyData();
    await model.fit([xs, xs], [ys.slice([0, 0], [12, 1]), ys], {
      epochs: 2,
      verbose: 0,
      callbacks: [trajectoryCallback({ directory })],
    });
    const run = await openRun(directory);
    expect(Array.from(await run.readTheta(2))).toEqual(flatWeights(model));
    expect(Object.keys(run.snapshots[1]?.logs ?? {}).sort()).toEqual(["first_loss", "loss", "second_loss"]);
    expect(run.manifest.loss).toEqual({ first: "meanSquaredError", second: "custom" });
  });

  it("early stopping", async () => {
    class Stop extends tf.CustomCallback {
      #model: tf.LayersModel | null = null;
      override setModel(model: Parameters<tf.CustomCallback["setModel"]>[0]) {
        this.#model = model as tf.LayersModel;
      }
      override async onBatchEnd(batch: number) {
        if (batch === 1 && this.#model !== null) this.#model.stopTraining = true;
      }
    }
    const { run, thetas, model } = await train({ epochs: 10, callbacks: [new Stop({})] });
    expect(run.snapshots.map(({ epoch, iteration }) => [epoch, iteration])).toEqual([
      [0, 0],
      [1, 2],
    ]);
    expect(thetas.at(-1)).toEqual(flatWeights(model));
  });

  it("several callbacks at once, each with its own schedule and selection", async () => {
    const [kernels, halves] = [newFolder(), newFolder()];
    const { thetas, run } = await train({
      callbacks: [
        trajectoryCallback({
          directory: kernels,
          select: ({ role }) => role === "kernel",
          schedule: { epochs: [] },
        }),
        trajectoryCallback({ directory: halves, dtype: "float16" }),
      ],
    });
    const selected = await openRun(kernels);
    expect(selected.layout.parameters.map(({ role }) => role)).toEqual(["kernel", "kernel"]);
    expect(column(selected.snapshots, "epoch")).toEqual([0, 3]);
    const kernelEntries = run.layout.parameters
      .filter(({ role }) => role === "kernel")
      .flatMap(({ offset, size }) => (thetas[3] as number[]).slice(offset, offset + size));
    expect(Array.from(await selected.readTheta(1))).toEqual(kernelEntries);
    const half = await openRun(halves);
    expect(half.manifest.dtype).toBe("float16");
    expect(half.snapshots).toHaveLength(4);
    const widened = await half.readTheta(3);
    (thetas[3] as number[]).forEach((value, index) => {
      expect(Math.abs((widened[index] as number) - value)).toBeLessThanOrEqual(
        Math.abs(value) * 2 ** -11 + 2 ** -25,
      );
    });
  });

  it("leaves no tensor behind", async () => {
    const { xs, ys } = tinyData();
    const model = tinyModel();
    const trainWith = async (callbacks: tf.CustomCallback[]) => {
      await model.fit(xs, ys, { epochs: 2, verbose: 0, validationData: [xs, ys], callbacks });
    };
    await trainWith([]);
    const before = tf.memory().numTensors;
    await trainWith([trajectoryCallback({ directory: newFolder(), schedule: { everyBatches: 1 } })]);
    await trainWith([trajectoryCallback({ directory: newFolder() }), new Witness()]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("the manifest", () => {
  it("says what was trained, how, on what, and by whom", async () => {
    const { run } = await train({ optimizer: tf.train.momentum(0.25, 0.5), seed: 0, name: "a run" });
    const { manifest } = run;
    expect(manifest).toMatchObject({
      name: "a run",
      seed: 0,
      dtype: "float32",
      optimizer: { className: "Momentum", config: { learningRate: 0.25, momentum: 0.5 } },
      loss: "categoricalCrossentropy",
      metrics: ["accuracy"],
      fit: { epochs: 3, batchSize: 4, samples: 12, initialEpoch: 0 },
    });
    const rebuilt = await tf.models.modelFromJSON({ modelTopology: manifest.model } as never);
    expect(rebuilt.countParams()).toBe(run.layout.parameterCount);
    expect(manifest.packages).toMatchObject({
      "@tensorflow/tfjs": "4.22.0",
      "tfjs-landscape": expect.stringMatching(/^\d+\.\d+\.\d+/),
      node: process.versions.node,
    });
    expect(manifest.backend.name).not.toBe("");
    expect(manifest.backend.reason).not.toBe("");
  });

  it("takes its name from the directory and has no seed unless given", async () => {
    const { run, directory } = await train({ epochs: 1 });
    expect(run.manifest.name).toBe(directory.split("/").at(-1));
    expect(run.manifest.seed).toBeNull();
  });
});

describe("a second training", () => {
  const fitTwice = async (options: Partial<TrajectoryCallbackOptions>, second: tf.ModelFitArgs = {}) => {
    const directory = newFolder();
    const callback = trajectoryCallback({ directory, ...options });
    const model = tinyModel();
    const { xs, ys } = tinyData();
    const args = { epochs: 2, batchSize: 4, verbose: 0, callbacks: [callback] } as const;
    await model.fit(xs, ys, args as unknown as tf.ModelFitArgs);
    await model.fit(xs, ys, { ...(args as unknown as tf.ModelFitArgs), ...second });
    return openRun(directory);
  };

  it.each([{}, { overwrite: true }])("with the same callback is an error (%j)", async (options) => {
    await expect(fitTwice(options)).rejects.toThrow(RunStateError);
    await expect(fitTwice(options)).rejects.toThrow(
      /expected one training per callback, got a second one; .*resume/,
    );
  });

  it("appends with resume, and does not repeat weights that are there already", async () => {
    const run = await fitTwice({ resume: true });
    expect(column(run.snapshots, "step")).toEqual([0, 1, 2, 3, 4]);
    expect(column(run.snapshots, "epoch")).toEqual([0, 1, 2, 3, 4]);
    expect(column(run.snapshots, "iteration")).toEqual([0, 3, 6, 9, 12]);
  });

  it("counts on from initialEpoch where fit is given one", async () => {
    const run = await fitTwice({ resume: true }, { initialEpoch: 2, epochs: 4 });
    expect(column(run.snapshots, "epoch")).toEqual([0, 1, 2, 3, 4]);
  });

  it("refuses an initialEpoch before the run's end, and adds nothing", async () => {
    const directory = newFolder();
    await train({ directory });
    await expect(train({ directory, resume: true, fit: { initialEpoch: 1 } })).rejects.toThrow(
      /^initialEpoch: expected 3 or more, .*, got 1$/,
    );
    expect((await openRun(directory)).snapshots).toHaveLength(4);
  });

  it("records the initial weights of a resumed run where they are new", async () => {
    const directory = newFolder();
    await train({ directory });
    const { run, thetas, witness } = await train({ directory, resume: true });
    expect(run.snapshots.map(({ epoch, iteration }) => [epoch, iteration])).toEqual([
      [0, 0],
      [1, 3],
      [2, 6],
      [3, 9],
      [3, 9],
      [4, 12],
      [5, 15],
      [6, 18],
    ]);
    expect(thetas[4]).toEqual(witness.initial[0]);
  });

  it("starts a run with resume where there is none", async () => {
    expect((await train({ resume: true })).run.snapshots).toHaveLength(4);
  });

  it("never touches a run that exists unless asked, and says so before training", async () => {
    const directory = newFolder();
    const { thetas } = await train({ directory });
    const model = tinyModel();
    const weights = flatWeights(model);
    const { xs, ys } = tinyData();
    const callbacks = [trajectoryCallback({ directory })];
    await expect(model.fit(xs, ys, { epochs: 1, verbose: 0, callbacks })).rejects.toThrow(RunStateError);
    expect(flatWeights(model)).toEqual(weights);
    const run = await openRun(directory);
    expect(Array.from(await run.readTheta(3))).toEqual(thetas[3]);
    expect((await train({ directory, overwrite: true, epochs: 1 })).run.snapshots).toHaveLength(2);
  });

  it("refuses to resume a run of another layout", async () => {
    const directory = newFolder();
    await train({ directory });
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    const { xs, ys } = tinyData();
    const callbacks = [trajectoryCallback({ directory, resume: true })];
    await expect(model.fit(xs, ys, { epochs: 1, verbose: 0, callbacks })).rejects.toThrow(LayoutError);
    expect((await openRun(directory)).snapshots).toHaveLength(4);
  });
});

describe("when something fails", () => {
  it("an exception in the first batch leaves the initial weights, with the rate it would have used", async () => {
    class Fail extends tf.CustomCallback {
      override async onBatchBegin() {
        throw new Error("bad luck");
      }
    }
    const directory = newFolder();
    const callback = trajectoryCallback({ directory });
    const scheduler = learningRateScheduler({ kind: "step", every: 1, initial: 0.05 }, { per: "batch" });
    const { xs, ys } = tinyData();
    const callbacks = [callback, scheduler, new Fail({})];
    const listeners = process.listenerCount("beforeExit");
    await expect(tinyModel().fit(xs, ys, { epochs: 1, verbose: 0, callbacks })).rejects.toThrow("bad luck");
    expect(process.listenerCount("beforeExit")).toBe(listeners + 1);
    await callback.close();
    expect(process.listenerCount("beforeExit")).toBe(listeners);
    const { snapshots } = await openRun(directory);
    expect(snapshots).toMatchObject([{ step: 0, epoch: 0, iteration: 0, learningRate: 0.05 }]);
  });

  it("a training that failed adds nothing once a newer one has its directory", async () => {
    class Fail extends tf.CustomCallback {
      override async onBatchBegin() {
        throw new Error("bad luck");
      }
    }
    const directory = newFolder();
    const older = trajectoryCallback({ directory, maxPending: 1 });
    const { xs, ys } = tinyData();
    const failing = tinyModel().fit(xs, ys, { epochs: 1, verbose: 0, callbacks: [older, new Fail({})] });
    await expect(failing).rejects.toThrow("bad luck");
    const { thetas } = await train({ directory, overwrite: true, epochs: 1 });
    await older.close();
    const run = await openRun(directory);
    expect(run.snapshots).toHaveLength(2);
    expect(Array.from(await run.readTheta(0))).toEqual(thetas[0]);
  });

  it("an exception in training loses nothing that was recorded", async () => {
    class Fail extends tf.CustomCallback {
      override async onEpochBegin(epoch: number) {
        if (epoch === 2) throw new Error("bad luck");
      }
    }
    const directory = newFolder();
    const callback = trajectoryCallback({ directory });
    const { xs, ys } = tinyData();
    const callbacks = [callback, new Fail({})];
    await expect(tinyModel().fit(xs, ys, { epochs: 4, verbose: 0, callbacks })).rejects.toThrow("bad luck");
    await callback.close();
    await callback.close();
    expect(column((await openRun(directory)).snapshots, "epoch")).toEqual([0, 1, 2]);
  });

  it("a directory that goes away stops training with an error that says so", async () => {
    class Remove extends tf.CustomCallback {
      override async onEpochEnd(epoch: number) {
        if (epoch === 1) await removeFolder(directory);
      }
    }
    const directory = newFolder();
    const callbacks = [trajectoryCallback({ directory }), new Remove({})];
    const { xs, ys } = tinyData();
    const training = tinyModel().fit(xs, ys, { epochs: 50, verbose: 0, callbacks });
    await expect(training).rejects.toThrow(RunStateError);
    await expect(training).rejects.toThrow(
      /^snapshot \d+ of .*: expected to be written, got a folder on the way is gone/,
    );
    expect(existsSync(join(directory, "run.json"))).toBe(false);
  });

  it("a bad option is refused when the callback is made, and no directory appears", () => {
    const directory = newFolder();
    const bad = [
      [{ directory: "" }, /^directory: expected a path, got ""$/],
      [{ directory, schedule: { everyEpochs: 0 } }, /^schedule.everyEpochs/],
      [{ directory, dtype: "float64" }, /^dtype: expected "float32" or "float16", got "float64"$/],
      [{ directory, select: "all" }, /^select: expected a function, got "all"$/],
      [{ directory, describe: {} }, /^describe: expected a function/],
      [
        { directory, resume: true, overwrite: true },
        /^resume: expected not to be given together with overwrite/,
      ],
      [{ directory, overwrite: "yes" }, /^overwrite: expected true or false, got "yes"$/],
      [{ directory, resume: 1 }, /^resume: expected true, false or "process", got 1$/],
      [{ directory, seed: 1.5 }, /^seed: expected an integer, got 1.5$/],
      [{ directory, maxPending: 0 }, /^maxPending: expected a positive integer, got 0$/],
      [{ directory, name: "" }, /^name: expected a name, got ""$/],
      [{ directory, fit: 1 }, /^fit: expected an object, got 1$/],
      [{ directory, shedule: "epoch" }, /^shedule: .*did you mean schedule\?$/],
    ] as [TrajectoryCallbackOptions, RegExp][];
    for (const [options, message] of bad) {
      expect(() => trajectoryCallback(options)).toThrow(InvalidOptionError);
      expect(() => trajectoryCallback(options)).toThrow(message);
    }
    expect(existsSync(directory)).toBe(false);
  });

  it("a selection of nothing is refused before training, and no run appears", async () => {
    const directory = newFolder();
    await expect(train({ directory, select: () => false })).rejects.toThrow(LayoutError);
    expect(existsSync(directory) ? readdirSync(directory) : []).toEqual([]);
  });
});
