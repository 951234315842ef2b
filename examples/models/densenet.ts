import * as tf from "@tensorflow/tfjs";
import { apply, Layers, type NetworkOptions, relu } from "./building-blocks.js";

/** What makes one DenseNet another. */
export interface DenseNetOptions extends NetworkOptions {
  /** Channels that each block adds. Default 32. */
  readonly growth?: number;
  /** Blocks per stage. Default DenseNet-121's. */
  readonly blocks?: readonly number[];
}

/**
 * DenseNet with bottlenecks and halving transitions, in CIFAR form (a 3×3 convolution at the start and no pooling
 * there): DenseNet-121 unless told otherwise, 6,956,298 parameters for 10 classes, moving statistics not counted.
 *
 * @see Huang et al. 2017, "Densely connected convolutional networks", table 1.
 */
export function createDenseNet(options: DenseNetOptions = {}): tf.LayersModel {
  const { growth = 32, blocks = [6, 12, 24, 16], shape = [32, 32, 3], classes = 10 } = options;
  const layers = new Layers(options);
  const input = tf.input({ shape: [...shape] });
  let x = layers.conv(input, "stem_conv", 2 * growth);
  for (const [stage, count] of blocks.entries()) {
    for (let block = 0; block < count; block++) {
      const name = `s${stage}b${block}`;
      const narrow = layers.conv(relu(layers.norm(x, `${name}a_bn`)), `${name}a_conv`, 4 * growth, {
        size: 1,
      });
      const added = layers.conv(relu(layers.norm(narrow, `${name}b_bn`)), `${name}b_conv`, growth);
      x = apply(tf.layers.concatenate(), [added, x]);
    }
    if (stage === blocks.length - 1) break;
    const half = Math.floor((x.shape[3] as number) / 2);
    x = layers.conv(relu(layers.norm(x, `t${stage}_bn`)), `t${stage}_conv`, half, { size: 1 });
    x = apply(tf.layers.averagePooling2d({ poolSize: 2 }), x);
  }
  const pooled = apply(tf.layers.globalAveragePooling2d({}), relu(layers.norm(x, "last_bn")));
  return tf.model({ inputs: input, outputs: layers.dense(pooled, "fc", classes, "softmax") });
}
