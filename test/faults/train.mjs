// Trains a small network from seeded weights, recording every update: `node train.mjs DIRECTORY [EPOCHS]`. Where the
// directory holds a part of such a run, it goes on from its last snapshot, so that the whole has the bits of one that
// nothing disturbed.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs";
import { trajectoryCallback } from "../../dist/callbacks/index.js";
import { openRun } from "../../dist/src/index.js";
import { loadData } from "../cli/fixtures/tiny-data.js";

const [directory, epochs = "60"] = process.argv.slice(2);
const report = console.error;
console.warn = () => undefined;
console.log = () => undefined;
console.info = () => undefined;

const kernel = (seed) => tf.initializers.glorotUniform({ seed });
const model = tf.sequential({
  layers: [
    tf.layers.dense({ units: 4, inputShape: [3], activation: "tanh", kernelInitializer: kernel(1) }),
    tf.layers.dense({ units: 2, activation: "softmax", kernelInitializer: kernel(2) }),
  ],
});
model.compile({ optimizer: tf.train.sgd(0.1), loss: "categoricalCrossentropy", metrics: ["accuracy"] });

async function lastEpoch() {
  if (!existsSync(join(directory, "run.json"))) return 0;
  const run = await openRun(directory);
  const last = run.snapshots.at(-1);
  if (last === undefined) return 0;
  const theta = await run.readTheta(last.step);
  await run.close();
  let offset = 0;
  const values = model.getWeights().map(({ shape, size }) => {
    const part = theta.slice(offset, offset + size);
    offset += size;
    return tf.tensor(part, shape);
  });
  model.setWeights(values);
  return last.epoch;
}

/** Time for the faults to come in between. */
class Pause extends tf.CustomCallback {
  async onEpochEnd() {
    await sleep(8);
  }
}

try {
  const { xs, ys } = loadData();
  await model.fit(xs, ys, {
    epochs: Number(epochs),
    initialEpoch: await lastEpoch(),
    batchSize: 24,
    shuffle: false,
    verbose: 0,
    callbacks: [trajectoryCallback({ directory, name: "tiny", resume: true }), new Pause({})],
  });
} catch (error) {
  report(`training: ${error.message}`);
  process.exitCode = 3;
}
