import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { analyzeLine } from "../../src/analysis/analyze-line.js";
import { analyzePlane } from "../../src/analysis/analyze-plane.js";
import { analyzeConnection } from "../../src/analysis/connect.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import { openRun } from "../../src/store/run/open-run.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders, tinyData } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
beforeAll(async () => void (await useTestBackend()));

/** Two layers; the first is frozen, so that θ begins with the second. */
async function train(isFrozen: boolean) {
  const layers = [
    tf.layers.dense({ units: 4, inputShape: [3], activation: "tanh", name: "body", trainable: !isFrozen }),
    tf.layers.dense({ units: 2, activation: "softmax", name: "head" }),
  ];
  const model = tf.sequential({ layers });
  model.compile({ optimizer: tf.train.sgd(0.2), loss: "categoricalCrossentropy" });
  const directory = newFolder();
  const { xs, ys } = tinyData();
  await model.fit(xs, ys, { epochs: 2, verbose: 0, callbacks: [trajectoryCallback({ directory })] });
  const loss = (model.evaluate(xs, ys) as tf.Scalar).dataSync()[0] as number;
  return { model, run: await openRun(directory), loss };
}

describe("models that differ in what is trainable", () => {
  test("have a line and a plane between them, whose ends have their own losses", async () => {
    const [all, frozen, other] = [await train(false), await train(true), await train(true)];
    expect(frozen.run.layout.parameters[0]?.name).not.toBe(all.run.layout.parameters[0]?.name);
    const evaluator = await createLossEvaluator(all.model, tinyData(), { layout: all.run.layout });
    const sets = [{ name: "train", evaluator }];
    const directory = newFolder();
    const line = await analyzeLine(
      [all.run, frozen.run],
      { kind: "models" },
      { sets, grid: "0:1:3", directory },
    );
    const losses = line.slice.curves[0]?.surface.loss;
    expect(losses?.[0]).toBeCloseTo(all.loss, 5);
    expect(losses?.[2]).toBeCloseTo(frozen.loss, 5);
    const plane = await analyzePlane(
      [all.run, frozen.run, other.run],
      { kind: "models" },
      { sets, grid: "0:1:2,0:1:2", directory },
    );
    const corners = plane.surfaces[0]?.surface.loss;
    expect(corners?.[1]).toBeCloseTo(frozen.loss, 5);
    expect(corners?.[2]).toBeCloseTo(other.loss, 5);
    evaluator.dispose();
  });

  test("are connected: ends of their own losses, also where the other's units come in another order", async () => {
    const [all, frozen] = [await train(false), await train(true)];
    const evaluator = await createLossEvaluator(all.model, tinyData(), { layout: all.run.layout });
    const { connection } = await analyzeConnection([all.run, frozen.run], all.model, tinyData(), {
      sets: [{ name: "train", evaluator }],
      directory: newFolder(),
      points: 3,
    });
    for (const { name, values } of connection.paths) {
      const losses = values[0]?.loss ?? [];
      expect(losses[0], name).toBeCloseTo(all.loss, 5);
      expect(losses[losses.length - 1], name).toBeCloseTo(frozen.loss, 5);
    }
    evaluator.dispose();
  });
});
