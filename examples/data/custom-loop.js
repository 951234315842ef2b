// The data module of ../custom-loop.ts. A run of tf.Variables has no model, so the module gives its loss:
//   npx tfjs-landscape surface runs/custom-loop --data data/custom-loop.js
import * as tf from "@tensorflow/tfjs";
import { loadMnist } from "./mnist.js";

export const dataName = "2,000 images of MNIST";

export function loadData() {
  const { xs, ys } = loadMnist({ count: 2000 });
  return { xs: xs.reshape([2000, 784]), ys };
}

/**
 * Weights come by the names under which they were recorded. The result is the mean loss of a batch, or one value per
 * sample; metrics may stand beside it.
 */
export function loadLoss() {
  return ({ kernel, bias }, xs, ys) => {
    const logits = xs.matMul(kernel).add(bias);
    const loss = tf.losses.softmaxCrossEntropy(ys, logits);
    return { loss, metrics: { acc: tf.metrics.categoricalAccuracy(ys, logits) } };
  };
}
