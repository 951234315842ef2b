import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../src/backend/select-backend.js";
import { BackendError } from "../../src/base/errors.js";
import { expectClose } from "./expect-close.js";

/** What WebAssembly can train is asked here whatever backend the run is for; plain JavaScript is the judge. */
beforeAll(async () => {
  await selectBackend({ backend: "wasm" });
});

type Layers = () => tf.layers.Layer[];
const { layers } = tf;
const IMAGE = [9, 8, 3];
const SEQUENCE = [6, 4];

const MODELS: readonly (readonly [string, number[], Layers])[] = [
  [
    "Dense",
    [7],
    () => [layers.dense({ units: 6, activation: "tanh" }), layers.dense({ units: 4, activation: "relu" })],
  ],
  [
    "Dense, regularized",
    [7],
    () => [
      layers.dense({
        units: 6,
        activation: "elu",
        kernelRegularizer: tf.regularizers.l1l2({ l1: 0.01, l2: 0.01 }),
      }),
    ],
  ],
  [
    "Conv1D",
    SEQUENCE,
    () => [
      layers.conv1d({ filters: 5, kernelSize: 3, activation: "relu" }),
      layers.conv1d({ filters: 3, kernelSize: 2, strides: 2, padding: "same" }),
    ],
  ],
  [
    "Conv2D",
    IMAGE,
    () => [
      layers.conv2d({ filters: 5, kernelSize: [3, 2], activation: "relu" }),
      layers.conv2d({ filters: 3, kernelSize: 3, strides: 2, padding: "same" }),
    ],
  ],
  [
    "SeparableConv2D",
    IMAGE,
    () => [
      layers.separableConv2d({ filters: 5, kernelSize: 3, activation: "relu" }),
      layers.separableConv2d({ filters: 4, kernelSize: 2, strides: 2, padding: "same", depthMultiplier: 2 }),
    ],
  ],
  [
    "DepthwiseConv2D",
    IMAGE,
    () => [
      layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, activation: "relu" }),
      layers.depthwiseConv2d({ kernelSize: 2, strides: [2, 2], padding: "same" }),
    ],
  ],
  [
    "Conv2DTranspose",
    IMAGE,
    () => [
      layers.conv2dTranspose({ filters: 4, kernelSize: 3, strides: 2, activation: "relu" }),
      layers.conv2dTranspose({ filters: 3, kernelSize: 2, padding: "same" }),
    ],
  ],
  [
    "BatchNormalization",
    IMAGE,
    () => [layers.conv2d({ filters: 4, kernelSize: 3 }), layers.batchNormalization({ momentum: 0.5 })],
  ],
  ["LayerNormalization", SEQUENCE, () => [layers.dense({ units: 5 }), layers.layerNormalization()]],
  [
    "MaxPooling",
    IMAGE,
    () => [
      layers.conv2d({ filters: 4, kernelSize: 2 }),
      layers.maxPooling2d({ poolSize: 3, strides: 2, padding: "same" }),
      layers.maxPooling2d({ poolSize: 2 }),
    ],
  ],
  [
    "AveragePooling",
    IMAGE,
    () => [
      layers.conv2d({ filters: 4, kernelSize: 2 }),
      layers.averagePooling2d({ poolSize: 3, strides: 2 }),
    ],
  ],
  [
    "pooling of sequences",
    SEQUENCE,
    () => [
      layers.dense({ units: 4 }),
      layers.maxPooling1d({ poolSize: 2, strides: 1 }),
      layers.averagePooling1d({ poolSize: 2 }),
    ],
  ],
  [
    "GlobalMaxPooling",
    IMAGE,
    () => [layers.conv2d({ filters: 4, kernelSize: 2 }), layers.globalMaxPooling2d({})],
  ],
  [
    "GlobalAveragePooling",
    IMAGE,
    () => [layers.conv2d({ filters: 4, kernelSize: 2 }), layers.globalAveragePooling2d({})],
  ],
  ["Embedding", [5], () => [layers.embedding({ inputDim: 10, outputDim: 4 })]],
  [
    "Embedding with a mask before an LSTM",
    [5],
    () => [layers.embedding({ inputDim: 10, outputDim: 4, maskZero: true }), layers.lstm({ units: 3 })],
  ],
  ["LSTM", SEQUENCE, () => [layers.lstm({ units: 4, returnSequences: true }), layers.lstm({ units: 3 })]],
  ["GRU", SEQUENCE, () => [layers.gru({ units: 4, returnSequences: true }), layers.gru({ units: 3 })]],
  [
    "PReLU",
    IMAGE,
    () => [layers.conv2d({ filters: 4, kernelSize: 2 }), layers.prelu({ alphaInitializer: "ones" })],
  ],
  [
    "UpSampling2D",
    IMAGE,
    () => [
      layers.conv2d({ filters: 4, kernelSize: [3, 2] }),
      layers.upSampling2d({ size: [2, 2], interpolation: "bilinear" }),
    ],
  ],
];

/** A model that ends in two numbers, whatever the layers give. */
function build(shape: number[], hidden: Layers): tf.LayersModel {
  const input = tf.input({ shape });
  let y = input as tf.SymbolicTensor;
  for (const layer of hidden()) y = layer.apply(y) as tf.SymbolicTensor;
  if (y.shape.length > 2) y = layers.flatten().apply(y) as tf.SymbolicTensor;
  const model = tf.model({
    inputs: input,
    outputs: layers.dense({ units: 2 }).apply(y) as tf.SymbolicTensor,
  });
  model.compile({ optimizer: tf.train.sgd(0.02), loss: "meanSquaredError" });
  return model;
}

/** Six samples: whole numbers from 0 to 9 for an embedding, a wave otherwise. */
function samples(shape: number[], hidden: Layers): { xs: tf.Tensor; ys: tf.Tensor } {
  const isEmbedded = hidden()[0].getClassName() === "Embedding";
  const size = 6 * tf.util.sizeFromShape(shape);
  const xs = Float32Array.from({ length: size }, (_, i) => (isEmbedded ? (i * 7) % 10 : Math.sin(i * i + 1)));
  const ys = Float32Array.from({ length: 12 }, (_, i) => Math.cos(3 * i));
  return { xs: tf.tensor(xs, [6, ...shape]), ys: tf.tensor2d(ys, [6, 2]) };
}

/** Trains for some epochs of one batch from the given weights; returns the losses and the weights after the first. */
async function train(shape: number[], hidden: Layers, epochs: number, start?: Float32Array[]) {
  const model = build(shape, hidden);
  const initial = model.getWeights();
  if (start !== undefined) {
    const given = start.map((values, i) => tf.tensor(values, initial[i].shape));
    model.setWeights(given);
    tf.dispose(given);
  }
  const read = () => model.getWeights().map((weight) => weight.dataSync<"float32">().slice());
  const before = read();
  const { xs, ys } = samples(shape, hidden);
  const options = { batchSize: 6, shuffle: false, verbose: 0 };
  const first = await model.fit(xs, ys, { ...options, epochs: 1 });
  const after = read();
  const tensors = tf.memory().numTensors;
  const rest = epochs > 1 ? (await model.fit(xs, ys, { ...options, epochs: epochs - 1 })).history.loss : [];
  expect(tf.memory().numTensors).toBe(tensors);
  const losses = [...first.history.loss, ...rest] as number[];
  tf.dispose([xs, ys]);
  model.dispose();
  return { before, after, losses };
}

describe("training on WebAssembly", () => {
  it.each(MODELS)(
    "%s: the loss falls, and the first step is that of plain JavaScript",
    async (_name, shape, hidden) => {
      const here = await train(shape, hidden, 8);
      expect(here.losses[7]).toBeLessThan(here.losses[0]);
      await selectBackend({ backend: "js" });
      try {
        const there = await train(shape, hidden, 1, here.before);
        expect(here.losses[0]).toBeCloseTo(there.losses[0], 4);
        expect(here.after.length).toBe(there.after.length);
        here.after.forEach((weight, i) => {
          expectClose(weight, there.after[i], { absolute: 1e-4, relative: 0 });
        });
      } finally {
        await selectBackend({ backend: "wasm" });
      }
    },
  );

  it("says which kernel is missing, and what to do", () => {
    const a = tf.ones([2, 2]);
    const multiply = () => tf.einsum("ij,jk->ik", a, a);
    expect(multiply).toThrow(BackendError);
    expect(multiply).toThrow(
      'the "wasm" backend of TensorFlow.js: expected a kernel Einsum, got none; use @tensorflow/tfjs-node',
    );
    a.dispose();
  });
});
