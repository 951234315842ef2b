import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { analyzePlane } from "../../src/analysis/analyze-plane.js";
import { compareRuns } from "../../src/analysis/compare/compare-runs.js";
import { distinctNames } from "../../src/analysis/model-point.js";
import { createTrajectoryRecorder } from "../../src/capture/create-recorder.js";
import { layoutFigure } from "../../src/figure/draw/layout-figure.js";
import type { Figure, MapPanel, TablePanel } from "../../src/figure/figure.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import { openRun } from "../../src/store/run/open-run.js";
import type { Run } from "../../src/store/run/run.js";
import { curvesOf, mapsOf } from "../figure/panels.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders } from "../support/tiny-training.js";

beforeAll(useTestBackend);
const newFolder = temporaryFolders();

/** A linear model of the given weights in columns; compiled with the mean square. */
function linearModel(units: number, activation: "linear" | "tanh" = "linear"): tf.Sequential {
  const layer = tf.layers.dense({ units, inputShape: [2], useBias: false, activation, name: "out" });
  const model = tf.sequential({ layers: [layer] });
  model.compile({ optimizer: tf.train.sgd(0.1), loss: "meanSquaredError" });
  return model;
}

/** Records a run whose snapshots are the given weights. */
async function runOf(
  name: string,
  thetas: readonly (readonly number[])[],
  model: tf.Sequential = linearModel((thetas[0] as number[]).length / 2),
): Promise<Run> {
  const directory = newFolder();
  const recorder = await createTrajectoryRecorder({ directory, model, name });
  for (const [epoch, theta] of thetas.entries()) {
    tf.tidy(() => model.setWeights([tf.tensor2d([...theta], [2, theta.length / 2])]));
    await recorder.record({ epoch, iteration: 10 * epoch, learningRate: 0.1 });
  }
  await recorder.close();
  return openRun(directory);
}

/** Inputs are the unit vectors and targets 0, so that L(θ) = ‖θ‖² / 2 for one unit. */
function unitData(units = 1) {
  return { xs: tf.tensor2d([1, 0, 0, 1], [2, 2]), ys: tf.zeros([2, units]) };
}

/** 3 right, then 4 up: distance 5 on a path of 7. The other one twice as long, the other way round. */
const FIRST = [
  [0, 0],
  [3, 0],
  [3, 4],
];
const SECOND = [
  [0, 0],
  [0, 6],
  [8, 6],
];

const settings = { size: 5, seeds: [0, 1], grid: "-1:1:5" };

function tableOf(figures: Awaited<ReturnType<typeof compareRuns>>["figures"]): TablePanel {
  return figures.find(({ name }) => name === "table")?.figure.panels[0] as TablePanel;
}

describe("compareRuns", () => {
  it("names every run that a warning concerns", async () => {
    const odd = [{ code: "odd", message: "snapshot 1 is odd" }];
    const [a, b] = [await runOf("a", FIRST), await runOf("b", SECOND)];
    const runs = [a, b].map((run) => ({ ...run, warnings: odd }));
    const options = { ...settings, data: unitData(), directory: newFolder() };
    const { warnings } = await compareRuns(runs, options);
    expect(warnings.filter(({ code }) => code === "odd")).toEqual([
      { code: "odd", message: 'snapshot 1 is odd (in "a" and "b")' },
    ]);
  });

  it("shows accuracies as errors, or as such", async () => {
    const model = linearModel(2);
    model.compile({ optimizer: tf.train.sgd(0.1), loss: "meanSquaredError", metrics: ["accuracy"] });
    const runs = [
      await runOf(
        "a",
        [
          [0, 0, 0, 1],
          [1, 0, 2, 1],
          [2, 1, 2, 1],
        ],
        model,
      ),
      await runOf(
        "b",
        [
          [0, 1, 0, 0],
          [3, 1, 1, 1],
          [3, 2, 1, 5],
        ],
        model,
      ),
    ];
    const titles = async (accuracyAs?: "accuracy") => {
      const asked = accuracyAs === undefined ? {} : { accuracyAs };
      const { figures } = await compareRuns(runs, {
        ...settings,
        data: unitData(2),
        directory: newFolder(),
        ...asked,
      });
      const lines = figures.find(({ name }) => name === "lines")?.figure;
      return lines === undefined ? [] : curvesOf(lines).map(({ left }) => left.title);
    };
    expect(await titles()).toEqual(["loss", "error"]);
    expect(await titles("accuracy")).toEqual(["loss", "accuracy"]);
  });

  it("gives the numbers that follow by hand from known weights", async () => {
    const runs = [await runOf("SGD", FIRST), await runOf("Adam", SECOND)];
    const testData = { xs: tf.tensor2d([2, 0, 0, 2], [2, 2]), ys: tf.zeros([2, 1]) };
    const {
      runs: facts,
      pairs,
      joint,
      figures,
    } = await compareRuns(runs, {
      ...settings,
      data: unitData(),
      testData,
      directory: newFolder(),
    });
    expect(facts.map(({ norm, distance, pathLength }) => [norm, distance, pathLength])).toEqual([
      [5, 5, 7],
      [10, 10, 14],
    ]);
    expect(facts.map(({ straightness }) => straightness)).toEqual([5 / 7, 10 / 14]);
    expect(Array.from(pairs.distance)).toEqual([0, Math.sqrt(29), Math.sqrt(29), 0]);
    expect(pairs.cosine[1]).toBeCloseTo(0.96, 12);
    expect([pairs.cosine[0], pairs.cosine[3]]).toEqual([1, 1]);
    const losses = facts.map(({ scores }) =>
      scores.map(({ set, loss }) => [set, Math.round(loss * 1e4) / 1e4]),
    );
    expect(losses).toEqual([
      [
        ["train", 12.5],
        ["test", 50],
      ],
      [
        ["train", 50],
        ["test", 200],
      ],
    ]);
    // On both sides together the linear part cancels: ½·r²·‖d‖², and a filter's direction is as long as the filter.
    expect(facts[0]?.rise?.radius).toBe(0.5);
    expect(facts[0]?.rise?.mean).toBeCloseTo(0.5 * 0.25 * 25, 4);
    expect(facts[1]?.rise?.mean).toBeCloseTo(0.5 * 0.25 * 100, 3);
    expect(facts.every(({ epsilonSharpness }) => (epsilonSharpness?.sharpness ?? 0) > 0)).toBe(true);
    // Two weights: the plane holds everything.
    for (const { explainedVarianceRatio } of facts) {
      expect((explainedVarianceRatio?.[0] ?? 0) + (explainedVarianceRatio?.[1] ?? 0)).toBeCloseTo(1, 6);
    }
    expect(joint?.trajectories.map(({ trueLoss }) => trueLoss?.[2])).toEqual([12.5, 50]);
    expect(figures.map(({ name }) => name)).toEqual(["joint", "planes", "lines", "table"]);
    const rows = tableOf(figures).groups.flatMap((group) => group.rows);
    const textOf = (name: string) => rows.find((row) => row.name === name)?.cells.map(({ text }) => text);
    expect(textOf("distance to SGD")).toEqual(["–", "5.385"]);
    expect(textOf("cosine with Adam")).toEqual(["0.96", "–"]);
    expect(textOf("straightness")).toEqual(["0.7143", "0.7143"]);
    expect(textOf("loss, test")).toEqual(["50", "200"]);
  });

  it("adds each run's sharpness against its optimizer's edge, where it is asked for", async () => {
    const runs = [await runOf("first", FIRST), await runOf("second", SECOND)];
    const options = { ...settings, data: unitData(), directory: newFolder(), stability: 3 };
    const { figures, stability } = await compareRuns(runs, options);
    // The Hessian of ‖θ‖²/2 is the identity; SGD of rate 0.1 is stable up to 20.
    for (const { points } of stability) {
      expect(points).toHaveLength(3);
      for (const { sharpness, threshold } of points) {
        expect(sharpness).toBeCloseTo(1, 5);
        expect(threshold).toBeCloseTo(20, 5);
      }
    }
    const rows = tableOf(figures).groups.flatMap((group) => group.rows);
    const values = (name: string) => rows.find((row) => row.name === name)?.cells.map(({ text }) => text);
    expect(values("λ₁ of the Hessian")).toEqual(["1", "1"]);
    expect(values("share of the stability threshold")).toEqual(["5 %", "5 %"]);
    const drawn = figures.find(({ name }) => name === "stability")?.figure as Figure;
    expect(drawn.panels.map(({ title }) => title)).toEqual([
      "Share of the threshold (1: the edge)",
      "λ₁ of the Hessian",
    ]);
    expect(drawn.fidelity[0]).toMatch(/^first \(SGD\) is below its edge of stability/);
    await expect(compareRuns(runs, { ...options, stability: 0 })).rejects.toThrow(
      "snapshots: expected a whole",
    );
  });

  it("shows the planes with common levels and one unit per length, each path inside its map", async () => {
    const runs = [await runOf("short", FIRST), await runOf("long", SECOND)];
    const { figures } = await compareRuns(runs, { ...settings, data: unitData(), directory: newFolder() });
    const planes = figures.find(({ name }) => name === "planes")?.figure as Figure;
    const maps = mapsOf(planes);
    expect(maps[1]?.scale).toEqual(maps[0]?.scale);
    expect(maps[0]?.scale?.levels.length).toBeGreaterThan(3);
    const units = layoutFigure(planes).panels.flatMap(({ rect, panel }) => {
      const { alpha, beta } = panel as MapPanel;
      return [
        rect.width / ((alpha.at(-1) as number) - (alpha[0] as number)),
        rect.height / ((beta.at(-1) as number) - (beta[0] as number)),
      ];
    });
    expect(units.length).toBe(4);
    for (const unit of units) expect(unit).toBeCloseTo(units[0] as number, 9);
    for (const { paths, alpha: across, beta: up } of maps) {
      expect(paths[0]?.at.length).toBeGreaterThan(1);
      for (const [alpha, beta] of paths[0]?.at ?? []) {
        expect(Number(alpha)).toBeGreaterThanOrEqual(across[0] as number);
        expect(Number(alpha)).toBeLessThanOrEqual(across.at(-1) as number);
        expect(Number(beta)).toBeGreaterThanOrEqual(up[0] as number);
        expect(Number(beta)).toBeLessThanOrEqual(up.at(-1) as number);
      }
    }
    // The surface is the loss at the points of the plane: ½‖θ* + αd₁ + βd₂‖², whatever the axes' directions.
    const [first] = maps;
    const least = Math.min(...(first?.values?.map(Number) ?? []));
    expect(least).toBeGreaterThanOrEqual(0);
    expect(maps.map(({ paths }) => planes.runs[paths[0]?.run ?? -1]?.color)).toEqual([0, 1]);
  });

  it("says why runs of different layouts share no plane, names both, and compares the rest", async () => {
    const deep = tf.sequential({
      layers: [
        tf.layers.dense({ units: 3, inputShape: [2], useBias: false }),
        tf.layers.dense({ units: 1, useBias: false }),
      ],
    });
    deep.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    const directory = newFolder();
    const recorder = await createTrajectoryRecorder({ directory, model: deep, name: "deep" });
    for (const epoch of [0, 1, 2, 3]) {
      tf.tidy(() => {
        deep.setWeights([
          tf.tensor2d([1, epoch, 2, 0, 1, epoch * epoch], [2, 3]),
          tf.tensor2d([1, 1, epoch], [3, 1]),
        ]);
      });
      await recorder.record({ epoch, iteration: epoch });
    }
    await recorder.close();
    const runs = [await runOf("flat", FIRST), await openRun(directory), await runOf("flat too", SECOND)];
    const out = newFolder();
    const found = await compareRuns(runs, { ...settings, data: unitData(), directory: out });
    expect(found.joint).toBeNull();
    expect(found.whyNoJoint).toContain('"flat" (2 numbers in 1 weights');
    expect(found.whyNoJoint).toContain('"deep" (9 numbers in 2 weights');
    expect(found.figures.map(({ name }) => name)).toEqual(["planes", "lines", "table"]);
    const planes = found.figures[0]?.figure as Figure;
    expect(planes.caption).toContain(found.whyNoJoint);
    expect(existsSync(join(out, "joint"))).toBe(false);
    expect(Array.from(found.pairs.distance, (value) => Math.round(value * 1e6) / 1e6)).toEqual([
      0,
      Number.NaN,
      5.385165,
      Number.NaN,
      0,
      Number.NaN,
      5.385165,
      Number.NaN,
      0,
    ]);
    // Of three runs the pairs are a heat map: cells of different layouts are unknown.
    const matrix = found.figures[2]?.figure.panels.find((panel) => panel.kind === "matrix");
    const values = matrix?.below.values.map((value) => (value === null ? null : Number(value).toFixed(3)));
    expect(values?.slice(3, 8)).toEqual([null, "0.000", null, "5.385", null]);
  });

  it("draws no joint surface where the same weights have another loss", async () => {
    const runs = [await runOf("linear", FIRST), await runOf("tanh", SECOND, linearModel(1, "tanh"))];
    const found = await compareRuns(runs, { ...settings, data: unitData(), directory: newFolder() });
    expect(found.joint).toBeNull();
    expect(found.whyNoJoint).toContain(
      'at the final weights of "tanh" the network of "linear" has another loss (50.00)',
    );
  });

  it("tells runs of one name apart everywhere", async () => {
    const runs = [await runOf("run", FIRST), await runOf("run", SECOND)];
    const { runs: facts, figures } = await compareRuns(runs, {
      ...settings,
      data: unitData(),
      directory: newFolder(),
    });
    expect(facts.map(({ name }) => name)).toEqual(["run (1)", "run (2)"]);
    for (const { figure } of figures) expect(JSON.stringify(figure)).toContain("run (2)");
  });

  it("reads what is stored and up to date, and the runs' own planes, and leaks no tensor", async () => {
    const runs = [await runOf("a", FIRST), await runOf("b", SECOND)];
    const [data, directory] = [unitData(), newFolder()];
    const evaluator = await createLossEvaluator(linearModel(1), data, { layout: (runs[0] as Run).layout });
    await analyzePlane([runs[0] as Run], { kind: "pca" }, { sets: [{ name: "train", evaluator }], size: 3 });
    evaluator.dispose();
    const folder = join((runs[0] as Run).directory, "surfaces");
    const own = join(folder, readdirSync(folder)[0] as string);
    const before = statSync(own).mtimeMs;
    const options = { ...settings, data, directory };
    const first = await compareRuns(runs, options);
    expect(statSync(own).mtimeMs).toBe(before);
    // The directions of the first run were read from the run, those of the second were not there.
    expect(existsSync(join(directory, "runs", "0", "directions"))).toBe(false);
    expect(existsSync(join(directory, "runs", "1", "directions"))).toBe(true);
    const times = () =>
      readdirSync(directory, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".arrow"))
        .map((file) => [file, statSync(join(directory, file)).mtimeMs]);
    const written = times();
    expect(written.length).toBeGreaterThan(8);
    const tensors = tf.memory().numTensors;
    const again = await compareRuns(runs, options);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(times()).toEqual(written);
    expect(again.figures).toEqual(first.figures);
    await compareRuns(runs, { ...options, size: 7 });
    expect(times()).not.toEqual(written);
  });

  it("refuses what cannot be compared before it writes anything", async () => {
    const run = await runOf("a", FIRST);
    const other = await runOf("b", SECOND);
    const directory = newFolder();
    const options = { ...settings, data: unitData(), directory };
    await expect(compareRuns([run], options)).rejects.toThrow("runs: expected at least 2 to compare, got 1");
    await expect(compareRuns([], options)).rejects.toThrow("got none");
    await expect(compareRuns([run, run], options)).rejects.toThrow("expected each run once");
    const refused = [
      [{ grid: "0.5:1:3" }, "expected 0 among the coordinates"],
      [{ radius: 2 }, "radius: expected a number within -1 to 1, got 2"],
      [{ epsilon: 0 }, "epsilon: expected a finite number above 0"],
      [{ rise: Number.NaN }, "rise: expected a finite number above 0"],
      [{ size: 2 }, "size: expected integers of at least 3"],
    ] as const;
    for (const [change, message] of refused) {
      await expect(compareRuns([run, other], { ...options, ...change })).rejects.toThrow(message);
    }
    expect(existsSync(directory)).toBe(false);
  });
});

describe("distinctNames", () => {
  it("numbers equal names and passes over numbers that are taken", () => {
    expect(distinctNames(["a", "b"])).toEqual(["a", "b"]);
    expect(distinctNames(["a", "a (1)", "a", "a"])).toEqual(["a (2)", "a (1)", "a (3)", "a (4)"]);
  });
});
