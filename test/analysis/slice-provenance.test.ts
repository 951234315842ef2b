import { beforeEach, describe, expect, it } from "vitest";
import { sharpnessStage } from "../../src/analysis/compare/compare-facts.js";
import { type ModelPoint, modelPoint } from "../../src/analysis/model-point.js";
import { functionEvaluator, localEvaluator } from "../../src/loss/local-evaluator.js";
import type { EvaluatorFacts } from "../../src/loss/loss-evaluator.js";
import type { Run } from "../../src/store/run/run.js";
import { mapOf } from "../figure/panels.js";
import { makeLayout } from "../support/layout.js";
import { temporaryFolders } from "../support/tiny-training.js";
import { memoryRun } from "./memory-run.js";
import {
  type LineTestOptions,
  lineBetween,
  linesFrom,
  type PlaneTestOptions,
  planeOf,
} from "./slice-helpers.js";

const newFolder = temporaryFolders();
const state = { role: "state", trainable: false, layerType: "BatchNormalization" } as const;
const layout = makeLayout([
  { name: "dense/kernel", shape: [2, 3] },
  { name: "dense/bias", shape: [3] },
  { name: "bn/moving_mean", shape: [1], ...state },
  { name: "bn/moving_variance", shape: [1], ...state },
]);
const thetas = [0, 1, 2].map((k) =>
  Float32Array.of(1 + k, -2, 0.5, 3 - k, 1, 2 * k * k, 0.3, k, -0.2, k / 2, 2 + k),
);
const runs = thetas.map(
  (theta, k) => ({ ...memoryRun(`run ${k}`, [thetas[(k + 1) % 3], theta]), layout }) as Run,
);

let points: ModelPoint[];
beforeEach(async () => {
  points = await Promise.all(runs.map((run) => modelPoint(run)));
});

/** A function to which every entry of θ matters, with a count of its evaluations. */
function counted(facts: Partial<EvaluatorFacts> = {}, recalibrator = calibration("a", 1)) {
  let calls = 0;
  const lossOf = (theta: Float32Array) => {
    calls++;
    return theta.reduce((sum, value, i) => sum + (i + 1) * value ** 2 + value, 0);
  };
  const plain = functionEvaluator(lossOf, layout.parameterCount, { id: "f" });
  const engine = {
    ...plain.facts,
    ...facts,
    evaluate: (theta: Float32Array) => plain.evaluate(theta),
    dispose() {},
  };
  const evaluator = localEvaluator({ engine, layout, undefinedAt: () => [], recalibrator, release() {} });
  return { sets: [{ name: "train", evaluator }], calls: () => calls };
}

/** What another evaluation set, loss or network is known by. */
const OTHERS: readonly Partial<EvaluatorFacts>[] = [
  { dataDigest: "other data" },
  { modelDigest: "other network" },
  { lossMode: "logits" },
  { samples: 2 },
  { engine: { name: "other", backend: "js", batchSize: 0, threads: 1 } },
];

const calibration = (dataDigest: string, shift: number) => ({
  dataDigest,
  samples: 4,
  async recalibrateInto(theta: Float32Array) {
    theta.set([theta[0] + shift, 1], 9);
  },
});

describe("a stored line between models", () => {
  const base: LineTestOptions = { grid: "0:1:3" };

  it.each<[string, LineTestOptions]>([
    ["range", { grid: "0:1:5" }],
    ["batch norm kept", { batchNorm: "keep" }],
    ["batch norm recalibrated", { batchNorm: "recalibrate" }],
  ])("is computed again for another %s, as anew", async (_, change) => {
    const pair = [points[0], points[1]] as const;
    const directory = newFolder();
    const { sets, calls } = counted();
    const first = await lineBetween(pair, sets, { ...base, directory });
    const once = calls();
    expect(await lineBetween(pair, sets, { ...base, directory })).toEqual(first);
    // What is stored is compared with the loss as it is now: at the center and at another point.
    expect(calls()).toBe(once + 2);
    const changed = await lineBetween(pair, sets, { ...base, ...change, directory });
    expect(changed).toEqual(
      await lineBetween(pair, counted().sets, { ...base, ...change, directory: newFolder() }),
    );
    expect(changed.curves[0].surface.loss).not.toEqual(first.curves[0].surface.loss);
  });

  it("is computed again for another calibration set, data, network, loss or engine", async () => {
    const pair = [points[0], points[1]] as const;
    const directory = newFolder();
    for (const facts of OTHERS) {
      await lineBetween(pair, counted().sets, { ...base, directory });
      const { sets, calls } = counted(facts);
      await lineBetween(pair, sets, { ...base, directory });
      expect([facts, calls() > 2]).toEqual([facts, true]);
    }
    const recalibrate = (digest: string, shift: number) =>
      lineBetween(pair, counted({}, calibration(digest, shift)).sets, {
        ...base,
        directory,
        batchNorm: "recalibrate",
      });
    const [{ surface: a }] = (await recalibrate("a", 1)).curves;
    const [{ surface: b }] = (await recalibrate("b", 2)).curves;
    expect(b.loss).not.toEqual(a.loss);
  });

  it("runs from −0.5 to 1.5 with statistics interpolated, unless told otherwise", async () => {
    const { alpha, batchNorm, curves } = await lineBetween([points[0], points[1]], counted().sets, {
      directory: newFolder(),
    });
    expect([alpha.length, alpha[0], alpha[40]]).toEqual([41, -0.5, 1.5]);
    expect(batchNorm).toBe("interpolate");
    const own = await counted().sets[0].evaluator.evaluate(thetas[1]);
    expect(curves[0].surface.loss[alpha.indexOf(1)]).toBe(own.loss);
  });
});

describe("stored random lines", () => {
  const base: LineTestOptions = { seeds: [1], grid: "-1:1:3" };

  it.each<[string, LineTestOptions]>([
    ["range", { grid: "-1:1:5" }],
    ["seed", { seeds: [2] }],
    ["normalization", { normalize: "layer" }],
    ["choice of roles", { ignore: [] }],
    ["batch norm policy", { batchNorm: "recalibrate" }],
  ])("are computed again for another %s, as anew", async (_, change) => {
    const directory = newFolder();
    const { sets, calls } = counted();
    const first = await linesFrom(points[0], sets, { ...base, directory });
    const once = calls();
    expect(await linesFrom(points[0], sets, { ...base, directory })).toEqual(first);
    // What is stored is compared with the loss as it is now: at the center and at another point.
    expect(calls()).toBe(once + 2);
    const changed = await linesFrom(points[0], sets, { ...base, ...change, directory });
    expect(changed).toEqual(
      await linesFrom(points[0], counted().sets, { ...base, ...change, directory: newFolder() }),
    );
    expect(changed.curves[0].surface.loss).not.toEqual(first.curves[0].surface.loss);
  });

  it("are computed again for another rule for weights of one axis, data, network, loss or engine", async () => {
    const directory = newFolder();
    const all = { ...base, ignore: [], directory };
    const vector = await linesFrom(points[0], counted().sets, { ...all, oneDimensional: "vector" });
    const reference = await linesFrom(points[0], counted().sets, {
      ...all,
      oneDimensional: "reference",
    });
    expect(reference.curves[0].surface.loss).not.toEqual(vector.curves[0].surface.loss);
    for (const facts of OTHERS) {
      await linesFrom(points[0], counted().sets, { ...base, directory });
      const { sets, calls } = counted(facts);
      await linesFrom(points[0], sets, { ...base, directory });
      expect([facts, calls() > 2]).toEqual([facts, true]);
    }
  });

  it("run from −1 to 1 with statistics kept, unless told otherwise", async () => {
    const { alpha, batchNorm } = await linesFrom(points[0], counted().sets, {
      directory: newFolder(),
    });
    expect([alpha.length, alpha[0], alpha[50], batchNorm]).toEqual([51, -1, 1, "keep"]);
  });
});

describe("a stored plane", () => {
  const base: PlaneTestOptions = { size: [3, 4], seed: 1 };

  it.each<[string, PlaneTestOptions]>([
    ["grid", { size: [4, 4] }],
    ["range", { size: undefined, grid: "-1:2:3,-1:1:4" }],
    ["range along β", { size: undefined, grid: "-1:1:3,-1:2:4" }],
    ["seed", { seed: 2 }],
    ["normalization", { normalize: "weight" }],
    ["choice of roles", { ignore: [] }],
    ["batch norm policy", { batchNorm: "recalibrate" }],
  ])("is computed again for another %s, as anew", async (_, change) => {
    const directory = newFolder();
    const compute = async (options: PlaneTestOptions) => {
      const { surfaces } = await planeOf("random", [points[0]], counted().sets, {
        directory,
        ...options,
      });
      return surfaces[0].surface;
    };
    const first = await compute(base);
    expect(await compute(base)).toEqual(first);
    const changed = await compute({ ...base, ...change });
    expect(changed).toEqual(await compute({ ...base, ...change, directory: newFolder() }));
    expect([changed.alpha, changed.beta, changed.loss]).not.toEqual([first.alpha, first.beta, first.loss]);
  });

  it("is computed again for another model, data, network, loss or engine", async () => {
    const directory = newFolder();
    const compute = async (point: ModelPoint, facts: Partial<EvaluatorFacts> = {}) => {
      const { sets, calls } = counted(facts);
      await planeOf("random", [point], sets, { ...base, directory });
      return calls();
    };
    expect(await compute(points[0])).toBeGreaterThan(0);
    expect(await compute(points[0])).toBe(2);
    for (const facts of OTHERS) {
      expect([facts, (await compute(points[0], facts)) > 2]).toEqual([facts, true]);
      await compute(points[0]);
    }
    expect(await compute(points[1])).toBeGreaterThan(0);
  });

  it("between models runs from −0.5 to 1.5 and interpolates statistics; models lie at their marks", async () => {
    for (const plane of ["models", "barycentric-im"] as const) {
      const { sets } = counted();
      const directory = newFolder();
      const { surfaces, figure } = await planeOf(plane, points, sets, { directory, size: [9, 9] });
      const { alpha, beta, loss } = surfaces[0].surface;
      expect([alpha[0], alpha[8], beta[0], beta[8]]).toEqual([-0.5, 1.5, -0.5, 1.5]);
      const { marks } = mapOf(figure);
      expect(marks.map(({ label }) => label)).toEqual(["run 0", "run 1", "run 2"]);
      for (const [k, mark] of marks.entries()) {
        const index = beta.indexOf(mark.beta as number) * 9 + alpha.indexOf(mark.alpha as number);
        const own = await sets[0].evaluator.evaluate(thetas[k]);
        expect(loss[index]).toBe(own.loss);
      }
    }
  });

  it("between four models has each in its corner, and names the axes by those that lie on them", async () => {
    const last = Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 0.1, 4);
    const fourth = await modelPoint({ ...memoryRun("run 3", [last]), layout } as Run);
    const { sets } = counted();
    const { surfaces, figure } = await planeOf("bilinear", [...points, fourth], sets, {
      directory: newFolder(),
      grid: "0:1:2,0:1:2",
    });
    const own = await Promise.all(
      [...thetas, last].map(async (theta) => (await sets[0].evaluator.evaluate(theta)).loss),
    );
    expect(Array.from(surfaces[0].surface.loss)).toEqual(own);
    expect(mapOf(figure).axes.map(({ title }) => title)).toEqual(["α: run 0 to run 1", "β: run 0 to run 2"]);
  });
});

describe("a stored ε-sharpness", () => {
  it.each([
    ["normalization", { normalize: "layer" }],
    ["seed", { seed: 5 }],
    ["ε", { epsilon: 0.2 }],
  ] as const)("is computed again for another %s, as anew", async (_, change) => {
    const base = { directory: newFolder(), epsilon: 0.1, seed: 0 };
    const [set] = counted().sets;
    const first = await sharpnessStage(points[0], set, base);
    expect(await sharpnessStage(points[0], set, base)).toEqual(first);
    const changed = await sharpnessStage(points[0], set, { ...base, ...change });
    expect(changed).toEqual(
      await sharpnessStage(points[0], set, { ...base, ...change, directory: newFolder() }),
    );
    expect(changed.sharpness).not.toBe(first.sharpness);
  });
});
