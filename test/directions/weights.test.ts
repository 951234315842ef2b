import { describe, expect, it } from "vitest";
import { weightHistograms, weightStatistics } from "../../src/directions/weight-statistics.js";
import { readWeightStatistics, writeWeightStatistics } from "../../src/store/kinds/weights-file.js";
import { expectAllClose } from "../support/allclose.js";
import { makeLayout } from "../support/layout.js";
import { temporaryFolders } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
const layout = makeLayout([
  { name: "conv/kernel", shape: [2, 2] },
  { name: "conv/bias", shape: [1] },
  { name: "dense/kernel", shape: [2, 1] },
  { name: "bn/moving_mean", shape: [1], role: "state", trainable: false },
]);
const path = [
  [3, 0, 4, 1, 0, 0, 0, 9],
  [3, 0, 4, 1, 2, 3, 4, 99],
  [3, 0, 4, 1, 2, 3, 0, 9],
].map((theta) => Float32Array.from(theta));
const source = { layout, count: path.length, readTheta: async (i: number) => path[i] };

describe("weightStatistics", () => {
  it("has norms in total, by layer and by filter, and distances, of trainable weights only", async () => {
    const statistics = await weightStatistics(source);
    expectAllClose(statistics.norm, [Math.sqrt(26), Math.sqrt(26 + 29), Math.sqrt(26 + 13)]);
    expect(statistics.layers.map(({ name }) => name)).toEqual(["conv", "dense"]);
    expectAllClose(statistics.layers[0].norm, [Math.sqrt(26), Math.sqrt(30), Math.sqrt(30)]);
    expectAllClose(statistics.layers[1].norm, [0, 5, 3]);
    const [kernel, dense] = statistics.kernels;
    expect([kernel.name, kernel.filters, dense.filters]).toEqual(["conv/kernel", 2, 1]);
    expectAllClose(kernel.least, [1, 1, 1]);
    expectAllClose(kernel.largest, [5, 5, 5]);
    expectAllClose(kernel.mean, [3, 3, 3]);
    expectAllClose(statistics.distance, [0, Math.sqrt(29), Math.sqrt(13)]);
    expectAllClose(statistics.stepLength, [0, Math.sqrt(29), 4]);
    expectAllClose(statistics.pathLength, [0, Math.sqrt(29), Math.sqrt(29) + 4]);
  });

  it("is stored and read back bit for bit", async () => {
    const statistics = await weightStatistics(source);
    const file = `${newFolder()}/weights.arrow`;
    const provenance = { kind: "weights", version: 1, options: {}, seed: null, inputs: { run: "x" } };
    const snapshots = path.map((_, step) => ({ step, epoch: step, iteration: 10 * step }));
    await writeWeightStatistics(file, statistics, snapshots, provenance);
    expect(await readWeightStatistics(file, provenance)).toEqual(statistics);
    expect(await readWeightStatistics(file, { ...provenance, version: 9 })).toBeNull();
  });

  it("refuses a run without snapshots and one of another layout", async () => {
    await expect(weightStatistics({ ...source, count: 0 })).rejects.toThrow(
      "snapshots: expected at least one, got none",
    );
    const other = { ...source, readTheta: async () => new Float32Array(3) };
    await expect(weightStatistics(other)).rejects.toThrow("snapshot 0: expected 8 weights, got 3");
  });
});

describe("weightHistograms", () => {
  const flat = makeLayout([{ name: "dense/kernel", shape: [100, 10] }]);
  const theta = (scale: number) => Float32Array.from({ length: 1000 }, (_, i) => (scale * (i - 499.5)) / 500);

  it("is the density over common bins, which integrates to the share inside", () => {
    const models = [
      { name: "narrow", theta: theta(0.5) },
      { name: "wide", theta: theta(1) },
    ];
    const { edges, histograms, weights } = weightHistograms(flat, models, { bins: 10, reach: 0.8 });
    expectAllClose([edges[0], edges[5], edges[10]], [-0.8, 0, 0.8]);
    expect(weights).toBe(1000);
    const integral = (density: Float64Array) => density.reduce((sum, value) => sum + value * 0.16, 0);
    expect(integral(histograms[0].density)).toBeCloseTo(1, 9);
    expect(integral(histograms[1].density)).toBeCloseTo(0.8, 9);
    expect(histograms.map(({ outside }) => outside)).toEqual([0, 200]);
    expectAllClose(histograms[1].density.subarray(1, 9), new Float64Array(8).fill(0.5), { absolute: 1e-9 });
  });

  it("counts trainable kernels alone, or the roles asked for", () => {
    const models = [{ name: "a", theta: path[1] }];
    expect(weightHistograms(layout, models).weights).toBe(6);
    expect(weightHistograms(layout, models, { roles: ["kernel", "bias"] }).weights).toBe(7);
    const { edges, histograms } = weightHistograms(layout, models, { bins: 1, roles: ["bias"] });
    expect([...edges, ...histograms[0].density]).toEqual([-2, 2, 0.25]);
  });

  it("holds 99.9 % by default, and refuses what cannot be", () => {
    const models = [{ name: "a", theta: theta(1) }];
    const { histograms } = weightHistograms(flat, models);
    expect(histograms[0].outside).toBeLessThanOrEqual(2);
    expect(() => weightHistograms(flat, [...models, { name: "b", theta: theta(1) }])).toThrow(
      "b: expected weights of its own",
    );
    expect(() => weightHistograms(flat, models, { bins: 0 })).toThrow("bins");
    expect(() => weightHistograms(flat, models, { roles: ["bias"] })).toThrow(
      "roles: expected roles that some weights have, got bias",
    );
  });
});
