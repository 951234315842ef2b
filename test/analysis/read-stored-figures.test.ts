import { copyFileSync, mkdirSync, readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { analyzeRuns } from "../../src/analysis/analyze-runs.js";
import { interpolateModels, sliceRandomLines } from "../../src/analysis/line-stage.js";
import { modelPoint } from "../../src/analysis/model-point.js";
import { evaluatePlane } from "../../src/analysis/plane-stage.js";
import { readStoredFigures } from "../../src/analysis/read-stored-figures.js";
import { analyzeWeights } from "../../src/analysis/weights-stage.js";
import { createLinearAlgebra } from "../../src/backend/linear-algebra/create-linear-algebra.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import { openRun } from "../../src/store/run/open-run.js";
import { curvesOf, mapOf } from "../figure/panels.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";

beforeAll(useTestBackend);
const newFolder = temporaryFolders();

async function train(name: string) {
  const [model, data, directory] = [tinyModel(), tinyData(), newFolder()];
  const callbacks = [trajectoryCallback({ directory, name })];
  await model.fit(data.xs, data.ys, { epochs: 3, verbose: 0, callbacks });
  return { model, data, run: await openRun(directory) };
}

describe("readStoredFigures", () => {
  it("makes every figure of a run's directory again, and none of other weights", async () => {
    const { model, data, run } = await train("first");
    const evaluator = await createLossEvaluator(model, data, { layout: run.layout });
    const sets = [{ name: "train", evaluator }];
    const [start, end] = [await modelPoint(run, 0), await modelPoint(run)];
    const range = { from: -1, to: 1, points: 3 };
    const dataName = "twelve points";
    await interpolateModels([start, end], sets, { range });
    await sliceRandomLines(end, sets, { range, seeds: [1, 2] });
    const planes = { points: [3, 4], dataName } as const;
    const random = await evaluatePlane("random", [end], sets, { ...planes, seed: 3 });
    const ineffective = await evaluatePlane("ineffective-initial", [end], sets, planes);
    await analyzeWeights([run]);
    const tools = { evaluator, linearAlgebra: createLinearAlgebra() };
    const { figure: plot } = await analyzeRuns([run], tools, { points: 4, title: "mine" });
    evaluator.dispose();

    const { figures } = await readStoredFigures(run, "mine");
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
    // The losses along that path are not stored; the surface under it is.
    const again = figureOf("plot-ineffective-initial");
    expect(again?.layout).toBe("lead");
    expect(again?.panels[0]).toMatchObject({ kind: "map", values: mapOf(ineffective.figure).values });

    // Accuracies on lines and errors in training curves, unless asked otherwise.
    const shown = async (accuracyAs?: "error" | "accuracy") => {
      const again = await readStoredFigures(run, "mine", accuracyAs);
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
    await expect(readStoredFigures(other.run)).rejects.toThrow("expected a stored analysis");
    await analyzeWeights([other.run]);
    const rest = await readStoredFigures(other.run);
    expect(rest.figures.every(({ name }) => name.startsWith("plot-weights-"))).toBe(true);
    expect(rest.warnings.map(({ code }) => code)).toEqual(["no-analysis"]);
  });

  it("shows the exact or the approximate surface of a plane, whichever was stored last, never both", async () => {
    const { model, data, run } = await train("twice");
    const evaluator = await createLossEvaluator(model, data, { layout: run.layout });
    const sets = [{ name: "train", evaluator }];
    const plane = { points: [5, 4], seed: 3 } as const;
    const end = await modelPoint(run);
    const exact = await evaluatePlane("random", [end], sets, plane);
    const approximate = await evaluatePlane("random", [end], sets, {
      ...plane,
      approximate: {},
      force: true,
    });
    evaluator.dispose();
    const folder = join(run.directory, "surfaces");
    for (const [exactTime, figure] of [
      [1, approximate.figure],
      [3, exact.figure],
    ] as const) {
      utimesSync(join(folder, "random-train.arrow"), exactTime, exactTime);
      utimesSync(join(folder, "random-train.approximate.arrow"), 2, 2);
      const { figures } = await readStoredFigures(run);
      expect(figures).toEqual([{ name: "plot-random", figure }]);
    }
    expect(approximate.figure).not.toEqual(exact.figure);
  });
});
