import * as tf from "@tensorflow/tfjs";

/**
 * Creates the studies' network, 196-64-10 (13,258 parameters); equal seeds give equal weights.
 *
 * @param penalty - L2 penalty of the kernels; 0 for none.
 */
export function createNetwork(seed: number, penalty = 0): tf.LayersModel {
  const kernel = (layer: number) => ({
    kernelInitializer: tf.initializers.heNormal({ seed: 1 + 10 * seed + layer }),
    ...(penalty === 0 ? {} : { kernelRegularizer: tf.regularizers.l2({ l2: penalty }) }),
  });
  return tf.sequential({
    layers: [
      tf.layers.dense({ units: 64, activation: "relu", inputShape: [196], name: "hidden", ...kernel(0) }),
      tf.layers.dense({ units: 10, activation: "softmax", name: "digits", ...kernel(1) }),
    ],
  });
}
