import * as tf from "@tensorflow/tfjs";

/** What every network of this folder can be given. */
export interface NetworkOptions {
  /** Seed of the initial weights: equal seeds give equal weights on every backend. Default 1. */
  readonly seed?: number;
  /** Weight decay λ of the kernels, as the penalty λ/2·‖w‖² in the loss. Default 0: no penalty. */
  readonly weightDecay?: number;
  /** Number of classes. Default 10. */
  readonly classes?: number;
  /** Shape of one image, channels last. Default as the network was published. */
  readonly shape?: readonly [number, number, number];
}

/** A strided or padded convolution, as PyTorch and the papers count its options. */
interface ConvolutionOptions {
  readonly size?: number;
  readonly strides?: number;
  readonly useBias?: boolean;
}

/** Layers with seeded He initialisation, each applied to a tensor of the graph. */
export class Layers {
  readonly #seed: number;
  readonly #weightDecay: number;
  #used = 0;

  constructor({ seed = 1, weightDecay = 0 }: NetworkOptions) {
    this.#seed = seed;
    this.#weightDecay = weightDecay;
  }

  /** Kernel settings of the next layer: He et al. 2015 (normal, fan in), with a seed of its own. */
  kernel() {
    const kernelInitializer = tf.initializers.heNormal({ seed: 1000 * this.#seed + this.#used++ });
    if (this.#weightDecay === 0) return { kernelInitializer };
    return { kernelInitializer, kernelRegularizer: tf.regularizers.l2({ l2: this.#weightDecay / 2 }) };
  }

  /**
   * Convolution that keeps height and width at stride 1. Strided ones pad alike on all sides, as PyTorch does;
   * "same" of TensorFlow.js would pad the far sides only.
   */
  conv(x: tf.SymbolicTensor, name: string, filters: number, options: ConvolutionOptions = {}) {
    const { size = 3, strides = 1, useBias = false } = options;
    const isPadded = strides > 1 && size > 1;
    const source = isPadded ? apply(tf.layers.zeroPadding2d({ padding: (size - 1) / 2 }), x) : x;
    const padding = isPadded ? "valid" : "same";
    const settings = { filters, kernelSize: size, strides, padding, useBias, ...this.kernel() } as const;
    return apply(tf.layers.conv2d({ name, ...settings }), source);
  }

  /**
   * Batch normalization as PyTorch has it, and with it the papers: ε 1e-5, and moving statistics that keep 90 % at each
   * update (99 % in TensorFlow.js, which lag behind in short trainings). `scale` is the initial γ.
   */
  norm(x: tf.SymbolicTensor, name: string, scale = 1) {
    const gammaInitializer = tf.initializers.constant({ value: scale });
    return apply(tf.layers.batchNormalization({ name, epsilon: 1e-5, momentum: 0.9, gammaInitializer }), x);
  }

  dense(x: tf.SymbolicTensor, name: string, units: number, activation?: "relu" | "softmax") {
    const settings = { units, ...this.kernel(), ...(activation === undefined ? {} : { activation }) };
    return apply(tf.layers.dense({ name, ...settings }), x);
  }
}

/** Applies a layer to one tensor of the graph, or to several. */
export function apply(layer: tf.layers.Layer, x: tf.SymbolicTensor | tf.SymbolicTensor[]) {
  return layer.apply(x) as tf.SymbolicTensor;
}

export function relu(x: tf.SymbolicTensor) {
  return apply(tf.layers.reLU(), x);
}
