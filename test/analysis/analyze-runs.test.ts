import { existsSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { analyzeRuns } from "../../src/analysis/analyze-runs.js";
import { readAnalysis } from "../../src/analysis/read-analysis.js";
import { createLinearAlgebra } from "../../src/backend/linear-algebra/create-linear-algebra.js";
import { FormatError, InvalidOptionError, LayoutError, RunStateError } from "../../src/base/errors.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import type { LossEvaluator, ThetaEvaluation } from "../../src/loss/loss-evaluator.js";
import { openRun } from "../../src/store/run/open-run.js";
import type { Run } from "../../src/store/run/run.js";
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

describe("analyzeRuns on one run", () => {
  test("every part agrees with a direct evaluation", async () => {
    const run = await trainedRun(tf.train.momentum(0.1, 0.9), "momentum");
    const evaluator = await countingEvaluator(run);
    const tools = { evaluator, linearAlgebra: createLinearAlgebra() };
    const { directions, surface, trajectories, figure } = await analyzeRuns([run], tools, { points: [7, 5] });
    const last = run.snapshots.length - 1;
    const final = await run.readTheta(last);
    expect(Array.from(directions.center)).toEqual(Array.from(final));
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
    expect(directions.vectors.every((vector) => vector.subarray(state).every((value) => value === 0))).toBe(
      true,
    );
  });

  test("stored results are read where nothing changed and computed again where something did", async () => {
    const run = await trainedRun(tf.train.sgd(0.1), "sgd");
    const evaluator = await countingEvaluator(run);
    const tools = { evaluator, linearAlgebra: createLinearAlgebra() };
    const first = await analyzeRuns([run], tools, { points: 5 });
    const calls = evaluator.calls;
    expect(calls).toBeGreaterThanOrEqual(25);
    const again = await analyzeRuns([run], tools, { points: 5 });
    expect(evaluator.calls).toBe(calls);
    expect(again.surface).toEqual(first.surface);
    expect(again.trajectories).toEqual(first.trajectories);
    expect((await readAnalysis(run)).figure).toEqual(first.figure);
    await analyzeRuns([run], tools, { points: 5, force: true });
    expect(evaluator.calls).toBe(2 * calls);
    await analyzeRuns([run], tools, { points: 5, center: "final" });
    expect(evaluator.calls).toBe(3 * calls);
    const other = await countingEvaluator(run, { xs: xs.add(0.5), ys });
    const elsewhere = await analyzeRuns([run], { ...tools, evaluator: other }, { points: 5 });
    expect(other.calls).toBe(calls);
    expect(elsewhere.surface.center.loss).not.toBe(first.surface.center.loss);
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
    const tools = { evaluator: await countingEvaluator(short), linearAlgebra: createLinearAlgebra() };
    await analyzeRuns([short], tools, { points: 3 });
    await train(true);
    const long = await openRun(directory);
    expect(long.snapshots.length).toBeGreaterThan(short.snapshots.length);
    await expect(readAnalysis(long)).rejects.toThrow(RunStateError);
    const { trajectories } = await analyzeRuns([long], tools, { points: 3 });
    expect(trajectories[0]?.distance.length).toBe(long.snapshots.length);
  });

  test("a damaged result is an error that names its file, never reused", async () => {
    const run = await trainedRun(tf.train.sgd(0.1), "sgd");
    const tools = { evaluator: await countingEvaluator(run), linearAlgebra: createLinearAlgebra() };
    await analyzeRuns([run], tools, { points: 3 });
    const file = join(run.directory, "surfaces/pca.arrow");
    truncateSync(file, 200);
    await expect(analyzeRuns([run], tools, { points: 3 })).rejects.toThrow(FormatError);
    await expect(analyzeRuns([run], tools, { points: 3 })).rejects.toThrow(file);
    rmSync(file);
    await expect(readAnalysis(run)).rejects.toThrow("tfjs-landscape surface");
  });

  test("an abort stops at a point and leaves no surface behind, but its points, from which it goes on", async () => {
    const run = await trainedRun(tf.train.sgd(0.1), "sgd");
    const evaluator = await countingEvaluator(run);
    const controller = new AbortController();
    const onProgress = (step: string, done: number) => {
      if (step === "surface" && done >= 4) controller.abort(new Error("enough"));
    };
    const tools = { evaluator, linearAlgebra: createLinearAlgebra() };
    const analysis = analyzeRuns([run], tools, { points: 9, signal: controller.signal, onProgress });
    await expect(analysis).rejects.toThrow("enough");
    expect(evaluator.calls).toBeLessThan(10);
    expect(existsSync(join(run.directory, "surfaces/pca.arrow"))).toBe(false);
    const before = evaluator.calls;
    const { surface } = await analyzeRuns([run], tools, { points: 9 });
    const fidelity = 2 * run.snapshots.length - 1;
    expect(evaluator.calls - before).toBe(81 - 4 + fidelity);
    const anew = await analyzeRuns([run], tools, { points: 9, force: true });
    expect(surface).toEqual(anew.surface);
    expect(readdirSync(join(run.directory, "surfaces"))).toEqual(["pca.arrow"]);
  });
});

describe("analyzeRuns on several runs", () => {
  test("both paths lie on one plane through the first run's final weights", async () => {
    const runs = [
      await trainedRun(tf.train.sgd(0.1), "sgd"),
      await trainedRun(tf.train.adam(0.05), "adam"),
    ] as [Run, Run];
    const tools = { evaluator: await countingEvaluator(runs[0]), linearAlgebra: createLinearAlgebra() };
    await expect(analyzeRuns(runs, tools, { points: 3 })).rejects.toThrow(InvalidOptionError);
    const directory = newFolder();
    const { trajectories, directions, figure } = await analyzeRuns(runs, tools, { points: 5, directory });
    expect(trajectories.map(({ distance }) => distance.length)).toEqual([5, 5]);
    const final = await runs[0].readTheta(4);
    expect(Array.from(directions.center)).toEqual(Array.from(final));
    expect(Array.from(trajectories[0]?.coordinates.slice(-2) ?? [])).toEqual([0, 0]);
    expect(trajectories[1]?.coordinates.slice(-2)).not.toEqual(new Float64Array(2));
    expect(figure.runs.map(({ name }) => name)).toEqual(["sgd", "adam"]);
    expect(readdirSync(join(directory, "fidelity")).sort()).toEqual(["pca-0.arrow", "pca-1.arrow"]);
  });

  test("another architecture is refused before anything is computed", async () => {
    const run = await trainedRun(tf.train.sgd(0.1), "sgd");
    const directory = newFolder();
    const other = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
    other.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    await other.fit(xs, ys, { epochs: 1, verbose: 0, callbacks: [trajectoryCallback({ directory })] });
    const evaluator = await countingEvaluator(run);
    const tools = { evaluator, linearAlgebra: createLinearAlgebra() };
    const joint = newFolder();
    const analysis = analyzeRuns([run, await openRun(directory)], tools, { directory: joint });
    await expect(analysis).rejects.toThrow(LayoutError);
    expect(evaluator.calls).toBe(0);
    expect(existsSync(joint)).toBe(false);
  });
});
