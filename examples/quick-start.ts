// The shortest way from model.fit to a picture: a small network on 2,000 images of MNIST, recorded and drawn.
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "tfjs-landscape";
import { landscapeCallback } from "tfjs-landscape/callbacks";
import { loadMnist } from "./data/mnist.js";

await selectBackend();
const { xs, ys } = loadMnist({ count: 2000 });
const model = tf.sequential({
  layers: [
    tf.layers.flatten({ inputShape: [28, 28, 1] }),
    tf.layers.dense({ units: 32, activation: "relu" }),
    tf.layers.dense({ units: 10, activation: "softmax" }),
  ],
});
model.compile({ optimizer: "adam", loss: "categoricalCrossentropy", metrics: ["accuracy"] });

const landscape = landscapeCallback({
  directory: "runs/quick-start",
  overwrite: true,
  data: { xs, ys },
  figure: { names: { data: "2,000 training images of MNIST" } },
});
await model.fit(xs, ys, { epochs: 10, batchSize: 50, verbose: 0, callbacks: [landscape] });
console.log(landscape.files.join("\n"));
