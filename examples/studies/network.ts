import * as tf from "@tensorflow/tfjs";

/** Creates the studies' network, 784-32-10 (25,450 parameters); equal seeds give equal weights. */
export function createNetwork(seed: number): tf.LayersModel {
  const kernel = (layer: number) => ({
    kernelInitializer: tf.initializers.heNormal({ seed: 1 + 10 * seed + layer }),
  });
  return tf.sequential({
    layers: [
      tf.layers.dense({ units: 32, activation: "relu", inputShape: [784], name: "hidden", ...kernel(0) }),
      tf.layers.dense({ units: 10, activation: "softmax", name: "digits", ...kernel(1) }),
    ],
  });
}
