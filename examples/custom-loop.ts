// A training loop of one's own over tf.Variables, recorded as a callback of model.fit would record it:
// softmax regression on 2,000 images of MNIST, with a snapshot after 1, 2, 4, 8, … updates.
import * as tf from "@tensorflow/tfjs";
import { createTrajectoryRecorder, selectBackend } from "tfjs-landscape";
import { loadMnist } from "./data/mnist.js";

await selectBackend();
const { xs, ys } = loadMnist({ count: 2000 });
const images = xs.reshape([2000, 784]);

const kernel = tf.variable(tf.zeros([784, 10]));
const bias = tf.variable(tf.zeros([10]));
const optimizer = tf.train.momentum(0.1, 0.9);

function batchLoss(start: number): tf.Scalar {
  const logits = images.slice(start, 100).matMul(kernel).add(bias);
  return tf.losses.softmaxCrossEntropy(ys.slice(start, 100), logits) as tf.Scalar;
}

const recorder = await createTrajectoryRecorder({
  directory: "runs/custom-loop",
  variables: { kernel, bias },
  optimizer,
  schedule: { geometric: { ratio: 2 } },
  overwrite: true,
});
let iteration = 0;
await recorder.recordIfDue({ epoch: 0, iteration });
for (let epoch = 0; epoch < 5; epoch++) {
  for (let start = 0; start < 2000; start += 100) {
    const cost = optimizer.minimize(() => batchLoss(start), true) as tf.Scalar;
    const [loss = Number.NaN] = await cost.data();
    cost.dispose();
    iteration++;
    await recorder.recordIfDue({ epoch: Math.floor(iteration / 20), iteration, logs: { loss } });
  }
}
await recorder.close({ epoch: 5, iteration });
console.log(
  `${iteration} updates recorded in ${recorder.directory}; see: npx tfjs-landscape surface runs/custom-loop --data data/custom-loop.js`,
);
