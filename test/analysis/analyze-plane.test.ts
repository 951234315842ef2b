import { existsSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { type AnalyzePlaneOptions, analyzePlane } from "../../src/analysis/analyze-plane.js";
import { resolveGrid } from "../../src/analysis/options.js";
import type { PcaPlaneOptions } from "../../src/analysis/plane-directions.js";
import { readFigures } from "../../src/analysis/read-figures.js";
import { FormatError, InvalidOptionError, LayoutError, RunStateError } from "../../src/base/errors.js";
import type { NamedWarning } from "../../src/base/warning.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import type { LossEvaluator, ThetaEvaluation } from "../../src/loss/loss-evaluator.js";
import { readArtifact } from "../../src/store/results/artifact.js";
import { openRun } from "../../src/store/run/open-run.js";
import type { Run } from "../../src/store/run/run.js";
import type { Surface } from "../../src/surface/surface.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
let xs: tf.Tensor2D;
let ys: tf.Tensor2D;

beforeAll(async () => {
  await useTestBackend();
  ({ xs, ys } = tinyData());
});

async function trainedRun(optimizer: tf.Optimizer, name: string): Promise<Run> {
  const directory = newFolder();
  const callbacks = [trajectoryCallback({ directory, name })];
  await tinyModel(optimizer).fit(xs, ys, { epochs: 4, verbose: 0, callbacks });
  return openRun(directory);
}

/** An evaluator that counts its evaluations, over another model of the same architecture. */
async function countingEvaluator(run: Run, data = { xs, ys }): Promise<LossEvaluator & { calls: number }> {
  const options = { engine: "tfjs", layout: run.layout } as const;
  const { openSlice: _, ...inner } = await createLossEvaluator(tinyModel(), data, options);
  const counting = {
    ...inner,
    calls: 0,
    evaluate(theta: Float32Array, how?: ThetaEvaluation) {
      counting.calls++;
      return inner.evaluate(theta, how);
    },
  };
  return counting;
}

/** Analyses the PCA plane with the statistics of the center kept, unless told otherwise. */
async function analyze(
  runs: readonly Run[],
  evaluator: LossEvaluator,
  options: AnalyzePlaneOptions & PcaPlaneOptions = {},
) {
  const { centering, components, weights, second, seed, ...rest } = options;
  const spec = { kind: "pca", centering, components, weights, second, seed } as const;
  const sets = [{ name: "train", evaluator }];
  const analysis = await analyzePlane(runs, spec, { sets, batchNorm: "keep", ...rest });
  if (analysis.figure === null) throw new Error("expected a figure");
  return { ...analysis, figure: analysis.figure, surface: analysis.surfaces[0]?.surface as Surface };
}

const surfacesOf = (directory: string) => readdirSync(join(directory, "surfaces"));

/** Evaluations that compare stored points, the center and another one, with the loss as it is now. */
const CHECK = 2;

test("warnings of several runs say of which run they are", async () => {
  const trained = [await trainedRun(tf.train.sgd(0.1), "a"), await trainedRun(tf.train.adam(0.1), "b")];
  const runs = trained.map((run) => ({ ...run, warnings: [{ code: "odd", message: "odd" }] }));
  const { evaluate, ...evaluator } = await countingEvaluator(runs[0] as Run);
  const losing = {
    ...evaluator,
    evaluate: async (theta: Float32Array, how?: ThetaEvaluation) => {
      const found = await evaluate(theta, how);
      return how?.name?.startsWith("snapshot ") === true ? { ...found, loss: Number.NaN } : found;
    },
  };
  const { warnings } = await analyze(runs, losing, { directory: newFolder(), size: [3, 3] });
  for (const code of ["odd", "non-finite-loss"]) {
    const alike: readonly NamedWarning[] = warnings.filter((one) => one.code === code);
    expect(new Set(alike.map(({ of }) => of)), code).toEqual(new Set(["a", "b"]));
  }
});

describe("analyzePlane on one run", () => {
  test("every part agrees with a direct evaluation", async () => {
    const run = await trainedRun(tf.train.momentum(0.1, 0.9), "momentum");
    const evaluator = await countingEvaluator(run);
    const { directions, surface, trajectories, figure } = await analyze([run], evaluator, { size: [7, 5] });
    const last = run.snapshots.length - 1;
    const final = await run.readTheta(last);
    expect(Array.from(directions?.center ?? [])).toEqual(Array.from(final));
    const direct = await evaluator.evaluate(final);
    expect(surface.center.loss).toBe(direct.loss);
    const [row, column] = [surface.beta.indexOf(0), surface.alpha.indexOf(0)];
    expect(surface.loss[row * 7 + column]).toBe(direct.loss);
    expect(trajectories[0]?.trueLoss?.[last]).toBe(direct.loss);
    expect(trajectories[0]?.planeLoss?.[last]).toBe(direct.loss);
    const first = await evaluator.evaluate(await run.readTheta(0));
    expect(trajectories[0]?.trueLoss?.[0]).toBe(first.loss);
    expect(figure.runs[0]?.step.length).toBe(run.snapshots.length);
    // Moving statistics stay as they are at the centre: directions are 0 there.
    const state = run.layout.trainableCount;
    expect(directions?.vectors.every((vector) => vector.subarray(state).every((value) => value === 0))).toBe(
      true,
    );
  });

  test("without evaluation sets it is the plane and the path alone", async () => {
    const run = await trainedRun(tf.train.sgd(0.1), "sgd");
    const { surfaces, figure, trajectories } = await analyzePlane([run], { kind: "pca" });
    expect([surfaces, figure, trajectories[0]?.trueLoss]).toEqual([[], null, null]);
    expect(existsSync(join(run.directory, "surfaces"))).toBe(false);
  });

  test("losses of some snapshots of a path: named, drawn without gaps, none taken for one that is not finite", async () => {
    const run = await trainedRun(tf.train.sgd(0.1), "sgd");
    const evaluator = await countingEvaluator(run);
    const some = await analyze([run], evaluator, { size: 3, pathLosses: 3 });
    expect(Array.from(some.trajectories[0]?.evaluated ?? [])).toEqual([0, 2, 4]);
    expect(some.warnings.map(({ code }) => code)).toEqual(["some-snapshots"]);
    expect(some.warnings[0]?.message).toContain("the loss of 3 of 5 snapshots is evaluated: every 2th");
    expect(some.figure.fidelity.join(" ")).not.toContain("finite");
    const { figures } = await readFigures(run);
    expect(figures[0]?.figure.runs).toEqual(some.figure.runs);
    const own = some.figure.runs[0]?.columns.find(({ name }) => name === "true loss")?.values ?? [];
    expect(own.map((value) => value !== null)).toEqual([true, false, true, false, true]);
    const panel = some.figure.panels.find(
      (one) => one.kind === "curves" && one.title === "Loss along the path",
    );
    const curves = panel?.kind === "curves" ? panel.series : [];
    expect(curves.map(({ x, y }) => [x.length, y.every(Number.isFinite)])).toEqual([
      [3, true],
      [3, true],
    ]);
    const [losses = ""] = readdirSync(join(run.directory, "losses"));
    const stored = (await readArtifact(join(run.directory, "losses", losses)))?.columns.loss?.values ?? [];
    expect([stored.length, Array.from(stored as Float64Array).every(Number.isFinite)]).toEqual([3, true]);
    const before = evaluator.calls;
    const all = await analyze([run], evaluator, { size: 3, pathLosses: "all" });
    expect(all.trajectories[0]?.evaluated).toBeUndefined();
    expect(all.warnings).toEqual([]);
    // The surface's check, the end's, and two snapshots with the plane below each; the plane below the three again.
    expect(evaluator.calls - before).toBeLessThanOrEqual(CHECK + 1 + 2 * 2 + 3);
    for (const pathLosses of [1, 2.5, Number.NaN, "most" as unknown as number]) {
      await expect(analyze([run], evaluator, { pathLosses })).rejects.toThrow(
        /pathLosses: expected "all" or a whole number of at least 2, got/,
      );
    }
  });

  test("stored results are read where nothing changed and computed again where something did", async () => {
    const run = await trainedRun(tf.train.sgd(0.1), "sgd");
    const evaluator = await countingEvaluator(run);
    const first = await analyze([run], evaluator, { size: 5 });
    const calls = evaluator.calls;
    expect(calls).toBeGreaterThanOrEqual(25);
    const again = await analyze([run], evaluator, { size: 5 });
    // The surface is compared with the loss as it is now, and so is the end of the path.
    expect(evaluator.calls).toBe(calls + CHECK + 1);
    expect(again.surface).toEqual(first.surface);
    expect(again.trajectories).toEqual(first.trajectories);
    const { figures } = await readFigures(run);
    expect(figures[0]?.figure).toEqual(first.figure);
    const before = evaluator.calls;
    await analyze([run], evaluator, { size: 5, force: true });
    expect(evaluator.calls).toBe(before + calls);
    // The snapshots' own losses do not depend on the plane.
    const snapshots = run.snapshots.length;
    await analyze([run], evaluator, { size: 5, centering: "final" });
    expect(evaluator.calls).toBe(before + 2 * calls - snapshots);
    const other = await countingEvaluator(run, { xs: xs.add(0.5), ys });
    const elsewhere = await analyze([run], other, { size: 5 });
    expect(other.calls).toBe(calls);
    expect(elsewhere.surface.center.loss).not.toBe(first.surface.center.loss);
  });

  test("results are kept by what they are: another grid, plane or data set replaces none", async () => {
    const run = await trainedRun(tf.train.sgd(0.1), "sgd");
    const evaluator = await countingEvaluator(run);
    await analyze([run], evaluator, { size: 7 });
    const [file = ""] = surfacesOf(run.directory);
    expect(file).toMatch(/^pca-train-[0-9a-f]{8}\.arrow$/);
    const before = statSync(join(run.directory, "surfaces", file)).mtimeMs;
    await analyze([run], evaluator, { size: 5 });
    await analyze([run], evaluator, { size: 5, centering: "final" });
    expect(surfacesOf(run.directory).length).toBe(3);
    expect(statSync(join(run.directory, "surfaces", file)).mtimeMs).toBe(before);
    const random = (seed: number) =>
      analyzePlane([run], { kind: "random", seed }, { sets: [{ name: "train", evaluator }], size: 5 });
    const [one, two] = [await random(1), await random(2)];
    const calls = evaluator.calls;
    const again = await random(1);
    expect(evaluator.calls).toBe(calls + CHECK);
    expect(again.surfaces).toEqual(one.surfaces);
    expect(two.surfaces).not.toEqual(one.surfaces);
  });

  test("labels are no part of a surface: with other names nothing is evaluated", async () => {
    const run = await trainedRun(tf.train.sgd(0.1), "sgd");
    const evaluator = await countingEvaluator(run);
    await analyze([run], evaluator, { size: 5, figure: { names: { data: "twelve points" } } });
    const calls = evaluator.calls;
    const named = { names: { data: "a dozen points", loss: "training loss" } };
    const { figure } = await analyze([run], evaluator, { size: 5, figure: named });
    expect(evaluator.calls).toBe(calls + CHECK + 1);
    expect(figure.provenance).toContain("a dozen points");
    expect((await readFigures(run)).figures[0]?.figure).toEqual(figure);
    expect(surfacesOf(run.directory).length).toBe(1);
  });

  test("a test set beside a training set that is stored: only the new one is evaluated", async () => {
    const run = await trainedRun(tf.train.sgd(0.1), "sgd");
    const [train, test] = [await countingEvaluator(run), await countingEvaluator(run, { xs: xs.mul(2), ys })];
    await analyze([run], train, { size: 9 });
    const calls = train.calls;
    const sets = [
      { name: "train", evaluator: train },
      { name: "test", evaluator: test },
    ];
    const { surfaces } = await analyzePlane([run], { kind: "pca" }, { sets, size: 9, batchNorm: "keep" });
    expect(test.calls).toBe(81);
    expect(train.calls).toBe(calls + CHECK + 1);
    expect(surfaces.map(({ set }) => set)).toEqual(["train", "test"]);
  });

  test("points that a coarser surface has are taken from it bit for bit", async () => {
    const run = await trainedRun(tf.train.sgd(0.1), "sgd");
    const evaluator = await countingEvaluator(run);
    const coarse = await analyze([run], evaluator, { grid: "-1:1:5,-1:1:5" });
    const before = evaluator.calls;
    const fine = await analyze([run], evaluator, { grid: "-1:1:9,-1:1:9" });
    expect(evaluator.calls - before).toBe(81 - 25 + CHECK + 1);
    for (const [j] of coarse.surface.beta.entries()) {
      for (const [i] of coarse.surface.alpha.entries()) {
        expect(fine.surface.loss[2 * j * 9 + 2 * i]).toBe(coarse.surface.loss[j * 5 + i]);
      }
    }
    const anew = await analyze([run], evaluator, { grid: "-1:1:9,-1:1:9", directory: newFolder() });
    expect(anew.surface.loss).toEqual(fine.surface.loss);
  });

  test("a loss that changed in its closure is noticed, and everything computed again", async () => {
    const run = await trainedRun(tf.train.sgd(0.1), "sgd");
    const lossOf = (k: number) => {
      const loss = (a: tf.Tensor, b: tf.Tensor) => tf.mul(tf.mean(tf.squaredDifference(a, b), -1), k);
      const model = tinyModel();
      model.compile({ optimizer: "sgd", loss });
      return createLossEvaluator(model, { xs, ys }, { engine: "tfjs", layout: run.layout });
    };
    const [three, five] = [await lossOf(3), await lossOf(5)];
    expect(three.facts.modelDigest).toBe(five.facts.modelDigest);
    const options = { size: 5 };
    const first = await analyze([run], three, options);
    const second = await analyze([run], five, options);
    expect(second.warnings.map(({ code }) => code)).toContain("loss-changed");
    expect(second.surface.center.loss / first.surface.center.loss).toBeCloseTo(5 / 3, 5);
    for (const side of ["trueLoss", "planeLoss"] as const) {
      const [a, b] = [first, second].map(({ trajectories }) => trajectories[0]?.[side]?.[0] ?? Number.NaN);
      expect((b as number) / (a as number)).toBeCloseTo(5 / 3, 5);
    }
    for (const evaluator of [three, five]) evaluator.dispose();
  });

  test("more snapshots make stored results stale", async () => {
    const directory = newFolder();
    const train = (resume: boolean) =>
      tinyModel(tf.train.sgd(0.1)).fit(xs, ys, {
        epochs: 3,
        verbose: 0,
        callbacks: [trajectoryCallback({ directory, resume })],
      });
    await train(false);
    const short = await openRun(directory);
    const evaluator = await countingEvaluator(short);
    await analyze([short], evaluator, { size: 3 });
    await train(true);
    const long = await openRun(directory);
    expect(long.snapshots.length).toBeGreaterThan(short.snapshots.length);
    await expect(readFigures(long)).rejects.toThrow(RunStateError);
    const { trajectories } = await analyze([long], evaluator, { size: 3 });
    expect(trajectories[0]?.distance.length).toBe(long.snapshots.length);
    // Up to the last step of then it is the run of then.
    const until = short.snapshots.length - 1;
    const calls = evaluator.calls;
    const part = await analyze([long], evaluator, { size: 3, until });
    expect(evaluator.calls).toBe(calls + CHECK + 1);
    expect(part.trajectories[0]?.distance.length).toBe(short.snapshots.length);
    const { figures } = await readFigures(long);
    expect(figures[0]?.figure).toEqual(part.figure);
  });

  test("a damaged result is an error that names its file, never reused", async () => {
    const run = await trainedRun(tf.train.sgd(0.1), "sgd");
    const evaluator = await countingEvaluator(run);
    await analyze([run], evaluator, { size: 3 });
    const file = join(run.directory, "surfaces", surfacesOf(run.directory)[0] ?? "");
    truncateSync(file, 200);
    await expect(analyze([run], evaluator, { size: 3 })).rejects.toThrow(FormatError);
    await expect(analyze([run], evaluator, { size: 3 })).rejects.toThrow(file);
    rmSync(file);
    await expect(readFigures(run)).rejects.toThrow("tfjs-landscape surface");
  });

  test("an abort stops at a point and leaves no surface behind, but its points, from which it goes on", async () => {
    const run = await trainedRun(tf.train.sgd(0.1), "sgd");
    const evaluator = await countingEvaluator(run);
    const controller = new AbortController();
    const onProgress = (step: string, done: number) => {
      if (step === "surface" && done >= 4) controller.abort(new Error("enough"));
    };
    const analysis = analyze([run], evaluator, { size: 9, signal: controller.signal, onProgress });
    await expect(analysis).rejects.toThrow("enough");
    expect(evaluator.calls).toBeLessThan(10);
    expect(surfacesOf(run.directory).every((name) => name.startsWith("."))).toBe(true);
    const before = evaluator.calls;
    const { surface } = await analyze([run], evaluator, { size: 9 });
    const fidelity = 2 * run.snapshots.length - 1;
    expect(evaluator.calls - before).toBe(81 - 4 + fidelity + CHECK);
    const anew = await analyze([run], evaluator, { size: 9, force: true });
    expect(surface).toEqual(anew.surface);
    expect(surfacesOf(run.directory).length).toBe(1);
  });
});

describe("analyzePlane on several runs", () => {
  test("both paths lie on one plane through the first run's final weights", async () => {
    const runs = [
      await trainedRun(tf.train.sgd(0.1), "sgd"),
      await trainedRun(tf.train.adam(0.05), "adam"),
    ] as [Run, Run];
    const evaluator = await countingEvaluator(runs[0]);
    await expect(analyze(runs, evaluator, { size: 3 })).rejects.toThrow(InvalidOptionError);
    const directory = newFolder();
    const { trajectories, directions, figure } = await analyze(runs, evaluator, { size: 5, directory });
    expect(trajectories.map(({ distance }) => distance.length)).toEqual([5, 5]);
    const final = await runs[0].readTheta(4);
    expect(Array.from(directions?.center ?? [])).toEqual(Array.from(final));
    expect(Array.from(trajectories[0]?.coordinates.slice(-2) ?? [])).toEqual([0, 0]);
    expect(trajectories[1]?.coordinates.slice(-2)).not.toEqual(new Float64Array(2));
    expect(figure.runs.map(({ name }) => name)).toEqual(["sgd", "adam"]);
    const names = readdirSync(join(directory, "fidelity")).sort();
    expect(names.map((name) => name.replace(/-[0-9a-f]{8}/, ""))).toEqual([
      "pca-0-train.arrow",
      "pca-1-train.arrow",
    ]);
  });

  test("another architecture is refused before anything is computed", async () => {
    const run = await trainedRun(tf.train.sgd(0.1), "sgd");
    const directory = newFolder();
    const other = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
    other.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    await other.fit(xs, ys, { epochs: 1, verbose: 0, callbacks: [trajectoryCallback({ directory })] });
    const evaluator = await countingEvaluator(run);
    const joint = newFolder();
    const analysis = analyze([run, await openRun(directory)], evaluator, { directory: joint });
    await expect(analysis).rejects.toThrow(LayoutError);
    expect(evaluator.calls).toBe(0);
    expect(existsSync(joint)).toBe(false);
  });
});

describe("options of a plane", () => {
  test.each([
    [{ centering: "median" as never }, "centering: expected one of mean, final, got median"],
    [{ weights: "some" as never }, "weights: expected one of trainable, all, got some"],
    [{ components: [1, 1] as const }, "components: expected two different integers from 0 on, got [1,1]"],
    [{ components: [0, -1] as const }, "components: expected two different integers from 0 on, got [0,-1]"],
    [{ size: 2 }, "size: expected integers of at least 3, got 2"],
    [{ size: [21, 2.5] as const }, "size: expected integers of at least 3, got [21,2.5]"],
    [{ margin: -0.1 }, "margin: expected a finite number of at least 0, got -0.1"],
    [{ margin: Number.NaN }, "margin: expected a finite number of at least 0, got NaN"],
    [{ grid: "0:1:5" }, 'grid: expected two axes, "x0:x1:nx,y0:y1:ny", got "0:1:5"'],
    [{ points: 5 } as never, "this option is now called size"],
    [{ range: "0:1:5,0:1:5" } as never, "this option is now called grid"],
    [{ second: "third" as never }, "second: expected one of auto, component, random, got third"],
  ])(
    "refuses %j before anything is read",
    async (options: AnalyzePlaneOptions & PcaPlaneOptions, message) => {
      const { centering, components, weights, second, ...rest } = options;
      const spec = { kind: "pca", centering, components, weights, second } as const;
      await expect(analyzePlane([], spec, rest)).rejects.toThrow(InvalidOptionError);
      await expect(analyzePlane([], spec, rest)).rejects.toThrow(message);
    },
  );
});

describe("resolveGrid", () => {
  test("has 41 points a side where a tenth of them is evaluated, else 21, and what is asked for in both", () => {
    expect(resolveGrid({}).size).toEqual([21, 21]);
    expect(resolveGrid({ approximate: {} }).size).toEqual([41, 41]);
    expect(resolveGrid({ approximate: {}, size: 15 }).size).toEqual([15, 15]);
  });
});
