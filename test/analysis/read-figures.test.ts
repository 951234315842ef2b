import { copyFileSync, mkdirSync, readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { analyzePlane } from "../../src/analysis/analyze-plane.js";
import { modelPoint } from "../../src/analysis/model-point.js";
import { readFigures } from "../../src/analysis/read-figures.js";
import { analyzeWeights } from "../../src/analysis/weights-stage.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import { listSurfaces } from "../../src/store/kinds/stored-surfaces.js";
import { readSurface } from "../../src/store/kinds/surface-file.js";
import { openRun } from "../../src/store/run/open-run.js";
import { curvesOf } from "../figure/panels.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";
import { lineBetween, linesFrom, planeOf } from "./slice-helpers.js";

beforeAll(useTestBackend);
const newFolder = temporaryFolders();

async function train(name: string) {
  const [model, data, directory] = [tinyModel(), tinyData(), newFolder()];
  const callbacks = [trajectoryCallback({ directory, name })];
  await model.fit(data.xs, data.ys, { epochs: 3, verbose: 0, callbacks });
  return { model, data, run: await openRun(directory) };
}

describe("readFigures", () => {
  it("makes every figure of a run's directory again, and none of other weights", async () => {
    const { model, data, run } = await train("first");
    const evaluator = await createLossEvaluator(model, data, { layout: run.layout });
    const sets = [{ name: "train", evaluator }];
    const [start, end] = [await modelPoint(run, 0), await modelPoint(run)];
    const grid = "-1:1:3";
    const figure = { names: { data: "twelve points" } };
    await lineBetween([start, end], sets, { grid });
    await linesFrom(end, sets, { grid, seeds: [1, 2] });
    const planes = { size: [3, 4], figure } as const;
    const random = await planeOf("random", [end], sets, { ...planes, seed: 3 });
    const ineffective = await planeOf("ineffective-initial", [end], sets, planes);
    await analyzeWeights([run]);
    const { figure: plot } = await analyzePlane(
      [run],
      { kind: "pca" },
      { sets, size: 4, figure: { title: "mine" } },
    );
    evaluator.dispose();

    const { figures } = await readFigures(run, { title: "mine" });
    expect(figures.map(({ name }) => name.replace(/-[0-9a-f]{8}/g, "-*"))).toEqual([
      "plot",
      "plot-interpolate-*-*",
      "plot-random-*",
      "plot-ineffective-initial",
      "plot-random",
      "plot-weights-training",
      "plot-weights-norms",
      "plot-weights-histogram",
      "plot-weights-angles",
    ]);
    const figureOf = (wanted: string) => figures.find(({ name }) => name === wanted)?.figure;
    expect(figureOf("plot")).toEqual(plot);
    expect(figureOf("plot-random")).toEqual(random.figure);
    expect(figureOf("plot-ineffective-initial")).toEqual(ineffective.figure);

    // Accuracies on lines and errors in training curves, unless asked otherwise.
    const shown = async (accuracyAs?: "error" | "accuracy") => {
      const again = await readFigures(run, { title: "mine", accuracyAs });
      return again.figures.flatMap(({ figure }) =>
        figure.layout === "lead"
          ? []
          : curvesOf(figure).flatMap(({ left, right }) =>
              [left, right].flatMap((axis) => (axis?.scale === "percent" ? [axis.title] : [])),
            ),
      );
    };
    expect(await shown()).toEqual(["accuracy", "accuracy", "error"]);
    expect(await shown("error")).toEqual(["error", "error", "error"]);
    expect(await shown("accuracy")).toEqual(["accuracy", "accuracy", "accuracy"]);

    const other = await train("second");
    mkdirSync(join(other.run.directory, "lines"));
    for (const name of readdirSync(join(run.directory, "lines"))) {
      copyFileSync(join(run.directory, "lines", name), join(other.run.directory, "lines", name));
    }
    await expect(readFigures(other.run)).rejects.toThrow("expected a stored analysis");
    await analyzeWeights([other.run]);
    const rest = await readFigures(other.run);
    expect(rest.figures.every(({ name }) => name.startsWith("plot-weights-"))).toBe(true);
    expect(rest.warnings.map(({ code }) => code)).toEqual(["no-analysis"]);
  });

  it("shows the exact or the approximate surface of a plane, whichever was stored last, never both", async () => {
    const { model, data, run } = await train("twice");
    const evaluator = await createLossEvaluator(model, data, { layout: run.layout });
    const sets = [{ name: "train", evaluator }];
    const plane = { size: [5, 4], seed: 3 } as const;
    const end = await modelPoint(run);
    const exact = await planeOf("random", [end], sets, plane);
    const approximate = await planeOf("random", [end], sets, { ...plane, approximate: {}, force: true });
    const stored = await listSurfaces(run.directory);
    const fileOf = (isExact: boolean) =>
      stored.find(({ key }) => (key?.approximate === null) === isExact)?.file as string;
    const drawn = async () => (await readFigures(run)).figures;
    expect(await drawn()).toEqual([{ name: "plot-random", figure: approximate.figure }]);
    // Whatever the clock said.
    utimesSync(fileOf(true), 3, 3);
    utimesSync(fileOf(false), 2, 2);
    expect(await drawn()).toEqual([{ name: "plot-random", figure: approximate.figure }]);
    // Asked for again: the newest, with the values that it had.
    const before = await readSurface(fileOf(true));
    await planeOf("random", [end], sets, plane);
    evaluator.dispose();
    utimesSync(fileOf(true), 1, 1);
    expect(await readSurface(fileOf(true))).toEqual(before);
    expect(await drawn()).toEqual([{ name: "plot-random", figure: exact.figure }]);
    const [older] = await listSurfaces(run.directory);
    expect(older?.file).toBe(fileOf(false));
    const named = await readFigures(run, { surface: older?.name });
    expect(named.figures).toEqual([{ name: "plot-random", figure: approximate.figure }]);
    await expect(readFigures(run, { surface: "none-such" })).rejects.toThrow(
      "surface: expected one of random-train-",
    );
    expect(approximate.figure).not.toEqual(exact.figure);
  });
});
