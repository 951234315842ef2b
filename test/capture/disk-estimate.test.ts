import { describe, expect, it } from "vitest";
import { countSnapshots, diskWarning, freeBytes } from "../../src/capture/create-recorder.js";
import { resolveSchedule } from "../../src/capture/schedule.js";

describe("countSnapshots", () => {
  const fit = { epochs: 300, samples: 1000, batchSize: 128 };
  it.each([
    ["epoch", fit, 301],
    [{ everyEpochs: 7 }, fit, 1 + 42 + 1],
    [{ everyEpochs: 10 }, fit, 31],
    [{ everyBatches: 1 }, fit, 2401],
    [{ everyBatches: 1 }, { epochs: 2, steps: 5 }, 11],
    [{ geometric: { ratio: 2 } }, { epochs: 1, steps: 100 }, 1 + 7 + 1],
    ["epoch", { epochs: 5, initialEpoch: 3 }, 3],
    ["epoch", { epochs: 2, initialEpoch: 2 }, 1],
    [{ everyBatches: 1 }, { epochs: 2 }, null],
    ["epoch", {}, null],
  ] as const)("%j of %j: %j", (schedule, call, expected) => {
    expect(countSnapshots(resolveSchedule(schedule as never), call)).toBe(expected);
  });

  it("long trainings are reckoned, not counted", () => {
    const rule = resolveSchedule({ everyBatches: 100 });
    const count = countSnapshots(rule, { epochs: 1000, steps: 1e6 }) as number;
    expect(count / 1e7).toBeCloseTo(1, 3);
  });
});

describe("diskWarning", () => {
  it("names snapshots, weights and gigabytes where a run is larger than 10 GB", () => {
    expect(diskWarning("/r", 300, 1e7, 4, 1e12)?.message).toMatch(
      /^\/r: 300 snapshots of 10,000,000 weights will take 12 GB of the disk, of which 1000 GB are free\./,
    );
    expect(diskWarning("/r", 300, 1e7, 4, null)?.code).toBe("disk-space");
  });

  it("warns of smaller runs only where they do not fit", () => {
    expect(diskWarning("/r", 20, 1e7, 2, 1e9)).toBeNull();
    expect(diskWarning("/r", 20, 1e7, 4, 5e8)?.message).toContain(
      "will take 0.8 GB of the disk, of which 0.5 GB",
    );
  });

  it("the free space of a folder that is not made yet is its parent's", async () => {
    const free = await freeBytes(`${process.cwd()}/not/made/yet`);
    expect(free).toBeGreaterThan(0);
  });
});
