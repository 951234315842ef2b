import * as tf from "@tensorflow/tfjs";
import { apply, Layers, type NetworkOptions } from "./building-blocks.js";

/**
 * Multilayer perceptron with ReLU: 784-128-64-10 for MNIST unless told otherwise (109,386 parameters).
 *
 * @param options.units - Widths of the hidden layers.
 */
export function createMlp(
  options: NetworkOptions & { readonly units?: readonly number[] } = {},
): tf.LayersModel {
  const { shape = [28, 28, 1], classes = 10, units = [128, 64] } = options;
  const layers = new Layers(options);
  const input = tf.input({ shape: [...shape] });
  let x = apply(tf.layers.flatten(), input);
  units.forEach((width, index) => {
    x = layers.dense(x, `fc${index + 1}`, width, "relu");
  });
  return tf.model({ inputs: input, outputs: layers.dense(x, `fc${units.length + 1}`, classes, "softmax") });
}
