import * as tf from "@tensorflow/tfjs";
import { apply, Layers, type NetworkOptions, relu } from "./building-blocks.js";

/**
 * Wide ResNet WRN-n-k for CIFAR: normalization and ReLU before each convolution, three stages of (n − 4)/6 blocks with
 * 16k, 32k and 64k filters. WRN-40-1 has 0.6 million parameters, WRN-40-2 2.2, WRN-28-10 36.5.
 *
 * @param options.depth - n = 6·blocks + 4.
 * @param options.width - k.
 * @throws Error if the depth is not 6n + 4.
 * @see Zagoruyko and Komodakis 2016, "Wide residual networks", tables 1 and 4.
 */
export function createWideResNet(
  options: NetworkOptions & { readonly depth: number; readonly width: number },
): tf.LayersModel {
  const { depth, width, shape = [32, 32, 3], classes = 10 } = options;
  const blocks = (depth - 4) / 6;
  if (!Number.isInteger(blocks) || blocks < 1) throw new Error(`depth: expected 6n + 4, got ${depth}`);
  const layers = new Layers(options);
  const input = tf.input({ shape: [...shape] });
  let x = layers.conv(input, "stem_conv", 16);
  for (let stage = 0; stage < 3; stage++) {
    const filters = 16 * width * 2 ** stage;
    for (let block = 0; block < blocks; block++) {
      const name = `s${stage}b${block}`;
      const strides = stage > 0 && block === 0 ? 2 : 1;
      const active = relu(layers.norm(x, `${name}a_bn`));
      const first = layers.conv(active, `${name}a_conv`, filters, { strides });
      const branch = layers.conv(relu(layers.norm(first, `${name}b_bn`)), `${name}b_conv`, filters);
      const isSame = x.shape[3] === filters && strides === 1;
      const short = isSame ? x : layers.conv(active, `${name}p_conv`, filters, { size: 1, strides });
      x = apply(tf.layers.add(), [branch, short]);
    }
  }
  const pooled = apply(tf.layers.globalAveragePooling2d({}), relu(layers.norm(x, "last_bn")));
  return tf.model({ inputs: input, outputs: layers.dense(pooled, "fc", classes, "softmax") });
}
