// LeNet on MNIST with SGD and with Adam from the same initial weights, both paths on their joint plane:
// what `tfjs-landscape demo` does, as a program to change.
import * as tf from "@tensorflow/tfjs";
import { analyzePlane, createLossEvaluator, openRun, selectBackend, writeReport } from "tfjs-landscape";
import { learningRateScheduler, trajectoryCallback } from "tfjs-landscape/callbacks";
import { loadMnist } from "./data/mnist.js";

function createLeNet(): tf.LayersModel {
  const seeded = (seed: number) => ({ kernelInitializer: tf.initializers.heNormal({ seed }) });
  return tf.sequential({
    layers: [
      tf.layers.conv2d({
        filters: 16,
        kernelSize: 3,
        activation: "relu",
        inputShape: [28, 28, 1],
        ...seeded(1),
      }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.conv2d({ filters: 32, kernelSize: 3, activation: "relu", ...seeded(2) }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 64, activation: "relu", ...seeded(3) }),
      tf.layers.dense({ units: 10, activation: "softmax", ...seeded(4) }),
    ],
  });
}

await selectBackend();
const training = loadMnist({ count: 4000 });
const evaluation = loadMnist({ count: 2000 });
const epochs = 9;
const optimizers = { SGD: tf.train.momentum(0.02, 0.9), Adam: tf.train.adam(0.002) };

let model = createLeNet();
for (const [name, optimizer] of Object.entries(optimizers)) {
  model = createLeNet();
  model.compile({ optimizer, loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  await model.fit(training.xs, training.ys, {
    epochs,
    batchSize: 64,
    verbose: 0,
    callbacks: [
      trajectoryCallback({ directory: `runs/${name}`, name, overwrite: true }),
      learningRateScheduler({ kind: "step", every: 6 }),
    ],
  });
}

const runs = [await openRun("runs/SGD"), await openRun("runs/Adam")];
const evaluator = await createLossEvaluator(model, evaluation, { layout: runs[0]?.layout });
const { figure } = await analyzePlane(
  runs,
  { kind: "pca" },
  {
    sets: [{ name: "train", evaluator }],
    directory: "runs/joint",
    size: 15,
    figure: { names: { data: "2,000 training images of MNIST" } },
  },
);
if (figure === null) throw new Error("expected a figure");
const files = await writeReport("runs/joint", [{ name: "joint", figure }]);
for (const sentence of figure.fidelity) console.log(sentence);
console.log(files.join("\n"));
