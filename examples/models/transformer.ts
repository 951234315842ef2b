import * as tf from "@tensorflow/tfjs";
import { apply, Layers, type NetworkOptions, relu } from "./building-blocks.js";

/** What makes one encoder another. */
export interface TransformerOptions extends Pick<NetworkOptions, "seed" | "weightDecay"> {
  /** The numbers added are 0 … modulus − 1. */
  readonly modulus: number;
  /** Width of the residual stream. Default 32. */
  readonly width?: number;
  /** Attention heads; they divide the width. Default 2. */
  readonly heads?: number;
  /** Encoder layers. Default 1. */
  readonly depth?: number;
}

/**
 * Small transformer encoder for addition modulo p: embedding, then per layer self-attention and a perceptron of four
 * times the width, each added to its input and followed by layer normalization; the mean over the positions feeds one
 * dense layer. It reads what {@link createModularAddition} makes: three tokens "a", "b" and "=" whose numbers differ
 * by position, so that the embedding holds the position as well.
 *
 * @throws Error if the heads do not divide the width.
 * @see Vaswani et al. 2017, "Attention is all you need"; Power et al. 2022, "Grokking", for the task.
 */
export function createTransformer(options: TransformerOptions): tf.LayersModel {
  const { modulus, width = 32, heads = 2, depth = 1, seed = 1 } = options;
  if (width % heads !== 0) throw new Error(`heads: expected a divisor of ${width}, got ${heads}`);
  const layers = new Layers(options);
  const input = tf.input({ shape: [3] });
  const embeddingsInitializer = tf.initializers.randomNormal({ mean: 0, stddev: width ** -0.5, seed });
  const embedding = { inputDim: 2 * modulus + 1, outputDim: width, embeddingsInitializer };
  let x = apply(tf.layers.embedding({ name: "embedding", ...embedding }), input);
  const added = (branch: tf.SymbolicTensor, name: string) => {
    return apply(tf.layers.layerNormalization({ name }), apply(tf.layers.add(), [x, branch]));
  };
  for (let layer = 0; layer < depth; layer++) {
    const name = `l${layer}`;
    x = added(attention(layers, x, name, width, heads), `${name}_ln1`);
    const wide = relu(layers.dense(x, `${name}_up`, 4 * width));
    x = added(layers.dense(wide, `${name}_down`, width), `${name}_ln2`);
  }
  const pooled = apply(tf.layers.globalAveragePooling1d({}), x);
  return tf.model({ inputs: input, outputs: layers.dense(pooled, "fc", modulus, "softmax") });
}

/** Scaled dot-product attention of each head, side by side, then one dense layer. */
function attention(layers: Layers, x: tf.SymbolicTensor, name: string, width: number, heads: number) {
  const size = width / heads;
  const found = Array.from({ length: heads }, (_, head) => {
    const [query, key, value] = ["q", "k", "v"].map((part) =>
      layers.dense(x, `${name}h${head}_${part}`, size),
    );
    const products = apply(tf.layers.dot({ axes: [2, 2] }), [query, key] as tf.SymbolicTensor[]);
    const scaled = apply(tf.layers.rescaling({ scale: size ** -0.5 }), products);
    const shares = apply(tf.layers.softmax({ axis: -1 }), scaled);
    return apply(tf.layers.dot({ axes: [2, 1] }), [shares, value] as tf.SymbolicTensor[]);
  });
  const joined = found.length === 1 ? (found[0] as tf.SymbolicTensor) : apply(tf.layers.concatenate(), found);
  return layers.dense(joined, `${name}_out`, width);
}
