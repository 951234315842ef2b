// Trains a small network and records every update: `node endless-training.mjs DIRECTORY [EPOCHS]`.
// Without EPOCHS it goes on until it is killed. With OPTIMIZER_STATE=1 the state of the optimizer is recorded too.
// Prints a line once the first epoch has been trained.
import * as tf from "@tensorflow/tfjs";
import { trajectoryCallback } from "../../dist/callbacks/trajectory-callback.js";

const [directory, epochs = "1000000"] = process.argv.slice(2);
const optimizerState = process.env.OPTIMIZER_STATE === "1";
console.warn = () => undefined;
console.log = () => undefined;
const model = tf.sequential({
  layers: [
    tf.layers.dense({ units: 64, inputShape: [32], activation: "tanh" }),
    tf.layers.dense({ units: 1 }),
  ],
});
model.compile({ optimizer: tf.train.adam(0.01), loss: "meanSquaredError" });
const xs = tf.randomNormal([64, 32]);
const ys = tf.sum(xs, 1, true);
class Tell extends tf.CustomCallback {
  async onEpochEnd(epoch) {
    if (epoch === 0) process.stdout.write("trained\n");
  }
}
const callback = trajectoryCallback({
  directory,
  schedule: { everyBatches: 1 },
  resume: true,
  optimizerState,
});
await model.fit(xs, ys, {
  epochs: Number(epochs),
  batchSize: 16,
  verbose: 0,
  callbacks: [callback, new Tell({})],
});
process.stdout.write(`${JSON.stringify(callback.warnings)}\n`);
