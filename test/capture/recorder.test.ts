import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { InvalidOptionError, LayoutError, RunStateError } from "../../src/base/errors.js";
import {
  createTrajectoryRecorder,
  type TrajectoryRecorderOptions,
} from "../../src/capture/create-recorder.js";
import type { RecorderPosition } from "../../src/capture/recorder.js";
import { openRun } from "../../src/store/run/open-run.js";
import { isRunInUse } from "../../src/store/run/run-lock.js";
import { useTestBackend } from "../support/backend.js";
import { flatWeights, temporaryFolders, tinyModel } from "../support/tiny-training.js";

beforeAll(useTestBackend);
const newFolder = temporaryFolders();

/** w = (1, 2), then 10 is added with every step. */
function counter() {
  const w = tf.variable(tf.tensor1d([1, 2]));
  return { w, step: () => tf.tidy(() => w.assign(w.add(10))) };
}

async function recorded(directory: string) {
  const run = await openRun(directory);
  const thetas = await Promise.all(run.snapshots.map((_, index) => run.readTheta(index)));
  return { run, snapshots: run.snapshots, thetas: thetas.map((theta) => Array.from(theta)) };
}

describe("a custom loop", () => {
  it("records on demand what its variables hold at the time of the call, also without waiting", async () => {
    const directory = newFolder();
    const { w, step } = counter();
    const recorder = await createTrajectoryRecorder({ directory, variables: [w] });
    const records: Promise<void>[] = [];
    for (let iteration = 0; iteration < 20; iteration++) {
      records.push(recorder.record({ epoch: 0, iteration, learningRate: 0.5, logs: { loss: -iteration } }));
      step();
    }
    await Promise.all(records);
    await recorder.close();
    const { snapshots, thetas } = await recorded(directory);
    expect(thetas).toEqual(Array.from({ length: 20 }, (_, i) => [1 + 10 * i, 2 + 10 * i]));
    expect(snapshots[3]).toMatchObject({ step: 3, iteration: 3, learningRate: 0.5, logs: { loss: -3 } });
  });

  it("records by schedule, and the initial and final weights always", async () => {
    const directory = newFolder();
    const { w, step } = counter();
    const optimizer = tf.train.adam(0.25);
    const options = { directory, variables: { w }, optimizer, schedule: { geometric: { ratio: 3 } } };
    const recorder = await createTrajectoryRecorder(options);
    const answers: boolean[] = [];
    for (let iteration = 0; iteration <= 10; iteration++) {
      if (iteration > 0) step();
      answers.push(await recorder.recordIfDue({ epoch: 0, iteration }));
    }
    await recorder.close({ epoch: 1, iteration: 10 });
    const { run, snapshots, thetas } = await recorded(directory);
    expect(answers.flatMap((isRecorded, index) => (isRecorded ? [index] : []))).toEqual([0, 1, 3, 9]);
    expect(snapshots.map(({ iteration }) => iteration)).toEqual([0, 1, 3, 9, 10]);
    expect(thetas.map(([first]) => first)).toEqual([1, 11, 31, 91, 101]);
    expect(snapshots.map(({ learningRate }) => learningRate)).toEqual([0.25, 0.25, 0.25, 0.25, 0.25]);
    expect(run.layout.parameters).toMatchObject([{ name: "w", shape: [2], layerType: "Variable" }]);
    expect(run.manifest).toMatchObject({ model: null, optimizer: { className: "Adam" }, loss: null });
  });

  it("records an epoch once, however often it asks in it", async () => {
    const directory = newFolder();
    const { w, step } = counter();
    const recorder = await createTrajectoryRecorder({ directory, variables: { w } });
    for (let iteration = 0; iteration <= 6; iteration++) {
      if (iteration > 0) step();
      await recorder.recordIfDue({ epoch: Math.floor(iteration / 3), iteration });
    }
    await recorder.close({ epoch: 2, iteration: 6 });
    const { snapshots } = await recorded(directory);
    expect(snapshots.map(({ epoch, iteration }) => [epoch, iteration])).toEqual([
      [0, 0],
      [1, 3],
      [2, 6],
    ]);
  });

  it("has no learning rate where nobody says it", async () => {
    const directory = newFolder();
    const recorder = await createTrajectoryRecorder({ directory, variables: { w: counter().w } });
    await recorder.record({ epoch: 0, iteration: 0 });
    await recorder.close();
    expect((await recorded(directory)).snapshots[0]?.learningRate).toBeNaN();
  });

  it("takes the names of loss, metrics and settings for the manifest", async () => {
    const directory = newFolder();
    const facts = { loss: "custom", metrics: ["error"], fit: { batchSize: 7, schedule: () => 1 } };
    const recorder = await createTrajectoryRecorder({ directory, variables: { w: counter().w }, ...facts });
    await recorder.close();
    const { manifest } = await openRun(directory);
    expect(manifest).toMatchObject({ loss: "custom", metrics: ["error"], fit: { batchSize: 7 } });
  });

  it("resumes: the same weights are not repeated, others are", async () => {
    const directory = newFolder();
    const { w, step } = counter();
    const session = async (iterations: number[], options: Partial<TrajectoryRecorderOptions> = {}) => {
      const recorder = await createTrajectoryRecorder({ directory, variables: { w }, ...options });
      for (const iteration of iterations) {
        await recorder.recordIfDue({ epoch: iteration, iteration });
        step();
      }
      await recorder.close();
      return recorder;
    };
    await session([0, 1]);
    tf.tidy(() => w.assign(w.sub(10)));
    const recorder = await session([1, 2], { resume: true });
    expect(recorder.resumedFrom).toMatchObject({ step: 1, iteration: 1 });
    await session([2, 3], { resume: true });
    const { thetas, snapshots } = await recorded(directory);
    expect(thetas.map(([first]) => first)).toEqual([1, 11, 21, 31, 41]);
    expect(snapshots.map(({ iteration }) => iteration)).toEqual([0, 1, 2, 2, 3]);
  });
});

describe("final weights", () => {
  it.each(["float32", "float16"] as const)(
    "of the same update are not repeated unless they changed (%s)",
    async (dtype) => {
      const session = async (change: boolean) => {
        const directory = newFolder();
        const w = tf.variable(tf.tensor1d([0.1, Number.NaN, -0, 1 / 3]));
        const recorder = await createTrajectoryRecorder({ directory, variables: { w }, dtype });
        await recorder.record({ epoch: 0, iteration: 5 });
        if (change) tf.tidy(() => w.assign(tf.tensor1d([0.1, Number.NaN, 0, 1 / 3])));
        await recorder.close({ epoch: 1, iteration: 5 });
        return (await recorded(directory)).snapshots.length;
      };
      expect(await session(false)).toBe(1);
      expect(await session(true)).toBe(2);
    },
  );
});

describe("bad input", () => {
  const open = (options: Partial<TrajectoryRecorderOptions> = {}) =>
    createTrajectoryRecorder({ directory: newFolder(), variables: { w: counter().w }, ...options });

  it("neither or both of model and variables", async () => {
    const message = (got: string) => `model, variables: expected one of the two, got ${got}`;
    await expect(createTrajectoryRecorder({ directory: newFolder() })).rejects.toThrow(message("neither"));
    const both = open({ model: tinyModel() });
    await expect(both).rejects.toThrow(message("both"));
    await expect(both).rejects.toThrow(InvalidOptionError);
  });

  it("a model that is none of this TensorFlow.js", async () => {
    const model = { weights: [] } as unknown as tf.LayersModel;
    await expect(createTrajectoryRecorder({ directory: newFolder(), model })).rejects.toThrow(
      /^model: expected a LayersModel, got another object; .*same copy/,
    );
  });

  it("no variables", async () => {
    await expect(open({ variables: [] })).rejects.toThrow(LayoutError);
  });

  it.each<[unknown, RegExp]>([
    [{ epoch: -1, iteration: 0 }, /^epoch: expected an integer from 0 to 2147483647, got -1$/],
    [{ epoch: 0, iteration: 1.5 }, /^iteration: expected an integer from 0 to 2147483647, got 1.5$/],
    [{ epoch: 0, iteration: 2 ** 31 }, /^iteration: /],
    [{ epoch: 0, iteration: 0, learningRate: "0.1" }, /^learningRate: expected a number, got 0.1$/],
    [
      { epoch: 0, iteration: 0, logs: { loss: tf.scalar(1) } },
      /^logs.loss: expected a number, got a .*; read tensors/,
    ],
  ])("a position of %o", async (position, message) => {
    const recorder = await open();
    await expect(recorder.record(position as RecorderPosition)).rejects.toThrow(InvalidOptionError);
    await expect(recorder.recordIfDue(position as RecorderPosition)).rejects.toThrow(message);
    await recorder.record({ epoch: 0, iteration: 0 });
    await recorder.close();
    expect((await recorded(recorder.directory)).snapshots).toHaveLength(1);
  });

  it("recording after close", async () => {
    const recorder = await open();
    await recorder.close();
    await recorder.close();
    await expect(recorder.record({ epoch: 0, iteration: 0 })).rejects.toThrow(RunStateError);
  });

  it("a run that exists stays, and its recorder goes on", async () => {
    const recorder = await open();
    const again = createTrajectoryRecorder({ directory: recorder.directory, variables: { w: counter().w } });
    await expect(again).rejects.toThrow(RunStateError);
    await recorder.record({ epoch: 0, iteration: 0 });
    await recorder.close();
    expect((await recorded(recorder.directory)).snapshots).toHaveLength(1);
  });
});

describe("a run whose last weights are damaged", () => {
  it("is not resumed, not changed and given free", async () => {
    const directory = newFolder();
    const { w } = counter();
    const first = await createTrajectoryRecorder({ directory, variables: { w } });
    await first.record({ epoch: 0, iteration: 0 });
    await first.close();
    const file = join(directory, "snapshots/000000.arrow");
    const bytes = readFileSync(file);
    const place = bytes.indexOf(Buffer.from(Float32Array.of(1, 2).buffer));
    expect(place).toBeGreaterThan(0);
    bytes[place] = 1;
    writeFileSync(file, bytes);
    const before = readFileSync(join(directory, "run.json"), "utf8");
    const again = createTrajectoryRecorder({ directory, variables: { w }, resume: true });
    await expect(again).rejects.toThrow(/000000.arrow: theta: expected sha-256/);
    expect(readFileSync(join(directory, "run.json"), "utf8")).toBe(before);
    expect(await isRunInUse(directory)).toBe(false);
  });
});

describe("a place that is a file", () => {
  it("is refused in words", async () => {
    const file = newFolder();
    writeFileSync(file, "");
    const { w } = counter();
    const recorder = createTrajectoryRecorder({ directory: join(file, "run"), variables: { w } });
    await expect(recorder).rejects.toThrow(/expected a directory, got a part of the path is a file/);
  });
});

describe("a recorder that was never closed", () => {
  it("is closed by the one that resumes its run", async () => {
    const directory = newFolder();
    const { w, step } = counter();
    const first = await createTrajectoryRecorder({ directory, variables: { w } });
    for (let iteration = 0; iteration < 10; iteration++) {
      await first.record({ epoch: 0, iteration });
      step();
    }
    const second = await createTrajectoryRecorder({ directory, variables: { w }, resume: true });
    expect(second.resumedFrom).toMatchObject({ step: 9 });
    await expect(first.record({ epoch: 0, iteration: 10 })).rejects.toThrow(RunStateError);
    await second.record({ epoch: 0, iteration: 10 });
    await second.close();
    expect((await recorded(directory)).snapshots).toHaveLength(11);
  });
});

describe("a model", () => {
  it("is recorded with its own optimizer's rate, and leaks no tensor", async () => {
    const directory = newFolder();
    const model = tinyModel(tf.train.sgd(0.125));
    const before = tf.memory().numTensors;
    const recorder = await createTrajectoryRecorder({ directory, model });
    await recorder.record({ epoch: 0, iteration: 0 });
    await recorder.close({ epoch: 0, iteration: 0 });
    expect(tf.memory().numTensors).toBe(before);
    const { snapshots, thetas } = await recorded(directory);
    expect(thetas).toEqual([flatWeights(model)]);
    expect(snapshots[0]?.learningRate).toBe(0.125);
  });
});
