import * as tf from "@tensorflow/tfjs";

/**
 * Creates the demo's LeNet-like network for 28×28 images and 10 classes (56,714 parameters): two 3×3
 * convolutions with pooling, a dense layer of 64 and a softmax. Equal seeds give equal weights.
 */
export function createLeNet(seed: number): tf.LayersModel {
  const kernel = (layer: number): { kernelInitializer: ReturnType<typeof tf.initializers.heNormal> } => ({
    kernelInitializer: tf.initializers.heNormal({ seed: 1 + 10 * seed + layer }),
  });
  const conv = { kernelSize: 3, activation: "relu" } as const;
  return tf.sequential({
    layers: [
      tf.layers.conv2d({ ...conv, ...kernel(0), filters: 16, inputShape: [28, 28, 1], name: "conv1" }),
      tf.layers.maxPooling2d({ poolSize: 2, name: "pool1" }),
      tf.layers.conv2d({ ...conv, ...kernel(1), filters: 32, name: "conv2" }),
      tf.layers.maxPooling2d({ poolSize: 2, name: "pool2" }),
      tf.layers.flatten({ name: "flatten" }),
      tf.layers.dense({ ...kernel(2), units: 64, activation: "relu", name: "dense1" }),
      tf.layers.dense({ ...kernel(3), units: 10, activation: "softmax", name: "dense2" }),
    ],
  });
}
