import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { trajectoryCallback } from "tfjs-landscape/callbacks";
import { loadMnist } from "../data/mnist.js";
import { seededUniform } from "../data/seeded-uniform.js";

/** An architecture of the study, and how it is trained. */
export interface StudyNetwork {
  readonly name: string;
  /** Creates the network; equal seeds give equal weights. */
  create(seed: number): tf.LayersModel;
  readonly optimizer: () => tf.Optimizer;
  /** What moves the bend of a curve between two of them. */
  readonly curve: { readonly optimizer: "adam" | "momentum"; readonly learningRate: number };
  readonly epochs: number;
  readonly batchSize: number;
  /** Training images, from the first on. */
  readonly images: number;
}

const { layers } = tf;
const initializer = (seed: number) => ({ kernelInitializer: tf.initializers.heNormal({ seed }) });

/** 784-512-512-512-10: 932,362 parameters. */
function createMlp(seed: number): tf.LayersModel {
  const dense = (layer: number) =>
    layers.dense({ units: 512, activation: "relu", ...initializer(1 + 10 * seed + layer) });
  return tf.sequential({
    layers: [
      layers.flatten({ inputShape: [28, 28, 1] }),
      dense(0),
      dense(1),
      dense(2),
      layers.dense({ units: 10, activation: "softmax", ...initializer(4 + 10 * seed) }),
    ],
  });
}

/** Two convolutions, two dense layers: 56,714 parameters. */
function createLeNet(seed: number): tf.LayersModel {
  const own = (layer: number) => initializer(1 + 10 * seed + layer);
  return tf.sequential({
    layers: [
      layers.conv2d({ filters: 16, kernelSize: 3, activation: "relu", inputShape: [28, 28, 1], ...own(0) }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 32, kernelSize: 3, activation: "relu", ...own(1) }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 64, activation: "relu", ...own(2) }),
      layers.dense({ units: 10, activation: "softmax", ...own(3) }),
    ],
  });
}

/** Three residual blocks of 8, 16 and 16 channels with batch normalization. */
function createResNet(seed: number): tf.LayersModel {
  let layer = 0;
  const apply = (one: tf.layers.Layer, ...x: tf.SymbolicTensor[]) =>
    one.apply(x.length === 1 ? x[0] : x) as tf.SymbolicTensor;
  const convolved = (x: tf.SymbolicTensor, filters: number, strides: number, kernelSize = 3) => {
    const own = { useBias: false, ...initializer(1 + 20 * seed + layer++) };
    const conv = layers.conv2d({ filters, kernelSize, strides, padding: "same", ...own });
    return apply(layers.batchNormalization(), apply(conv, x));
  };
  const input = tf.input({ shape: [28, 28, 1] });
  let x = apply(layers.reLU({}), convolved(input, 8, 2));
  for (const [filters, strides] of [
    [8, 1],
    [16, 2],
    [16, 1],
  ] as const) {
    const y = convolved(apply(layers.reLU({}), convolved(x, filters, strides)), filters, 1);
    const shortcut = filters === x.shape[3] ? x : convolved(x, filters, strides, 1);
    x = apply(layers.reLU({}), apply(layers.add(), y, shortcut));
  }
  const last = layers.dense({ units: 10, activation: "softmax", ...initializer(20 * seed) });
  return tf.model({ inputs: input, outputs: apply(last, apply(layers.globalAveragePooling2d({}), x)) });
}

const adam = {
  optimizer: () => tf.train.adam(0.001),
  curve: { optimizer: "adam", learningRate: 0.003 },
} as const;
const sgd = {
  optimizer: () => tf.train.momentum(0.05, 0.9),
  curve: { optimizer: "momentum", learningRate: 0.05 },
} as const;

/** The pairs of the study: each network is trained from two seeds. */
export function studyNetworks(quick: boolean): readonly StudyNetwork[] {
  const all: readonly StudyNetwork[] = [
    { name: "mlp-adam", create: createMlp, ...adam, epochs: 15, batchSize: 512, images: 60_000 },
    { name: "lenet-adam", create: createLeNet, ...adam, epochs: 8, batchSize: 128, images: 10_000 },
    { name: "lenet-sgd", create: createLeNet, ...sgd, epochs: 8, batchSize: 128, images: 10_000 },
    { name: "resnet-adam", create: createResNet, ...adam, epochs: 8, batchSize: 128, images: 10_000 },
    { name: "mlp-sgd", create: createMlp, ...sgd, epochs: 5, batchSize: 512, images: 60_000 },
  ];
  return quick ? all.slice(1, 2).map((one) => ({ ...one, epochs: 1, images: 300 })) : all;
}

/** Trains a network from a seed and records every epoch, if that has not been done; returns the run's directory. */
export async function trainOnce(network: StudyNetwork, seed: number, out: string): Promise<string> {
  const directory = join(out, `${network.name}-${seed}`);
  if (existsSync(join(directory, "trained"))) return directory;
  const { xs, ys } = loadMnist({ count: network.images });
  Math.random = seededUniform(seed);
  const model = network.create(seed);
  model.compile({ optimizer: network.optimizer(), loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const name = `${network.name}, seed ${seed}`;
  const begun = performance.now();
  await model.fit(xs, ys, {
    epochs: network.epochs,
    batchSize: network.batchSize,
    verbose: 0,
    callbacks: [trajectoryCallback({ directory, name, seed, overwrite: true })],
  });
  // Marks the run as complete.
  writeFileSync(join(directory, "trained"), String((performance.now() - begun) / 1000));
  tf.dispose([xs, ys]);
  model.dispose();
  return directory;
}
