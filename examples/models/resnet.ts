import * as tf from "@tensorflow/tfjs";
import { apply, Layers, type NetworkOptions, relu } from "./building-blocks.js";

/** What makes one ResNet another. */
export interface ResNetOptions extends NetworkOptions {
  /** Layers with weights on the main path: 6n + 2 (20, 56, 110 …). */
  readonly depth: number;
  /** Multiplies the filters (16, 32, 64). Default 1. */
  readonly width?: number;
  /** False for the networks without skip connections ("no-short" in Li et al.). Default true. */
  readonly skip?: boolean;
  /**
   * How a skip changes size: by a strided 1×1 convolution with batch normalization ("projection", as the code of Li et
   * al. has it; 272,474 parameters at depth 20, moving statistics not counted), or by taking every second pixel and
   * adding channels of zeros ("padding", as He et al. have it for CIFAR; 269,722). Default "projection".
   */
  readonly shortcut?: "projection" | "padding";
  /** Initial γ of the last normalization of each block. Default 1. */
  readonly branchScale?: number;
}

/**
 * ResNet for CIFAR: a 3×3 convolution, three stages of n blocks of two 3×3 convolutions (16, 32, 64 filters, halved
 * size), global average pooling and one dense layer.
 *
 * @throws Error if the depth is not 6n + 2.
 * @see He et al. 2016, "Deep residual learning for image recognition", section 4.2.
 */
export function createResNet(options: ResNetOptions): tf.LayersModel {
  const { depth, width = 1, skip = true, branchScale = 1 } = options;
  const { shape = [32, 32, 3], classes = 10, shortcut = "projection" } = options;
  const blocks = (depth - 2) / 6;
  if (!Number.isInteger(blocks) || blocks < 1) throw new Error(`depth: expected 6n + 2, got ${depth}`);
  const layers = new Layers(options);
  const input = tf.input({ shape: [...shape] });
  const filtersOf = (stage: number) => Math.round(16 * 2 ** stage * width);
  let x = relu(layers.norm(layers.conv(input, "stem_conv", filtersOf(0)), "stem_bn"));
  for (let stage = 0; stage < 3; stage++) {
    for (let block = 0; block < blocks; block++) {
      const name = `s${stage}b${block}`;
      const filters = filtersOf(stage);
      const strides = stage > 0 && block === 0 ? 2 : 1;
      const first = relu(layers.norm(layers.conv(x, `${name}a_conv`, filters, { strides }), `${name}a_bn`));
      const branch = layers.norm(layers.conv(first, `${name}b_conv`, filters), `${name}b_bn`, branchScale);
      const short = skip && (strides === 1 ? x : shorter(layers, x, name, filters, shortcut));
      x = relu(short ? apply(tf.layers.add(), [branch, short]) : branch);
    }
  }
  const pooled = apply(tf.layers.globalAveragePooling2d({}), x);
  return tf.model({ inputs: input, outputs: layers.dense(pooled, "fc", classes, "softmax") });
}

/** A skip connection to half the size and more channels. */
function shorter(
  layers: Layers,
  x: tf.SymbolicTensor,
  name: string,
  filters: number,
  shortcut: "projection" | "padding",
): tf.SymbolicTensor {
  if (shortcut === "projection") {
    const conv = layers.conv(x, `${name}p_conv`, filters, { size: 1, strides: 2 });
    return layers.norm(conv, `${name}p_bn`);
  }
  const sampled = apply(tf.layers.maxPooling2d({ poolSize: 1, strides: 2 }), x);
  const missing = filters - (x.shape[3] as number);
  const before = Math.floor(missing / 2);
  // Layers pad height and width only: channels stand in the place of height while zeros are added.
  const padding: [[number, number], [number, number]] = [
    [before, missing - before],
    [0, 0],
  ];
  const channelsFirst = apply(tf.layers.permute({ dims: [3, 1, 2] }), sampled);
  const padded = apply(tf.layers.zeroPadding2d({ padding }), channelsFirst);
  return apply(tf.layers.permute({ dims: [2, 3, 1] }), padded);
}
