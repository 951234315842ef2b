// What a worker is started with (--module): a sweep, and a model whose loss is a function.
import * as tf from "@tensorflow/tfjs";
import { trajectoryCallback } from "tfjs-landscape/callbacks";

export const grid = { rate: [0.1, 0.3], units: [2, 3] };

const data = () => {
  const xs = tf.tensor2d(
    Array.from({ length: 36 }, (_, i) => Math.sin(i)),
    [12, 3],
  );
  return {
    xs,
    ys: tf.tensor2d(
      Array.from({ length: 24 }, (_, i) => ((i >> 1) + i) % 2),
      [12, 2],
    ),
  };
};

/** Says the number of its first layer, which counts up in a process. */
export async function train({ rate, units }, { directory, name }) {
  const first = tf.layers.dense({ units, inputShape: [3], activation: "tanh", kernelInitializer: "ones" });
  const model = tf.sequential({ layers: [first, tf.layers.dense({ units: 2, kernelInitializer: "ones" })] });
  model.compile({ optimizer: tf.train.sgd(rate), loss: "meanSquaredError" });
  if (rate === 0.3 && units === 3) throw new Error("no such luck");
  const { xs, ys } = data();
  const callbacks = [trajectoryCallback({ directory, name })];
  await model.fit(xs, ys, { epochs: 2, batchSize: 6, shuffle: false, verbose: 0, callbacks });
  return { layer: Number(/\d+$/.exec(first.name)[0]) };
}

export function loadModel() {
  const model = tf.sequential({
    layers: [tf.layers.dense({ units: 2, inputShape: [3], kernelInitializer: "ones" })],
  });
  const loss = (yTrue, yPred) => yTrue.sub(yPred).abs().mean(-1);
  model.compile({ optimizer: "sgd", loss, metrics: ["mse"] });
  return model;
}

export const loadData = data;
