import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { instabilityAnalysis } from "../../src/between/instability.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import { openRun } from "../../src/store/run/open-run.js";
import type { Run } from "../../src/store/run/run.js";
import type { EvaluationSet } from "../../src/surface/lines/level-set-width.js";
import { useTestBackend } from "../support/backend.js";
import { flatWeights, temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
let model: tf.Sequential;
let run: Run;
let data: ReturnType<typeof tinyData>;
let sets: EvaluationSet[];

beforeAll(async () => {
  await useTestBackend();
  data = tinyData();
  model = tinyModel();
  const directory = newFolder();
  await model.fit(data.xs, data.ys, {
    epochs: 4,
    verbose: 0,
    callbacks: [trajectoryCallback({ directory })],
  });
  run = await openRun(directory);
  sets = [{ name: "train", evaluator: await createLossEvaluator(model, data, { engine: "tfjs" }) }];
});

const options = { optimizer: "sgd", learningRate: 0.2, batchSize: 3, points: 5 } as const;

test("forks of an earlier snapshot end farther apart; those of the last one are equal, without a barrier", async () => {
  const weights = flatWeights(model);
  const tensors = tf.memory().numTensors;
  const { forks } = await instabilityAnalysis(run, model, data, sets, { ...options, steps: [0, 3, 4] });
  expect(forks.map(({ step, epoch, epochs }) => [step, epoch, epochs])).toEqual([
    [0, 0, 4],
    [3, 3, 1],
    [4, 4, 0],
  ]);
  const distances = forks.map(({ distance }) => distance);
  expect(distances[0]).toBeGreaterThan(distances[1]);
  expect(distances[1]).toBeGreaterThan(0);
  expect(distances[2]).toBe(0);
  expect(forks[2].barriers[0].loss).toMatchObject({ aboveLine: 0, aboveMean: 0 });
  expect(forks[0].path.policy).toBe("interpolate");
  // The model that is given is not trained, and nothing is left on the backend.
  expect(flatWeights(model)).toEqual(weights);
  expect(tf.memory().numTensors).toBe(tensors);
});

test("the same seeds give the same forks", async () => {
  const once = () => instabilityAnalysis(run, model, data, sets, { ...options, steps: [2], epochs: 3 });
  expect(await once()).toEqual(await once());
  const [other] = (
    await instabilityAnalysis(run, model, data, sets, { ...options, steps: [2], epochs: 3, seeds: [5, 6] })
  ).forks;
  expect(other.distance).not.toBe((await once()).forks[0].distance);
});

test("options that cannot be used are refused before anything is trained", async () => {
  const analyze = (more: object) => instabilityAnalysis(run, model, data, sets, { ...options, ...more });
  await expect(analyze({ steps: [9] })).rejects.toThrow(/steps: expected steps of the run, 0 to 4, got 9/);
  await expect(analyze({ seeds: [1, 1] })).rejects.toThrow(/seeds: expected two seeds that differ, got 1,1/);
  await expect(analyze({ steps: [4], epochs: 2 })).rejects.toThrow(
    /epochs: expected at least 4, those of step 4, got 2/,
  );
  await expect(analyze({ optimizer: "lion" })).rejects.toThrow(/optimizer: expected one of/);
});
