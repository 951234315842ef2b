import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { LiveFeed, type LiveState, thinned } from "../../src/live/live-feed.js";
import { LIVE_STABILITY_FILE } from "../../src/store/kinds/stability-file.js";
import type { SnapshotInfo } from "../../src/store/run/run.js";
import { temporaryFolder, writeSampleRun } from "../store/sample-run.js";

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

test("few snapshots are all kept", () => {
  const all = snapshotsWithDrops(20, [5]);
  expect(thinned(all)).toEqual(all);
});

test("a damaged file of the stability is a note, and the path is shown", async () => {
  const directory = await temporaryFolder();
  await writeSampleRun(directory, 5, 4);
  const file = join(directory, LIVE_STABILITY_FILE);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "no Arrow file");
  const feed = new LiveFeed(directory, { interval: 5 });
  await feed.begin();
  const states: LiveState[] = [];
  await feed.follow((state) => {
    states.push(state);
    if (state.plane?.alpha.length === 5) feed.close();
  });
  expect(states.at(-1)?.stability).toBeNull();
  expect(states.at(-1)?.notes.join()).toContain("stability-live.arrow");
});
