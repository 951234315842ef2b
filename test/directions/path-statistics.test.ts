import { describe, expect, it } from "vitest";
import { evaluatePathProfile, pathAverages, profileFacts } from "../../src/between/path-profile.js";
import { readPathProfile, writePathProfile } from "../../src/between/path-profile-file.js";
import { memoryRowSource, type RowSource } from "../../src/directions/directions.js";
import {
  layerColumns,
  type PathStatisticsOptions,
  pathStatistics,
  walkMeanMap,
} from "../../src/directions/path-statistics.js";
import { functionEvaluator } from "../../src/loss/local-evaluator.js";
import { createNormal } from "../../src/math/random.js";
import { readPathStatistics, writePathStatistics } from "../../src/store/kinds/path-file.js";
import { expectAllClose } from "../support/allclose.js";
import { makeLayout } from "../support/layout.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";
import { temporaryFolders } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
const statisticsOf = (rows: readonly Float32Array[], options: Partial<PathStatisticsOptions> = {}) =>
  pathStatistics(memoryRowSource(rows), { linearAlgebra: plainLinearAlgebra, ...options });

/** Points 1, 2, 3 … times a direction away from some start. */
const straight = Array.from({ length: 6 }, (_, t) =>
  Float32Array.from({ length: 8 }, (_, c) => 5 - c + t * (c % 3)),
);
/** A walk of equal steps in independent directions. */
function randomWalk(steps: number, weights: number, seed: number): Float32Array[] {
  const next = createNormal(seed, "walk");
  const theta = new Float64Array(weights);
  return Array.from({ length: steps + 1 }, (_, t) => {
    if (t > 0) for (let c = 0; c < weights; c++) theta[c] += next();
    return Float32Array.from(theta);
  });
}

describe("pathStatistics", () => {
  it("of a straight line: every cosine is 1, and the path is as long as its ends are apart", async () => {
    const found = await statisticsOf(straight);
    const n = 6;
    const defined = found.map.filter((value) => !Number.isNaN(value));
    expect(defined.length).toBe((n - 1) ** 2);
    expectAllClose(defined, new Float64Array(25).fill(1), { absolute: 1e-12 });
    expect([found.meanMap, found.directness]).toEqual([expect.closeTo(1, 12), expect.closeTo(1, 12)]);
    expectAllClose(found.autocorrelation, [1, 1, 1, 1, 1], { absolute: 1e-12 });
    expect([...found.pairs]).toEqual([5, 4, 3, 2, 1]);
    expect(found.updateCosines.slice(0, n).every(Number.isNaN)).toBe(true);
    const step = Math.hypot(0, 1, 2, 0, 1, 2, 0, 1);
    expectAllClose(found.stepLength, [0, step, step, step, step, step]);
    expectAllClose(
      found.distance,
      [0, 1, 2, 3, 4, 5].map((t) => t * step),
    );
  });

  it("of a circle: chords and updates have the angles of the geometry", async () => {
    const n = 9;
    const angle = (2 * Math.PI) / 12;
    const circle = Array.from({ length: n }, (_, t) =>
      Float32Array.of(Math.cos(t * angle), Math.sin(t * angle), 7),
    );
    const found = await statisticsOf(circle);
    for (let t = 1; t < n; t++) {
      for (let s = 1; s < n; s++) {
        // The chords from one point to two others include half the angle between these.
        expect(found.map[t * n + s]).toBeCloseTo(Math.cos(((t - s) * angle) / 2), 5);
        expect(found.updateCosines[t * n + s]).toBeCloseTo(Math.cos((t - s) * angle), 5);
      }
    }
    expectAllClose(
      found.autocorrelation,
      Array.from({ length: n - 1 }, (_, lag) => Math.cos(lag * angle)),
      { absolute: 1e-5 },
    );
    const chord = (turn: number): number => 2 * Math.sin(turn / 2);
    expect(found.directness).toBeCloseTo(chord(8 * angle) / (8 * chord(angle)), 5);
  });

  it("of a random walk: a mean of 2/3, updates without correlation, within their errors", async () => {
    const [steps, weights] = [100, 4000];
    const found = await statisticsOf(randomWalk(steps, weights, 3));
    // The published values of 100 and 1,000 equal steps; 2/3 in the limit.
    expect(walkMeanMap(new Float64Array(steps + 1).fill(1))).toBeCloseTo(0.6726, 4);
    expect(walkMeanMap(new Float64Array(1001).fill(1))).toBeCloseTo(0.6673, 4);
    // The error of a mean of strongly dependent cosines: measured over seeds, 0.0035 for so few weights.
    expect(Math.abs(found.meanMap - 0.6726)).toBeLessThan(0.02);
    expect(Math.abs(found.meanMap - found.walkMeanMap)).toBeLessThan(0.02);
    const deviation = 1 / Math.sqrt(weights);
    found.autocorrelation.slice(1, 60).forEach((value, i) => {
      expect(Math.abs(value)).toBeLessThan((4.5 * deviation) / Math.sqrt(found.pairs[i + 1]));
    });
    expect(found.directness).toBeCloseTo(0.1, 2);
  });

  it("about another snapshot: the same as products of differences, on both sides of it", async () => {
    const rows = randomWalk(11, 30, 5);
    const origin = 4;
    const found = await statisticsOf(rows, { origin, precision: "float64" });
    for (let t = 0; t < 12; t++) {
      for (let s = 0; s < 12; s++) {
        let sum = 0;
        for (let c = 0; c < 30; c++) {
          sum += (rows[t][c] - rows[origin][c]) * (rows[s][c] - rows[origin][c]);
        }
        expect(found.gram[12 * t + s]).toBeCloseTo(sum, 3);
      }
    }
    const equal = walkMeanMap(new Float64Array(5).fill(1), 2);
    // Two snapshots on each side: 1 or √(1/2) on one side, 0 across.
    expect(equal).toBeCloseTo((4 + 4 * Math.SQRT1_2) / 16, 12);
  });

  it("keeps the digits of small steps far from the start, with float32 products too", async () => {
    const start = createNormal(1, "start");
    const base = Float64Array.from({ length: 3000 }, () => start());
    const rows = Array.from({ length: 8 }, (_, t) =>
      Float32Array.from(base, (value, c) => (t === 0 ? 0 : value) + 1e-4 * Math.cos(t + c) * (t > 0 ? 1 : 0)),
    );
    const found = await statisticsOf(rows, { precision: "backend" });
    const exact = await statisticsOf(rows, { precision: "float64" });
    expect(found.precision).toBe("plain");
    const known = (values: Float64Array) => values.filter((value) => !Number.isNaN(value));
    expectAllClose(known(found.updateCosines), known(exact.updateCosines), { absolute: 1e-5 });
    // Updates of a cosine that is moved on by 1: the angle between two is 1.
    expect(found.updateCosines[8 * 4 + 3]).toBeCloseTo(Math.cos(1), 2);
  });

  it("measures layers on their own, in blocks of any size", async () => {
    const layout = makeLayout([
      { name: "a/kernel", shape: [3] },
      { name: "b/state", shape: [2], trainable: false },
      { name: "b/kernel", shape: [2] },
      { name: "a/bias", shape: [1] },
    ]);
    const layers = layerColumns(layout, [
      { start: 0, end: 3 },
      { start: 5, end: 8 },
    ]);
    expect(layers).toEqual([
      {
        name: "a",
        ranges: [
          { start: 0, end: 3 },
          { start: 5, end: 6 },
        ],
      },
      { name: "b", ranges: [{ start: 3, end: 5 }] },
    ]);
    const rows = [
      [0, 0, 0, 0, 0, 0],
      [2, 0, 0, 3, 4, 1],
      [2, 2, 1, 3, 0, 1],
    ].map((row) => Float32Array.from(row));
    for (const blockColumns of [1, 2, 6]) {
      const found = await statisticsOf(rows, { layers, blockColumns });
      expect(found.layers.map(({ name, weights }) => [name, weights])).toEqual([
        ["a", 4],
        ["b", 2],
      ]);
      expectAllClose(found.layers[0].stepLength, [0, Math.sqrt(5), Math.sqrt(5)]);
      expectAllClose(found.layers[1].stepLength, [0, 5, 4]);
      expectAllClose(found.layers[1].distance, [0, 5, 3]);
    }
  });

  it("never asks for more than a block of columns", async () => {
    const rows = randomWalk(20, 1000, 7);
    const inner = memoryRowSource(rows);
    let largest = 0;
    const source: RowSource = {
      rows: inner.rows,
      columns: inner.columns,
      async readBlockInto(start, count, out) {
        largest = Math.max(largest, count);
        await inner.readBlockInto(start, count, out);
      },
    };
    await pathStatistics(source, { linearAlgebra: plainLinearAlgebra, blockColumns: 64 });
    expect(largest).toBe(64);
  });

  it("leaves out updates without a direction, and says so", async () => {
    const rows = [0, 1, 1, 0].map((value) => Float32Array.of(value, 0));
    const found = await statisticsOf(rows);
    expect(found.warnings.map(({ code }) => code)).toEqual(["repeated-snapshot", "at-origin"]);
    expect(found.meanMap).toBe(1);
    expect(found.autocorrelation[1]).toBeNaN();
    expect(found.autocorrelation[2]).toBe(-1);
    expect(found.directness).toBe(0);
  });

  it("refuses what is no path", async () => {
    const refuse = (rows: number[][], message: string, options: Partial<PathStatisticsOptions> = {}) =>
      expect(
        statisticsOf(
          rows.map((row) => Float32Array.from(row)),
          options,
        ),
      ).rejects.toThrow(message);
    await refuse([[1]], "snapshots: expected at least 2 snapshots for a path, got 1");
    await refuse([[1], [1]], "weights that change");
    await refuse(
      [
        [1, 0],
        [2, Number.NaN],
      ],
      "snapshot 1, column 1: expected finite weights, got NaN",
    );
    await refuse([[1], [2]], "origin: expected a snapshot from 0 to 1, got 2", { origin: 2 });
    const two = memoryRowSource(straight, [2, 4]);
    await expect(pathStatistics(two, { linearAlgebra: plainLinearAlgebra })).rejects.toThrow("one run");
  });

  it("is stored and read back bit for bit", async () => {
    const layers = [{ name: "all", ranges: [{ start: 0, end: 2 }] }];
    const found = await statisticsOf(
      [0, 1, 1, 3].map((value) => Float32Array.of(value, value ** 2)),
      { layers },
    );
    const file = `${newFolder()}/path.arrow`;
    const provenance = { kind: "path-statistics", version: 1, options: {}, seed: null, inputs: { run: "x" } };
    const snapshots = [0, 1, 2, 3].map((step) => ({ step, epoch: step, iteration: 10 * step }));
    await writePathStatistics(file, found, snapshots, provenance);
    expect(await readPathStatistics(file, provenance)).toEqual(found);
    expect(await readPathStatistics(file, { ...provenance, version: 9 })).toBeNull();
  });
});

/** A quadratic bowl Σ θ² and a ring of hills. */
const bowl = () => functionEvaluator((theta) => theta.reduce((sum, value) => sum + value * value, 0), 2);

describe("a path's losses", () => {
  const path = [
    [4, 0],
    [0, 4],
    [-2, 0],
    [0, -2],
  ].map((theta) => Float32Array.from(theta));
  const source = { count: 4, readTheta: async (i: number) => path[i] };

  it("averages have shares that sum to 1, and one mean age both ways", () => {
    const found = pathAverages(400, [2, 8]);
    expect(found.map(({ kind, count }) => `${kind} ${count}`)).toEqual(["swa 2", "swa 8", "ema 2", "ema 8"]);
    for (const { count, shares } of found) {
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
      const age = shares.reduce((sum, share, i) => sum + share * (399 - i), 0);
      expect(age).toBeCloseTo((count - 1) / 2, 6);
    }
    expect(pathAverages(40).map(({ count }) => count)).toEqual([2, 4, 8, 16, 2, 4, 8, 16]);
    expect(() => pathAverages(4, [5])).toThrow("averages: expected numbers of snapshots from 2 to 4, got 5");
  });

  it("a convex bowl has no barrier, and its average is lower: closed forms", async () => {
    const averages = pathAverages(4, [2, 4]);
    const profile = await evaluatePathProfile("train", source, bowl(), { points: 3, averages });
    const { snapshots, barriers, heights, averages: means } = profileFacts(profile);
    // Halfway between two points of a bowl the loss is a quarter of their squared distance below the line.
    expect([...heights]).toEqual([-8, -5, -2]);
    expect([...snapshots]).toEqual([16, 16, 4, 4]);
    expect(barriers.map(({ aboveLine }) => aboveLine)).toEqual([0, 0, 0]);
    // The mean of the last two is (−1, −1), of all (0.5, 0.5).
    expect(means[0]).toBeCloseTo(2, 6);
    expect(means[1]).toBeCloseTo(0.5, 6);
    expect(profile.loss.length).toBe(4 + 3 + 4);
  });

  it("a hill between two snapshots is a barrier of its height", async () => {
    const hill = functionEvaluator((theta) => Math.exp(-theta[0] * theta[0] - theta[1] * theta[1]), 2);
    const ends = [Float32Array.of(-3, 0), Float32Array.of(3, 0)];
    const pair = { count: 2, readTheta: async (i: number) => ends[i] };
    const profile = await evaluatePathProfile("train", pair, hill, { points: 5, averages: [] });
    expect(profileFacts(profile).barriers[0].aboveLine).toBeCloseTo(1 - Math.exp(-9), 6);
    expect(profileFacts(profile).barriers[0].at).toBe(0.5);
  });

  it("points that are known are not evaluated again", async () => {
    let calls = 0;
    const counting = functionEvaluator((theta) => {
      calls++;
      return theta[0];
    }, 2);
    const known: {
      index: number;
      value: { loss: number; metrics: Record<string, number>; clippedShare: null };
    }[] = [];
    const options = { points: 3, averages: pathAverages(4, [2]) };
    const first = await evaluatePathProfile("train", source, counting, {
      ...options,
      onPoint: async (index, value) => void known.push({ index, value: { ...value, clippedShare: null } }),
    });
    expect(calls).toBe(9);
    const again = await evaluatePathProfile("train", source, counting, {
      ...options,
      known: known.slice(0, 6),
    });
    expect(calls).toBe(12);
    expect(again).toEqual(first);
  });

  it("is stored and read back bit for bit", async () => {
    const profile = await evaluatePathProfile("test", source, bowl(), { points: 4 });
    const file = `${newFolder()}/profile.arrow`;
    const provenance = { kind: "path-profile", version: 1, options: {}, seed: null, inputs: {} };
    await writePathProfile(file, profile, provenance);
    expect(await readPathProfile(file, provenance)).toEqual(profile);
  });
});
