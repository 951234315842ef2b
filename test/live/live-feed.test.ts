import { mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { FormatError } from "../../src/base/errors.js";
import { LiveFeed, type LiveState, thinned } from "../../src/live/live-feed.js";
import { RunFollower } from "../../src/live/run-follower.js";
import { LIVE_STABILITY_FILE, writeStability } from "../../src/store/kinds/stability-file.js";
import type { SnapshotInfo } from "../../src/store/run/run.js";
import { snapshotPath } from "../../src/store/run/snapshot-schema.js";
import { sampleProvenance, temporaryFolder, writeSampleRun } from "../store/sample-run.js";

/** Snapshots of a long training whose learning rate is lowered at the given steps. */
function snapshotsWithDrops(count: number, drops: readonly number[]): SnapshotInfo[] {
  return Array.from({ length: count }, (_, step) => ({
    step,
    epoch: step,
    iteration: 10 * step,
    learningRate: 0.1 / 10 ** drops.filter((drop) => drop <= step).length,
    logs: {},
  })) as unknown as SnapshotInfo[];
}

test("thinned curves keep both sides of every drop of the learning rate, and the last snapshot", () => {
  const all = snapshotsWithDrops(10_001, [3_333, 7_777]);
  const kept = thinned(all).map(({ step }) => step);
  expect(kept.length).toBeLessThan(5_000);
  for (const step of [3_332, 3_333, 7_776, 7_777, 10_000]) expect(kept).toContain(step);
});

test("snapshots whose stability is measured are kept: its curves look them up", () => {
  const all = snapshotsWithDrops(10_001, []);
  const measured = new Set([4_321, 8_765]);
  const kept = thinned(all, measured).map(({ step }) => step);
  expect(kept.length).toBeLessThan(5_000);
  for (const step of measured) expect(kept).toContain(step);
});

test("thinned curves keep the highest and the lowest value of every log, however short the peak", () => {
  const [high, low, early, rare] = [6_543, 2_109, 57, 9_001];
  const all = snapshotsWithDrops(10_001, []).map((one) => ({
    ...one,
    logs: {
      loss: one.step === high ? 50 : one.step === early ? 30 : 1 / (1 + one.step),
      acc: one.step === low ? -1 : 0.5,
      val: one.step === rare ? Number.NaN : 0.25,
    },
  }));
  const kept = new Set(thinned(all).map(({ step }) => step));
  expect(kept.size).toBeLessThan(5_000);
  for (const step of [0, early, low, high, rare, 10_000]) expect(kept).toContain(step);
  // Elsewhere the curve stays one: no part of the run is left out.
  const steps = [...kept].sort((a, b) => a - b);
  const widest = Math.max(...steps.slice(1).map((step, i) => step - (steps[i] ?? 0)));
  expect(widest).toBeLessThan(100);
});

test("few snapshots are all kept", () => {
  const all = snapshotsWithDrops(20, [5]);
  expect(thinned(all)).toEqual(all);
});

/** The state in which a run is found. */
async function firstState(directory: string): Promise<LiveState> {
  const feed = new LiveFeed(directory);
  await feed.begin();
  return new Promise((resolve, reject) => {
    const publish = (state: LiveState): void => {
      feed.close();
      resolve(state);
    };
    feed.follow(publish).catch(reject);
  });
}

test("a stability older than the run is of one that was replaced; one that cannot be read is a note", async () => {
  const directory = await temporaryFolder();
  await writeSampleRun(directory, 3, 4);
  const file = join(directory, LIVE_STABILITY_FILE);
  await mkdir(dirname(file), { recursive: true });
  const facts = { name: "net", dataName: null, optimizer: "SGD", samples: 4, lossMode: "model" };
  const path = { ...facts, minibatch: null, trainingOnly: [], points: [], warnings: [] };
  await writeStability(file, path, sampleProvenance());
  expect((await firstState(directory)).stability).toMatchObject(facts);
  await utimes(file, new Date(0), new Date(0));
  expect((await firstState(directory)).stability).toBe(null);
  await writeFile(file, "no Arrow file");
  const { stability, notes, points } = await firstState(directory);
  expect(stability).toBe(null);
  expect(notes).toEqual([expect.stringContaining("stability-live.arrow")]);
  expect(points.length).toBe(3);
});

test("of many snapshots that are there, all before one that cannot be read are taken, and all once it can", async () => {
  const directory = await temporaryFolder();
  await writeSampleRun(directory, 40, 4);
  const damaged = snapshotPath(directory, 25);
  const whole = await readFile(damaged);
  const follower = new RunFollower(directory);
  await writeFile(damaged, "no Arrow file");
  await expect(follower.look()).rejects.toThrow(FormatError);
  expect(follower.snapshots.map(({ step }) => step)).toEqual(Array.from({ length: 25 }, (_, step) => step));
  await writeFile(damaged, whole);
  expect(await follower.look()).toBe(true);
  expect(follower.snapshots.map(({ step }) => step)).toEqual(Array.from({ length: 40 }, (_, step) => step));
  expect(await follower.look()).toBe(false);
});
