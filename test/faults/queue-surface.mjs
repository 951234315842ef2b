// A surface of a tiny model in small tiles: node queue-surface.mjs FOLDER SIZE PLACE, with options of createQueueRunner as JSON,
// or null: a process of this machine evaluates. The surface is stored in the folder, and goes on with what is there. Prints
// the number of points that are known, one per line, then what was sent, as JSON.
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../../dist/src/backend/select-backend.js";
import { analyzePlane, createLossEvaluator, openRun } from "../../dist/src/index.js";
import { createQueueRunner } from "../../dist/src/queue/queue-runner.js";
import { loadData, loadLoss } from "./paced-data.mjs";

const [folder, size, place = "null"] = process.argv.slice(2);
const where = JSON.parse(place);
await selectBackend({ backend: "js" });
const model = tf.sequential({
  layers: [
    tf.layers.dense({ units: 4, inputShape: [3], activation: "tanh" }),
    tf.layers.dense({ units: 2, activation: "softmax" }),
  ],
});
model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
const runner =
  where === null
    ? undefined
    : await createQueueRunner({
        ...where,
        tileSeconds: 0.2,
        onNotice: (text) => process.stderr.write(`${text}\n`),
      });
try {
  const evaluator = await createLossEvaluator(model, loadData(), {
    ...(runner === undefined ? { workers: 1 } : { runner }),
    engine: "tfjs",
    batchSize: 24,
    setup: new URL("paced-data.mjs", import.meta.url).pathname,
    lossFunction: loadLoss(),
  });
  const run = await openRun(`${folder}/run`);
  await analyzePlane(
    [run],
    { kind: "random", seed: 1 },
    {
      sets: [{ name: "train", evaluator }],
      size: Number(size),
      pathLosses: 2,
      directory: `${folder}/results`,
      onProgress: (step, done) => step === "surface" && process.stdout.write(`${done}\n`),
    },
  );
  evaluator.dispose();
  process.stdout.write(`${JSON.stringify(runner?.counts ?? null)}\n`);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 3;
} finally {
  runner?.dispose();
}
