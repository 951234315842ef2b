import { describe, expect, it } from "vitest";
import { randomDirections } from "../../../src/directions/random.js";
import { functionEvaluator } from "../../../src/loss/local-evaluator.js";
import type { ParameterLayout } from "../../../src/model/layout.js";
import { readLineSlice, writeLineSlice } from "../../../src/store/kinds/line-file.js";
import { interpolateLine, randomLines } from "../../../src/surface/lines/evaluate-lines.js";
import { evaluateOnSets, surfaceDifference } from "../../../src/surface/lines/evaluate-sets.js";
import { seedBand } from "../../../src/surface/lines/level-set-width.js";
import { expectAllClose } from "../../support/allclose.js";
import { makeLayout } from "../../support/layout.js";
import { temporaryFolders } from "../../support/tiny-training.js";

const newFolder = temporaryFolders();
const layout = makeLayout([
  { name: "dense/kernel", shape: [2, 2] },
  { name: "dense/bias", shape: [2] },
]);
const bowl = (lift: number, given?: ParameterLayout) =>
  functionEvaluator(
    (theta) => {
      const loss = theta.reduce((sum, value) => sum + value ** 2, lift);
      return { loss, metrics: { acc: 1 / (1 + loss) } };
    },
    6,
    { metricNames: ["acc"], id: `bowl ${lift}`, layout: given },
  );
const sets = [
  { name: "train", evaluator: bowl(0) },
  { name: "test", evaluator: bowl(1) },
];
const a = Float32Array.of(1, 0, 0, 2, 0.5, 0);
const b = Float32Array.of(0, 1, -1, 0, 0, 0.5);

describe("interpolateLine", () => {
  it("has the closed form of a quadratic on both sets, 401 points from −0.5 to 1.5", async () => {
    const grid = { from: -0.5, to: 1.5, size: 401 };
    const line = await interpolateLine(sets, [a, b], { grid, names: ["A", "B"] });
    expect(line.curves.map(({ set, seed }) => [set, seed])).toEqual([
      ["train", null],
      ["test", null],
    ]);
    const closed = Array.from(line.alpha, (t) => {
      const at = Array.from(a, (value, i) => (1 - t) * value + t * b[i]);
      return at.reduce((sum, value) => sum + value ** 2, 0);
    });
    expectAllClose(line.curves[0].surface.loss, closed, { absolute: 1e-6 });
    expectAllClose(
      line.curves[1].surface.loss,
      closed.map((value) => value + 1),
      { absolute: 1e-6 },
    );
    const ends = [line.alpha.indexOf(0), line.alpha.indexOf(1)];
    const own = [await sets[0].evaluator.evaluate(a), await sets[0].evaluator.evaluate(b)];
    expect(ends.map((i) => line.curves[0].surface.loss[i])).toEqual(own.map(({ loss }) => loss));
    expect(line.marks).toEqual([
      { alpha: 0, name: "A" },
      { alpha: 1, name: "B" },
    ]);
  });

  it("moves batch norm's statistics by default, over 41 points, so that both ends are the models", async () => {
    const withState = makeLayout([
      { name: "dense/kernel", shape: [2, 2] },
      { name: "dense/bias", shape: [1] },
      { name: "bn/moving_mean", shape: [1], role: "state", trainable: false },
    ]);
    const stated = [{ name: "train", evaluator: bowl(0, withState) }];
    const line = await interpolateLine(stated, [a, b]);
    expect([line.alpha.length, line.alpha[0], line.alpha[40], line.batchNorm]).toEqual([
      41,
      -0.5,
      1.5,
      "interpolate",
    ]);
    const { loss } = await sets[0].evaluator.evaluate(b);
    expect(line.curves[0].surface.loss[line.alpha.indexOf(1)]).toBe(loss);
    const kept = await interpolateLine(stated, [a, b], { batchNorm: "keep" });
    const mixed = Float32Array.of(...b.subarray(0, 5), a[5]);
    expect(kept.curves[0].surface.loss[line.alpha.indexOf(1)]).toBe(
      (await sets[0].evaluator.evaluate(mixed)).loss,
    );
  });

  it("refuses a range upside down, one model twice, sets of one name and sets of another size", async () => {
    const grid = { from: 1.5, to: -0.5, size: 5 };
    await expect(interpolateLine(sets, [a, b], { grid })).rejects.toThrow(
      "grid: expected two finite numbers, the smaller first, got 1.5 to -0.5",
    );
    await expect(interpolateLine(sets, [a, a.slice()])).rejects.toThrow(
      "model 2: expected weights of its own, got those of model 1",
    );
    await expect(interpolateLine([sets[0], sets[0]], [a, b])).rejects.toThrow('two called "train"');
    const other = { name: "x", evaluator: functionEvaluator(() => 0, 3) };
    await expect(interpolateLine([sets[0], other], [a, b])).rejects.toThrow(
      'set "x": expected 6 parameters, as set "train", got 3',
    );
    await expect(interpolateLine([], [a, b])).rejects.toThrow("at least one evaluation set");
  });

  it("stops when it is told to", async () => {
    const signal = AbortSignal.abort(new Error("stop"));
    await expect(interpolateLine(sets, [a, b], { signal })).rejects.toThrow("stop");
  });
});

describe("randomLines", () => {
  it("gives one line a seed, repeats itself, and has one value at θ*", async () => {
    const options = { seeds: [0, 1, 2], grid: { from: -1, to: 1, size: 11 } };
    const progress: number[] = [];
    const slice = await randomLines(sets, layout, a, {
      ...options,
      onProgress: (done) => progress.push(done),
    });
    expect(slice.curves.map(({ set, seed }) => `${set} ${seed}`)).toEqual(
      ["train", "test"].flatMap((set) => [0, 1, 2].map((seed) => `${set} ${seed}`)),
    );
    const again = await randomLines(sets, layout, a, options);
    expect(again).toEqual(slice);
    expect(progress).toEqual(Array.from({ length: 3 * 2 * 11 }, (_, i) => i + 1));
    const lines = slice.curves.slice(0, 3).map(({ surface }) => surface.loss);
    expect(new Set(lines.map((loss) => loss[5]))).toEqual(new Set([5.25]));
    expect(new Set(lines.map((loss) => loss[10])).size).toBe(3);
  });

  it("goes along the direction that it was asked for, from −1 to 1 with statistics kept by default", async () => {
    const options = { normalize: "layer", ignore: [], oneDimensional: "reference" } as const;
    const slice = await randomLines(sets, layout, a, { ...options, seeds: [3] });
    expect([slice.alpha.length, slice.alpha[0], slice.alpha[50], slice.batchNorm]).toEqual([
      51,
      -1,
      1,
      "keep",
    ]);
    const [direction] = randomDirections(layout, a, { ...options, seed: 3, count: 1 }).vectors;
    const end = await sets[0].evaluator.evaluate(a.map((value, i) => value + direction[i]));
    expect(slice.curves[0].surface.loss[50]).toBe(end.loss);
    expect(slice.axis).toBe("α along a random direction (layer normalization)");
  });

  it("refuses no seed, and a seed twice", async () => {
    await expect(randomLines(sets, layout, a, { seeds: [] })).rejects.toThrow("at least one seed");
    await expect(randomLines(sets, layout, a, { seeds: [3, 3] })).rejects.toThrow(
      "expected each seed once, got 3 twice",
    );
  });

  it("refuses weights that are NaN, and weights that are all zero", async () => {
    const broken = Float32Array.of(1, Number.NaN, 0, 0, 0, 0);
    await expect(randomLines(sets, layout, broken)).rejects.toThrow("finite weights");
    await expect(randomLines(sets, layout, new Float32Array(6))).rejects.toThrow(
      "at least one entry other than zero",
    );
  });
});

describe("seedBand", () => {
  it("is median and quantiles over the seeds, point by point", async () => {
    const seeds = [0, 1, 2, 3, 4];
    const slice = await randomLines(sets, layout, a, { seeds, grid: { from: -1, to: 1, size: 5 } });
    const band = seedBand(slice, "test", "acc", { quantiles: [0, 1] });
    const values = slice.curves
      .filter(({ set }) => set === "test")
      .map(({ surface }) => surface.metrics.acc[1]);
    const sorted = [...values].sort((x, y) => x - y);
    expect([band.low[1], band.median[1], band.high[1]]).toEqual([sorted[0], sorted[2], sorted[4]]);
    expect(band.seeds).toBe(5);
    const quartiles = seedBand(slice, "test", "acc");
    expect([quartiles.low[1], quartiles.high[1]]).toEqual([sorted[1], sorted[3]]);
    expect(() => seedBand(slice, "validation")).toThrow('set: expected one of train, test, got "validation"');
    expect(() => seedBand(slice, "test", "mae")).toThrow('quantity: expected one of loss, acc, got "mae"');
    expect(() => seedBand(slice, "test", "loss", { quantiles: [0.8, 0.2] })).toThrow("quantiles");
  });
});

describe("writeLineSlice", () => {
  const provenance = { kind: "line", version: 1, options: {}, seed: null, inputs: {} };

  it("is read back bit for bit, non-finite values and metrics of one set only included", async () => {
    const slice = await randomLines(sets, layout, a, {
      seeds: [4, 7],
      grid: { from: -1, to: 1, size: 5 },
    });
    slice.curves[0].surface.loss.set([Number.NaN, Number.POSITIVE_INFINITY, -0]);
    const extra = { ...slice.curves[1].surface, metrics: { alpha: Float64Array.of(1, 2, 3, 4, 5) } };
    const written = { ...slice, curves: [slice.curves[0], { ...slice.curves[1], surface: extra }] };
    const file = `${newFolder()}/line.arrow`;
    await writeLineSlice(file, written, provenance);
    expect(await readLineSlice(file)).toEqual(written);
    expect(await readLineSlice(file, { ...provenance, version: 2 })).toBeNull();
    expect(await readLineSlice(`${file}.none`)).toBeNull();
  });

  it("refuses a curve with other coordinates", async () => {
    const slice = await interpolateLine(sets, [a, b], { grid: { from: 0, to: 1, size: 3 } });
    const cut = { ...slice, alpha: slice.alpha.slice(1) };
    await expect(writeLineSlice(`${newFolder()}/line.arrow`, cut, provenance)).rejects.toThrow(
      'curve "train": expected 2 values, got 3',
    );
  });
});

describe("surfaceDifference", () => {
  it("is held-out minus training, on identical grids only; NaN where either is not finite", async () => {
    const grid = { alpha: Float64Array.of(-1, 0, 1), beta: Float64Array.of(0, 1) };
    const directions = { center: a, vectors: [b, Float32Array.of(0, 0, 1, 0, 0, 0)] };
    const [train, test] = await evaluateOnSets(sets, directions, grid);
    expectAllClose(surfaceDifference(train.surface, test.surface).loss, [1, 1, 1, 1, 1, 1], {
      absolute: 1e-6,
    });
    const gap = { ...train.surface, loss: Float64Array.of(Number.POSITIVE_INFINITY, 0, 0, 0, 0, 0) };
    expect(surfaceDifference(gap, test.surface).loss[0]).toBeNaN();
    const other = { ...test.surface, alpha: Float64Array.of(-1, 0, 2) };
    expect(() => surfaceDifference(train.surface, other)).toThrow("surfaces: expected identical grids");
  });
});
