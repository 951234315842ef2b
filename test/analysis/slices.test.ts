import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { analyzePlane } from "../../src/analysis/analyze-plane.js";
import { modelPoint, namesOfModels, openModelPoint } from "../../src/analysis/model-point.js";
import type { PlaneKind } from "../../src/analysis/plane-spec.js";
import { analyzeWeights } from "../../src/analysis/weights-stage.js";
import { customDirections } from "../../src/directions/between-models.js";
import { createLineFigure } from "../../src/figure/make/create-line-figures.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import type { ThetaEvaluation } from "../../src/loss/loss-evaluator.js";
import { readDirections } from "../../src/store/kinds/directions-file.js";
import { readLineSlice } from "../../src/store/kinds/line-file.js";
import { readHistograms, readStepAngles } from "../../src/store/kinds/weights-file.js";
import { openRun } from "../../src/store/run/open-run.js";
import type { Run } from "../../src/store/run/run.js";
import type { EvaluationSet } from "../../src/surface/lines/level-set-width.js";
import { curvesOf, mapOf, mapsOf } from "../figure/panels.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";
import { lineBetween, linesFrom, type PlaneTestOptions, planeOf } from "./slice-helpers.js";

const newFolder = temporaryFolders();
const runs: Run[] = [];
const sets: EvaluationSet[] = [];
let model: tf.Sequential;
let data: ReturnType<typeof tinyData>;

beforeAll(async () => {
  await useTestBackend();
  data = tinyData();
  const other = { xs: tf.randomNormal([10, 3], 0, 1, "float32", 9), ys: data.ys.slice([0, 0], [10, 2]) };
  for (const name of ["first", "second", "third", "fourth"]) {
    model = tinyModel();
    const directory = newFolder();
    await model.fit(data.xs, data.ys, {
      epochs: 3,
      verbose: 0,
      callbacks: [trajectoryCallback({ directory, name })],
    });
    runs.push(await openRun(directory));
  }
  const layout = runs[0].layout;
  sets.push({
    name: "train",
    evaluator: await createLossEvaluator(model, data, { engine: "tfjs", layout, calibration: {} }),
  });
  sets.push({
    name: "test",
    evaluator: await createLossEvaluator(model, other, { engine: "tfjs", layout, calibration: { data } }),
  });
});
afterAll(() => {
  for (const { evaluator } of sets) evaluator.dispose();
});

describe("openModelPoint", () => {
  it("is the last snapshot, or that of a step", async () => {
    const { directory } = runs[0];
    const last = await openModelPoint(directory);
    expect([last.index, last.name]).toEqual([3, "first"]);
    const first = await openModelPoint(`${directory}@0`);
    expect([first.index, first.name]).toEqual([0, "first at step 0"]);
    expect(first.theta).toEqual(await runs[0].readTheta(0));
    await expect(openModelPoint(`${directory}@9`)).rejects.toThrow("expected a step from 0 to 3, got 9");
    expect(namesOfModels([last, last])).toEqual(["first (1)", "first (2)"]);
  });
});

describe("interpolateModels", () => {
  it("ends at the models' own losses, is stored, and read where it is up to date", async () => {
    const points = [await modelPoint(runs[0]), await modelPoint(runs[1])] as const;
    const directory = newFolder();
    const options = { directory, grid: "0:1:5" };
    const slice = await lineBetween(points, sets, options);
    for (const [s, { evaluator }] of sets.entries()) {
      const { loss, metrics } = slice.curves[s].surface;
      const own = [await evaluator.evaluate(points[0].theta), await evaluator.evaluate(points[1].theta)];
      expect([loss[0], loss[4]]).toEqual(own.map((value) => value.loss));
      expect([metrics.acc[0], metrics.acc[4]]).toEqual(own.map((value) => value.metrics.acc));
    }
    const files = () => readdirSync(join(directory, "lines"));
    const [file] = files();
    const written = () => statSync(join(directory, "lines", file)).mtimeMs;
    const before = written();
    expect(await lineBetween(points, sets, options)).toEqual(slice);
    const recalibrated = await lineBetween(points, sets, { ...options, batchNorm: "recalibrate" });
    // It stands beside the other, which is as it was.
    expect([files().length, written()]).toEqual([2, before]);
    expect(recalibrated.curves[0].surface.loss[2]).not.toBe(slice.curves[0].surface.loss[2]);
  });

  it("refuses models of other layouts and weights that are not finite, and writes nothing", async () => {
    const point = await modelPoint(runs[0]);
    const [first, ...rest] = runs[0].layout.parameters;
    const layout = { ...runs[0].layout, digest: "other", parameters: [{ ...first, shape: [6, 2] }, ...rest] };
    const foreign = { ...point, run: { ...runs[0], layout, directory: "elsewhere" } };
    const broken = { ...point, name: "broken", theta: point.theta.with(7, Number.NaN) };
    const directory = newFolder();
    await expect(lineBetween([point, foreign], sets, { directory })).rejects.toThrow(
      /^elsewhere: .*kernel: expected \[3,4\].*got .*\[6,2\]/,
    );
    await expect(lineBetween([point, broken], sets, { directory })).rejects.toThrow(
      "broken, entry 7: expected finite weights, got NaN",
    );
    await expect(linesFrom(broken, sets, { directory })).rejects.toThrow(
      "entry 7: expected finite weights, got NaN",
    );
    await expect(planeOf("random", [broken], sets, { directory })).rejects.toThrow("finite weights");
    expect(existsSync(directory)).toBe(false);
  });

  it("refuses one model twice and writes nothing", async () => {
    const point = await modelPoint(runs[0]);
    const directory = newFolder();
    await expect(lineBetween([point, point], sets, { directory })).rejects.toThrow(
      "first (2): expected weights of its own, got those of first (1)",
    );
    expect(existsSync(directory)).toBe(false);
  });
});

describe("sliceRandomLines", () => {
  it("is stored, and computed again for other seeds", async () => {
    const point = await modelPoint(runs[0]);
    const options = { directory: newFolder(), grid: "-1:1:3" };
    const slice = await linesFrom(point, sets, { ...options, seeds: [1, 2] });
    const own = await sets[0].evaluator.evaluate(point.theta);
    expect(slice.curves.slice(0, 2).map(({ surface }) => surface.loss[1])).toEqual([own.loss, own.loss]);
    expect(await linesFrom(point, sets, { ...options, seeds: [1, 2] })).toEqual(slice);
    const other = await linesFrom(point, sets, { ...options, seeds: [2, 3] });
    expect(other.curves[0].surface.loss).toEqual(slice.curves[1].surface.loss);
  });
});

describe("lines that end early", () => {
  const options = { seeds: [1, 2, 3], grid: "-1:1:21" };
  const counted = () => {
    const calls = { count: 0 };
    const own = sets.map(({ name, evaluator: { openSlice: _, ...evaluator } }) => ({
      name,
      evaluator: {
        ...evaluator,
        evaluate(theta: Float32Array, how?: ThetaEvaluation) {
          calls.count++;
          return evaluator.evaluate(theta, how);
        },
      },
    }));
    return { calls, own };
  };

  it("by their budget are stored as what they are, drawn, and completed by the next call, bit for bit", async () => {
    const point = await modelPoint(runs[0]);
    const [directory, other] = [newFolder(), newFolder()];
    const { calls, own } = counted();
    const partial = await linesFrom(point, own, { ...options, directory, budget: { points: 60 } });
    expect(calls.count).toBe(60);
    const file = join(
      directory,
      "lines",
      readdirSync(join(directory, "lines")).find((name) => /^r/.test(name)) ?? "",
    );
    expect(await readLineSlice(file)).toEqual(partial);
    const drawn = createLineFigure(partial);
    expect(drawn.caption).toContain("Partial: 60 of 126 points are evaluated (stopped after 60 points)");
    for (const { y } of curvesOf(drawn)[0].series)
      expect(y.every((value) => Number.isFinite(value))).toBe(true);
    const whole = await linesFrom(point, sets, { ...options, directory: other });
    expect(await linesFrom(point, own, { ...options, directory, resume: true })).toEqual(whole);
    expect(calls.count).toBe(126);
    expect(readdirSync(join(directory, "lines"))).toEqual(readdirSync(join(other, "lines")));
    const bytes = readFileSync(file);
    expect(readFileSync(file.replace(directory, other)).equals(bytes)).toBe(true);
    await linesFrom(point, own, { ...options, directory });
    // The center and another point of each set are compared with the losses as they are now.
    expect(calls.count).toBe(126 + 2 * 2);
  });

  it("by an abort leave no file but their points, which are refused for other weights, seeds and sets", async () => {
    const points = [await modelPoint(runs[0]), await modelPoint(runs[1])] as const;
    const directory = newFolder();
    const { calls, own } = counted();
    const controller = new AbortController();
    const given = { directory, grid: "0:1:21" };
    const onProgress = (_: string, done: number) => {
      if (done === 30) controller.abort(new Error("enough"));
    };
    const { signal } = controller;
    await expect(lineBetween(points, own, { ...given, signal, onProgress })).rejects.toThrow("enough");
    expect(calls.count).toBe(30);
    const [tiles] = readdirSync(join(directory, "lines"));
    expect(tiles).toMatch(/^\.interpolate-.*\.tiles$/);
    const resumed = { ...given, resume: true };
    for (const [asked, message] of [
      [{ ...resumed, grid: "0:1:11" }, "another range"],
      [{ ...resumed, batchNorm: "keep" as const }, "another batchNorm"],
    ] as const) {
      await expect(lineBetween(points, own, asked)).rejects.toThrow(message);
    }
    await expect(lineBetween(points, own.slice(0, 1), resumed)).rejects.toThrow(
      "expected an interrupted line of what is asked now, got one of 30 points with another data:test",
    );
    const whole = await lineBetween(points, sets, { ...given, directory: newFolder() });
    expect(await lineBetween(points, own, given)).toEqual(whole);
    // Two more tell whether batch norm's statistics matter between the models.
    expect(calls.count).toBe(42 + 2);
    expect(readdirSync(join(directory, "lines"))).toEqual([tiles.replace(/^\./, "").replace(".tiles", "")]);
  });
});

describe("evaluatePlane", () => {
  it.each<[PlaneKind, number, string]>([
    ["random", 1, "map, map, map"],
    ["ineffective-random", 1, "map, curves, curves, curves, curves"],
    ["ineffective-initial", 1, "map, curves, curves, curves, curves"],
    ["models", 3, "map, map, map"],
    ["barycentric-im", 3, "map, map, map"],
    ["bilinear", 4, "map, map, map"],
  ])(
    "%s through %i models: the centre is the first model's loss on every set",
    async (plane, count, kinds) => {
      const models = await Promise.all(runs.slice(0, count).map((run) => modelPoint(run)));
      const directory = newFolder();
      // The statistics of the first snapshot are fresh: where its path is drawn they would be recalibrated.
      const kept = plane.startsWith("ineffective") ? ({ batchNorm: "keep" } as const) : {};
      const options = { directory, size: [5, 4] as const, seed: 2, ...kept };
      const result = await planeOf(plane, models, sets, options);
      expect(result.figure.panels.map(({ kind }) => kind).join(", ")).toBe(kinds);
      for (const [s, { evaluator }] of sets.entries()) {
        const { surface } = result.surfaces[s];
        const own = await evaluator.evaluate(models[0].theta);
        expect(surface.center.loss).toBe(own.loss);
        expect([surface.alpha.length, surface.beta.length]).toEqual([5, 4]);
        expect(surface.alpha).toEqual(result.surfaces[0].surface.alpha);
      }
      const named = (folder: string) =>
        readdirSync(join(directory, folder)).map((name) => name.slice(0, -15));
      expect(named("surfaces").sort()).toEqual([`${plane}-test`, `${plane}-train`]);
      const files = existsSync(join(directory, "directions"))
        ? readdirSync(join(directory, "directions"))
        : [];
      const isStored = !["models", "barycentric-im", "bilinear"].includes(plane);
      expect(files.length).toBe(isStored ? 1 : 0);
      const stored = isStored
        ? await readDirections(join(directory, "directions", files[0] as string))
        : null;
      if (isStored) expect(stored?.vectors).toEqual(result.directions?.vectors);
      const again = await planeOf(plane, models, sets, options);
      expect(again.surfaces).toEqual(result.surfaces);
      const isIneffective = plane.startsWith("ineffective");
      expect(result.warnings.some(({ code }) => code === "ineffective-plane")).toBe(isIneffective);
      expect(result.trajectory === null).toBe(!isIneffective);
      const held = {
        "ineffective-random": "almost nothing of the path",
        "ineffective-initial": "the way from start to end",
      };
      const [, said] =
        /Shown for comparison only: .* holds? (.*?)(?:'s shape|, and)/.exec(result.figure.caption ?? "") ??
        [];
      expect(said).toBe(held[plane as keyof typeof held]);
    },
  );

  it("ineffective-initial goes from the run's first weights, at (1, 0), to its last", async () => {
    const [start, end] = [await modelPoint(runs[0], 0), await modelPoint(runs[0])];
    const { surfaces } = await planeOf("ineffective-initial", [end], sets.slice(0, 1), {
      directory: newFolder(),
      grid: "0:1:2,0:1:2",
      batchNorm: "keep",
    });
    // Statistics stay those of the centre.
    const { trainableCount } = runs[0].layout;
    const mixed = end.theta.slice();
    mixed.set(start.theta.subarray(0, trainableCount));
    expect(surfaces[0].surface.loss[1]).toBeCloseTo((await sets[0].evaluator.evaluate(mixed)).loss, 5);
  });

  it("takes the user's own directions, and computes again when they differ", async () => {
    const point = await modelPoint(runs[0]);
    const vector = (shift: number) => point.theta.map((_, i) => Math.sin(i + shift));
    const directory = newFolder();
    const evaluate = (shift: number) =>
      planeOf("custom", [point], sets.slice(0, 1), {
        directory,
        directions: customDirections(point.theta, [vector(shift), vector(2)]),
        grid: "0:1:2,0:1:2",
      });
    const [{ surface }] = (await evaluate(0)).surfaces;
    const [{ surface: other }] = (await evaluate(1)).surfaces;
    expect(other.loss[0]).toBe(surface.loss[0]);
    expect(other.loss[1]).not.toBe(surface.loss[1]);
  });

  it("says where the user's directions do not go through the model, and names the middle accordingly", async () => {
    const [point, start] = [await modelPoint(runs[0]), await modelPoint(runs[0], 0)];
    const vectors = [0, 2].map((shift) => point.theta.map((_, i) => Math.sin(i + shift)));
    const directions = customDirections(point.theta, vectors);
    const evaluate = (model: typeof point) =>
      planeOf("custom", [model], sets.slice(0, 1), {
        directory: newFolder(),
        directions,
        grid: "0:1:2,0:1:2",
      });
    const through = await evaluate(point);
    expect(through.warnings.map(({ code }) => code)).not.toContain("other-center");
    const beside = await evaluate(start);
    expect(beside.warnings).toContainEqual({
      code: "other-center",
      message:
        "the directions go through other weights than those of first at step 0: the plane is around those",
    });
    const labels = [through, beside].map(({ figure }) => [
      figure.title,
      mapsOf(figure).length,
      mapOf(figure).marks[0]?.label,
    ]);
    expect(labels).toEqual([
      ["first: a plane of given directions", 1, "first"],
      ["given centre: a plane of given directions", 1, "given centre"],
    ]);
  });

  it("refuses directions of zeros, on one line, of another length or too few, and writes nothing", async () => {
    const point = await modelPoint(runs[0]);
    const vector = point.theta.map((_, i) => Math.sin(i));
    const given = { ...customDirections(point.theta, [vector]), labels: ["x", "y"] };
    const directory = newFolder();
    const attempt = (vectors: Float32Array[], labels = given.labels) =>
      planeOf("custom", [point], sets, { directory, directions: { ...given, vectors, labels } });
    await expect(attempt([vector, new Float32Array(vector.length)])).rejects.toThrow(
      "direction 1: expected a finite vector other than zero",
    );
    await expect(attempt([vector, vector.map((value) => -3 * value)])).rejects.toThrow("collinear");
    await expect(attempt([vector, vector.slice(1)])).rejects.toThrow("direction 1: expected");
    await expect(attempt([vector, vector.with(1, Number.NaN)])).rejects.toThrow("finite numbers, got NaN");
    await expect(attempt([vector], ["x"])).rejects.toThrow(
      "directions: expected at least 2 for a plane, got 1",
    );
    expect(existsSync(directory)).toBe(false);
  });

  it("draws a metric instead of the loss, an accuracy as the error if asked, over the path on its plane", async () => {
    const point = await modelPoint(runs[0]);
    const options = { directory: newFolder(), size: [3, 4] as const };
    const figureOf = async (plane: PlaneKind, more: PlaneTestOptions) => {
      const { figure, surfaces } = await planeOf(plane, [point], sets, { ...options, ...more });
      if (figure.layout === "lead") throw new Error("a map with curves beside it");
      return { figure, surface: surfaces[0].surface };
    };
    const { figure, surface } = await figureOf("random", { figure: { metric: "acc", accuracyAs: "error" } });
    expect(mapsOf(figure).map(({ title, quantity }) => [title, quantity])).toEqual([
      ["train", "error (%)"],
      ["test", "error (%)"],
      ["test − train", "error (%)"],
    ]);
    expect(mapOf(figure).values).toEqual(Array.from(surface.metrics.acc, (value) => 100 * (1 - value)));
    const path = await figureOf("ineffective-initial", { figure: { metric: "acc" } });
    expect(mapOf(path.figure).quantity).toBe("accuracy (%)");
    expect(mapOf(path.figure).paths[0]?.at.length).toBe(4);
    const directory = newFolder();
    await expect(planeOf("random", [point], sets, { directory, figure: { metric: "mae" } })).rejects.toThrow(
      'metric: expected one of acc, got "mae"',
    );
    expect(existsSync(directory)).toBe(false);
  });

  it("refuses a wrong number of models, an unknown plane, and missing directions", async () => {
    const point = await modelPoint(runs[0]);
    const evaluate = (plane: string) => planeOf(plane as PlaneKind, [point], sets);
    await expect(evaluate("bilinear")).rejects.toThrow(
      'models: expected 4 models for plane "bilinear", got 1',
    );
    await expect(evaluate("cubic")).rejects.toThrow('got "cubic"');
    for (const kind of ["custom", "hessian"]) {
      await expect(evaluate(kind)).rejects.toThrow(
        `directions: expected directions for plane "${kind}", got none`,
      );
    }
  });
});

describe("analyzeWeights", () => {
  it("has statistics of each run, and angles once a PCA surface is stored", async () => {
    const before = await analyzeWeights(runs.slice(0, 2));
    expect(before.figures.map(({ name }) => name)).toEqual(["training", "norms", "histogram"]);
    expect(before.angles).toEqual([null, null]);
    const [first] = before.statistics;
    const [start, end] = [await runs[0].readTheta(0), await runs[0].readTheta(3)];
    const { trainableCount } = runs[0].layout;
    const distance = Math.hypot(
      ...Array.from(end.subarray(0, trainableCount), (value, i) => value - start[i]),
    );
    expect(first.distance[3]).toBeCloseTo(distance, 9);
    expect(first.pathLength[3]).toBeGreaterThanOrEqual(distance);
    await analyzePlane(runs.slice(0, 1), { kind: "pca" }, { sets: sets.slice(0, 1), size: 7 });
    const after = await analyzeWeights(runs.slice(0, 2));
    expect(after.statistics).toEqual(before.statistics);
    const titleOf = ({ figures }: typeof after) =>
      figures.find(({ name }) => name === "angles")?.figure.title;
    expect(titleOf(after)).toBe("Steps along the path: first");
    expect(titleOf(await analyzeWeights(runs.slice(0, 1)))).toBe("Steps along the path");
    expect(Array.from(after.angles[0]?.degrees ?? []).every((angle) => angle >= 0 && angle <= 180)).toBe(
      true,
    );
    await expect(analyzeWeights([])).rejects.toThrow("runs: expected at least one run, got none");
  });

  it("stores histograms and angles with their provenance, and leaves up-to-date files alone", async () => {
    const directory = newFolder();
    const { histograms, angles } = await analyzeWeights(runs.slice(0, 2), { directory });
    const [file, other] = [
      join(directory, "weights/histogram.arrow"),
      join(runs[0].directory, "weights/angles.arrow"),
    ];
    expect(await readHistograms(file)).toEqual(histograms);
    expect(histograms?.histograms.map(({ name }) => name)).toEqual(["first", "second"]);
    expect(histograms?.weights).toBe(3 * 4 + 4 * 2);
    expect(await readStepAngles(other)).toEqual(angles[0]);
    const written = () => [file, other].map((path) => statSync(path).mtimeMs);
    const before = written();
    await analyzeWeights(runs.slice(0, 2), { directory });
    expect(written()).toEqual(before);
    await analyzeWeights(runs.slice(1, 3), { directory });
    expect(written()[0]).toBeGreaterThan(before[0]);
  });

  it("draws no slope of a surface of two points a side", async () => {
    await analyzePlane([runs[3]], { kind: "pca" }, { sets: sets.slice(0, 1), grid: "-1:1:2,-1:1:2" });
    const { angles, figures } = await analyzeWeights([runs[3]]);
    expect(angles).toEqual([null]);
    expect(figures.map(({ name }) => name)).not.toContain("angles");
  });

  it("says which runs a histogram leaves out, and keeps names apart", async () => {
    const other = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
    other.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    const trained = [];
    for (const [network, rate] of [
      [other, 0.1],
      [tinyModel(tf.train.sgd(Number.NaN)), 1],
    ] as const) {
      const directory = newFolder();
      const callbacks = [trajectoryCallback({ directory, name: rate === 1 ? "broken" : "first" })];
      await network.fit(data.xs, data.ys, { epochs: 1, verbose: 0, callbacks });
      trained.push(await openRun(directory));
    }
    const { figures, histograms, warnings, statistics } = await analyzeWeights([
      runs[0],
      ...trained,
      runs[0],
    ]);
    expect(histograms?.histograms.map(({ name }) => name)).toEqual(["first (1)"]);
    expect(warnings).toEqual(
      [
        "first (2) is not in the histogram: its weights have another layout than those of first (1)",
        "broken is not in the histogram: its final weights are not all finite",
        "first (3) is not in the histogram: its final weights are those of first (1)",
      ].map((message) => ({ code: "not-in-histogram", message })),
    );
    expect(statistics[2].norm[1]).toBeNaN();
    const norms = figures.find(({ name }) => name === "norms")?.figure;
    expect(norms && curvesOf(norms)[0].series.map(({ name }) => name)).toEqual([
      "first (1)",
      "first (2)",
      "broken",
      "first (3)",
    ]);
    expect((await analyzeWeights([trained[1]])).histograms).toBeNull();
  });
});
