import * as tf from "@tensorflow/tfjs";
import { apply, Layers, type NetworkOptions, relu } from "./building-blocks.js";

/** Filters of the convolutions between two poolings: the first seven convolutions of VGG-16. */
const STAGES = [
  [64, 64],
  [128, 128],
  [256, 256, 256],
];

/**
 * VGG-9 of Li et al.: the first seven convolutions of VGG-16 and two dense layers, batch normalization after each
 * convolution and after the first dense layer.
 *
 * The paper does not say how wide the first dense layer is; here it has 256 units unless told otherwise. Convolutions
 * and the first dense layer have no bias, since batch normalization follows. In CIFAR form: 1,734,336 weights in the
 * convolutions, 1,048,576 in the first dense layer, 2,570 in the last, and 4 per normalized channel (1,408 of them).
 *
 * @param options.width - Multiplies the filters. Default 1.
 * @param options.units - Width of the first dense layer. Default 256.
 * @see Simonyan and Zisserman 2015 (VGG-16), table 1, column D; Li et al. 2018, appendix (VGG-9).
 */
export function createVgg9(
  options: NetworkOptions & { readonly width?: number; readonly units?: number } = {},
): tf.LayersModel {
  const { shape = [32, 32, 3], classes = 10, width = 1, units = 256 } = options;
  const layers = new Layers(options);
  const input = tf.input({ shape: [...shape] });
  let x = input;
  let index = 0;
  for (const stage of STAGES) {
    for (const filters of stage) {
      index++;
      const conv = layers.conv(x, `conv${index}`, Math.round(filters * width));
      x = relu(layers.norm(conv, `bn${index}`));
    }
    x = apply(tf.layers.maxPooling2d({ poolSize: 2 }), x);
  }
  const flat = apply(tf.layers.flatten(), x);
  const hidden = apply(tf.layers.dense({ name: "fc1", units, useBias: false, ...layers.kernel() }), flat);
  x = relu(layers.norm(hidden, "bn_fc1"));
  return tf.model({ inputs: input, outputs: layers.dense(x, "fc2", classes, "softmax") });
}
