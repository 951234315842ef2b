import { existsSync } from "node:fs";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { landscapeCallback } from "../../callbacks/landscape-callback.js";
import { learningRateScheduler } from "../../callbacks/learning-rate-scheduler.js";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { openRun } from "../../src/store/run/open-run.js";
import { useTestBackend } from "../support/backend.js";
import { flatWeights, temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";

beforeAll(useTestBackend);
const newFolder = temporaryFolders();
const plain = { onEpochEnd() {} };

/** Our callbacks, each with what it would leave behind. */
function ours() {
  const directory = newFolder();
  const { xs, ys } = tinyData();
  return {
    trajectory: trajectoryCallback({ directory }),
    landscape: landscapeCallback({ directory, data: { xs, ys } }),
    rate: learningRateScheduler({ kind: "exponential", factor: 0.5 }),
    directory,
  };
}

async function trainWith(
  callbacks: unknown,
): Promise<{ readonly before: number[]; readonly after: number[] }> {
  const model = tinyModel();
  const { xs, ys } = tinyData();
  const before = flatWeights(model);
  try {
    await model.fit(xs, ys, { epochs: 2, verbose: 0, callbacks: callbacks as tf.CustomCallback[] });
  } catch (error) {
    expect(flatWeights(model)).toEqual(before);
    throw error;
  }
  return { before, after: flatWeights(model) };
}

describe.each(["trajectory", "landscape", "rate"] as const)("%s callback", (kind) => {
  it("after a plain object says before training what to write", async () => {
    const { [kind]: callback, directory } = ours();
    await expect(trainWith([plain, callback])).rejects.toThrow(
      /write callbacks: .*new tf\.CustomCallback\(\{/,
    );
    expect(existsSync(directory)).toBe(false);
  });

  it("before a plain object says so in a process warning beside TensorFlow.js's own error", async () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const { [kind]: callback } = ours();
    await expect(trainWith([callback, plain])).rejects.toThrow("setParams is not a function");
    expect(warn).toHaveBeenCalledOnce();
    expect(String(warn.mock.calls[0]?.[0])).toMatch(/write callbacks: .*new tf\.CustomCallback\(\{/);
    warn.mockRestore();
  });

  it.each(["alone", "in a list", "after an instance"])("as a spread %s says what to write", async (place) => {
    const { [kind]: callback, directory } = ours();
    const spread = { ...callback };
    const lists = {
      alone: spread,
      "in a list": [spread],
      "after an instance": [new tf.CustomCallback({}), spread],
    };
    await expect(trainWith(lists[place as keyof typeof lists])).rejects.toThrow(/no spread of ours/);
    expect(existsSync(directory)).toBe(false);
  });
});

it("what the message says to write works", async () => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  const { trajectory, rate, directory } = ours();
  const seen: number[] = [];
  const custom = new tf.CustomCallback({ onEpochEnd: async (epoch) => void seen.push(epoch) });
  await trainWith([trajectory, rate, custom]);
  expect(seen).toEqual([0, 1]);
  expect((await openRun(directory)).snapshots).toHaveLength(3);
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
});

it("a wrapper of another copy of TensorFlow.js is told from a plain object's", async () => {
  const { trajectory } = ours();
  class OtherCopysWrapper {
    readonly trainBegin = trajectory.onTrainBegin;
  }
  await expect(new OtherCopysWrapper().trainBegin()).rejects.toThrow(
    /another copy of @tensorflow\/tfjs .*use the same copy/,
  );
});
