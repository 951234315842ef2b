import * as tf from "@tensorflow/tfjs";

/** A matrix of golden values: loss[i][j] with i over alpha. */
export interface GoldenValues {
  readonly loss: number[][];
  readonly acc: number[][];
}

/** Flattens golden values, rows over alpha, into the project's order: rows over beta, columns over alpha. */
export function transposed(values: readonly (readonly number[])[]): number[] {
  return (values[0] ?? []).flatMap((_, j) => values.map((row) => row[j] as number));
}

/** The 4-5-3 network of d_mlp.json. */
export function goldenMlp(activation: "tanh" | "relu"): tf.LayersModel {
  const model = tf.sequential();
  model.add(tf.layers.dense({ inputShape: [4], units: 5, activation }));
  model.add(tf.layers.dense({ units: 3, activation: "softmax" }));
  model.compile({ optimizer: "sgd", loss: "sparseCategoricalCrossentropy", metrics: ["accuracy"] });
  return model;
}

/** The convolutional network with batch normalization of f_cnn_bn.json. */
export function goldenCnn(epsilon: number): tf.LayersModel {
  const model = tf.sequential();
  model.add(tf.layers.conv2d({ inputShape: [8, 8, 2], filters: 4, kernelSize: 3 }));
  model.add(tf.layers.batchNormalization({ epsilon }));
  model.add(tf.layers.activation({ activation: "relu" }));
  model.add(tf.layers.maxPooling2d({ poolSize: 2 }));
  model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: 3, activation: "softmax" }));
  model.compile({ optimizer: "sgd", loss: "sparseCategoricalCrossentropy", metrics: ["accuracy"] });
  return model;
}
