import * as tf from "@tensorflow/tfjs";

/** A model, and the shape of its inputs. */
export interface SmallModel {
  readonly model: tf.LayersModel;
  readonly inputs: () => tf.Tensor[];
}

const { layers } = tf;

function classifier(
  input: tf.SymbolicTensor,
  x: tf.SymbolicTensor,
  make?: (shape: number[]) => tf.Tensor,
): SmallModel {
  const output = layers.dense({ units: 3, activation: "softmax" }).apply(x) as tf.SymbolicTensor;
  const model = tf.model({ inputs: input, outputs: output });
  randomize(model);
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const shape = [8, ...(input.shape.slice(1) as number[])];
  return {
    model,
    inputs: () => [(make ?? ((s: number[]) => tf.randomNormal(s, 0, 1, "float32", 3)))(shape)],
  };
}

/** Gives every weight random values: also biases, and moving statistics (variances above 0). */
function randomize(model: tf.LayersModel): void {
  model.weights.forEach((weight, i) => {
    const values = tf.randomNormal(weight.shape as number[], 0, 0.6, "float32", 100 + i);
    const isVariance = weight.originalName.includes("moving_variance");
    weight.write(isVariance ? tf.add(tf.square(values), 0.5) : values);
  });
}

const apply = (layer: tf.layers.Layer, ...x: tf.SymbolicTensor[]) =>
  layer.apply(x.length === 1 ? x[0] : x) as tf.SymbolicTensor;

/** Small classifiers with random weights, one for each kind of layer that has units, or moves them. */
export const SMALL_MODELS: Readonly<Record<string, () => SmallModel>> = {
  dense() {
    const input = tf.input({ shape: [4] });
    const a = apply(layers.dense({ units: 6, activation: "relu" }), input);
    return classifier(input, apply(layers.dense({ units: 5, activation: "tanh", useBias: false }), a));
  },
  "conv2d, batch norm and flatten": () => {
    const input = tf.input({ shape: [7, 7, 2] });
    const conv = apply(layers.conv2d({ filters: 5, kernelSize: 3 }), input);
    const norm = apply(layers.activation({ activation: "relu" }), apply(layers.batchNormalization(), conv));
    return classifier(input, apply(layers.flatten(), apply(layers.maxPooling2d({ poolSize: 2 }), norm)));
  },
  "conv1d and prelu": () => {
    const input = tf.input({ shape: [9, 2] });
    const conv = apply(layers.conv1d({ filters: 4, kernelSize: 3 }), input);
    const prelu = apply(layers.prelu({ sharedAxes: [1] }), conv);
    return classifier(input, apply(layers.globalAveragePooling1d({}), prelu));
  },
  "depthwise convolution": () => {
    const input = tf.input({ shape: [6, 6, 2] });
    const conv = apply(layers.conv2d({ filters: 4, kernelSize: 1, activation: "tanh" }), input);
    const depthwise = apply(layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2 }), conv);
    return classifier(input, apply(layers.flatten(), depthwise));
  },
  "separable convolution": () => {
    const input = tf.input({ shape: [6, 6, 2] });
    const conv = apply(layers.conv2d({ filters: 4, kernelSize: 1, activation: "tanh" }), input);
    const separable = layers.separableConv2d({ filters: 5, kernelSize: 3, depthMultiplier: 2 });
    return classifier(input, apply(layers.globalMaxPooling2d({}), apply(separable, conv)));
  },
  "transposed convolution and upsampling": () => {
    const input = tf.input({ shape: [4, 4, 2] });
    const conv = apply(layers.conv2dTranspose({ filters: 4, kernelSize: 2, activation: "relu" }), input);
    const up = apply(layers.upSampling2d({}), conv);
    return classifier(
      input,
      apply(layers.flatten(), apply(layers.conv2d({ filters: 3, kernelSize: 3 }), up)),
    );
  },
  "layer norm and a dense layer along time": () => {
    const input = tf.input({ shape: [5, 3] });
    const dense = apply(layers.dense({ units: 6, activation: "relu" }), input);
    const norm = apply(layers.layerNormalization(), dense);
    const inner = layers.dense({ units: 4, activation: "tanh" });
    return classifier(input, apply(layers.flatten(), apply(layers.timeDistributed({ layer: inner }), norm)));
  },
  concatenate() {
    const input = tf.input({ shape: [4] });
    const a = apply(layers.dense({ units: 5, activation: "relu" }), input);
    const b = apply(layers.dense({ units: 3, activation: "tanh" }), a);
    return classifier(input, apply(layers.concatenate(), a, b, a));
  },
  "sums that cross": () => {
    const input = tf.input({ shape: [4] });
    const whole = apply(layers.dense({ units: 8, activation: "relu" }), input);
    const parts = [3, 5].map((units) => apply(layers.dense({ units, activation: "tanh" }), input));
    return classifier(input, apply(layers.add(), whole, apply(layers.concatenate(), ...parts)));
  },
  "a residual network": () => {
    const input = tf.input({ shape: [8, 8, 2] });
    let x = apply(layers.conv2d({ filters: 4, kernelSize: 3, padding: "same", useBias: false }), input);
    x = apply(layers.reLU({}), apply(layers.batchNormalization(), x));
    for (const [filters, strides] of [
      [4, 1],
      [6, 2],
    ]) {
      const conv = (stride: number) =>
        layers.conv2d({ filters, kernelSize: 3, strides: stride, padding: "same", useBias: false });
      let y = apply(layers.reLU({}), apply(layers.batchNormalization(), apply(conv(strides), x)));
      y = apply(layers.batchNormalization(), apply(conv(1), y));
      const shortcut =
        strides === 1 ? x : apply(layers.conv2d({ filters, kernelSize: 1, strides, useBias: false }), x);
      x = apply(layers.reLU({}), apply(layers.add(), y, shortcut));
    }
    return classifier(input, apply(layers.globalAveragePooling2d({}), x));
  },
  "embedding and gru": () => {
    const input = tf.input({ shape: [6] });
    const words = apply(layers.embedding({ inputDim: 7, outputDim: 4 }), input);
    return classifier(input, apply(layers.gru({ units: 5 }), words), (shape) =>
      tf.randomUniform(shape, 0, 7, "int32", 3),
    );
  },
  "lstm that returns sequences, both ways": () => {
    const input = tf.input({ shape: [5, 3] });
    const lstm = apply(layers.lstm({ units: 4, returnSequences: true }), input);
    const both = layers.bidirectional({ layer: layers.lstm({ units: 3 }), mergeMode: "concat" });
    return classifier(input, apply(both, lstm));
  },
  "a shared layer and a nested model": () => {
    const input = tf.input({ shape: [4] });
    const shared = layers.dense({ units: 4, activation: "relu" });
    const inner = tf.sequential({
      layers: [layers.dense({ units: 4, activation: "tanh", inputShape: [4] })],
    });
    const a = apply(shared, apply(layers.dense({ units: 4, activation: "tanh" }), input));
    return classifier(input, apply(inner as unknown as tf.layers.Layer, apply(shared, a)));
  },
  "reshape and squeeze-and-excitation": () => {
    const input = tf.input({ shape: [6, 6, 2] });
    const conv = apply(layers.conv2d({ filters: 4, kernelSize: 3, activation: "relu" }), input);
    const squeezed = apply(layers.globalAveragePooling2d({}), conv);
    const gates = apply(layers.dense({ units: 4, activation: "sigmoid" }), squeezed);
    const scaled = apply(layers.multiply(), conv, apply(layers.reshape({ targetShape: [1, 1, 4] }), gates));
    return classifier(input, apply(layers.reshape({ targetShape: [64] }), scaled));
  },
};
