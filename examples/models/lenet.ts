import * as tf from "@tensorflow/tfjs";
import { apply, Layers, type NetworkOptions } from "./building-blocks.js";

/**
 * Small convolutional network in the manner of LeNet-5: two valid 3×3 convolutions (16 and 32 filters) with ReLU,
 * each followed by 2×2 max pooling, then dense 64 and the classes. 56,714 parameters on MNIST.
 *
 * @param options.batchNorm - Normalizes after each convolution, before its ReLU. Default false.
 * @see LeCun et al. 1998, "Gradient-based learning applied to document recognition", for the original (average pooling,
 *   tanh, 61,706 parameters).
 */
export function createLeNet(options: NetworkOptions & { readonly batchNorm?: boolean } = {}): tf.LayersModel {
  const { shape = [28, 28, 1], classes = 10, batchNorm = false } = options;
  const layers = new Layers(options);
  const input = tf.input({ shape: [...shape] });
  let x = input;
  for (const [index, filters] of [16, 32].entries()) {
    const name = `conv${index + 1}`;
    const activation = batchNorm ? "linear" : "relu";
    x = apply(tf.layers.conv2d({ name, filters, kernelSize: 3, activation, ...layers.kernel() }), x);
    if (batchNorm) x = apply(tf.layers.reLU(), layers.norm(x, `bn${index + 1}`));
    x = apply(tf.layers.maxPooling2d({ poolSize: 2 }), x);
  }
  x = layers.dense(apply(tf.layers.flatten(), x), "fc1", 64, "relu");
  return tf.model({ inputs: input, outputs: layers.dense(x, "fc2", classes, "softmax") });
}
