import { describe, expect, test } from "vitest";
import { type QueueCosts, type QueueWork, simulateQueue } from "../../bench/queue-model.js";

const nothing: QueueCosts = {
  serverTile: 0,
  serverWorkerSecond: 0,
  submitterTile: 0,
  submitterPoint: 0,
  workerTile: 0,
  open: 0,
  contentBytes: 0,
};
const work: QueueWork = {
  workers: 4,
  points: 1000,
  pointSeconds: 1,
  tileSeconds: 5,
  storeBytesPerSecond: 1e9,
};
const predict = (costs: Partial<QueueCosts>, more: Partial<QueueWork> = {}) =>
  simulateQueue({ ...nothing, ...costs }, { ...work, ...more });

describe("the simulation of a queue", () => {
  test("what costs nothing scales perfectly", () => {
    expect(predict({})).toMatchObject({ seconds: 250, tiles: 200, speedup: 4, limit: "workers" });
    expect(predict({}, { workers: 1 }).seconds).toBe(1000);
    // More workers than points: each has one.
    expect(predict({}, { workers: 5000 }).seconds).toBe(1);
  });

  test("opening, fetching and each tile take the time that they take", () => {
    expect(predict({ open: 7 }).seconds).toBe(257);
    expect(predict({ workerTile: 0.5 }).seconds).toBe(250 + 50 * 0.5);
    // Four workers fetch 250 MB each, one after another; the last one begins a second later, and all share the rest.
    const { seconds, load } = predict({ contentBytes: 250e6 });
    expect(seconds).toBeGreaterThan(250);
    expect(seconds).toBeLessThanOrEqual(256);
    expect(load.store).toBeCloseTo(1 / seconds, 6);
  });

  test("no more tiles a second than the submitter, or the server, can serve: that is named", () => {
    const many = { workers: 1000, points: 10_000, tileSeconds: 1 };
    const slow = predict({ submitterTile: 0.01 }, many);
    expect(slow).toMatchObject({ tiles: 10_000, limit: "submitter" });
    expect(slow.seconds).toBeGreaterThan(99.9);
    expect(slow.seconds).toBeLessThan(103);
    const server = predict({ serverTile: 0.01 }, many);
    expect(server.limit).toBe("server");
    expect(server.seconds).toBeGreaterThan(99.9);
    expect(server.seconds).toBeLessThan(103);
  });

  test("workers that are only there take the server's time; too many of them take all of it", () => {
    const costs = { serverTile: 0.001, serverWorkerSecond: 0.0005 };
    expect(predict(costs, { workers: 100 }).load.server).toBeCloseTo(0.05, 1);
    const many = { workers: 1000, points: 100_000, tileSeconds: 1 };
    // Half of the server's time is left: 2 ms a tile.
    expect(predict(costs, many).seconds).toBeGreaterThan(199.9);
    expect(predict(costs, { ...many, workers: 3000 })).toMatchObject({
      seconds: Number.POSITIVE_INFINITY,
      speedup: 0,
      load: { server: 1 },
      limit: "server",
    });
  });

  test("more workers never take longer where the costs are those of tiles", () => {
    const costs = { serverTile: 0.001, submitterTile: 0.002, submitterPoint: 1e-4, workerTile: 0.01 };
    const times = [1, 2, 4, 8, 50].map((workers) => predict(costs, { workers }).seconds);
    expect(times).toEqual([...times].sort((a, b) => b - a));
    expect((times[0] as number) / (times[1] as number)).toBeCloseTo(2, 1);
  });
});
