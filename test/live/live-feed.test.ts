import { expect, test } from "vitest";
import { thinned } from "../../src/live/live-feed.js";
import type { SnapshotInfo } from "../../src/store/run/run.js";

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
