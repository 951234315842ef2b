// model.fitDataset with a callback that records the weights, and one that lowers the learning rate:
// a small network on MNIST, from a tf.data pipeline that shuffles and batches.
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "tfjs-landscape";
import { learningRateScheduler, trajectoryCallback } from "tfjs-landscape/callbacks";
import { loadMnist } from "./data/mnist.js";

await selectBackend();
const { xs, ys } = loadMnist({ count: 2000 });
const pairs = tf.data.zip({
  xs: tf.data.array(tf.unstack(xs)),
  ys: tf.data.array(tf.unstack(ys)),
});
const dataset = pairs.shuffle(2000, "examples").batch(50);

const model = tf.sequential({
  layers: [
    tf.layers.flatten({ inputShape: [28, 28, 1] }),
    tf.layers.dense({ units: 32, activation: "relu" }),
    tf.layers.dense({ units: 10, activation: "softmax" }),
  ],
});
model.compile({
  optimizer: tf.train.sgd(0.1),
  loss: "categoricalCrossentropy",
  metrics: ["accuracy"],
});

await model.fitDataset(dataset, {
  epochs: 6,
  verbose: 0,
  callbacks: [
    learningRateScheduler({ kind: "step", every: 3 }),
    trajectoryCallback({ directory: "runs/fit-dataset", overwrite: true }),
  ],
});
console.log("Recorded in runs/fit-dataset; see: npx tfjs-landscape inspect runs/fit-dataset");
