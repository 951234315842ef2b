import * as tf from "@tensorflow/tfjs";
import type { TensorData } from "../../../src/loss/evaluation-data.js";

/** A compiled model and data for it. */
export interface ZooCase {
  readonly name: string;
  /** Whether the loss has a form from logits. */
  readonly hasLogits: boolean;
  make(): { readonly model: tf.LayersModel; readonly data: TensorData };
}

const SAMPLES = 37;

let seed = 0;
const init = () => tf.initializers.glorotNormal({ seed: ++seed });
const noise = (stddev = 0.2, mean = 0) => tf.initializers.randomNormal({ mean, stddev, seed: ++seed });

function classData(shape: readonly number[], classes: number, sparse = false): TensorData {
  const xs = tf.randomNormal([SAMPLES, ...shape], 0, 1, "float32", 11);
  const labels = tf.randomUniform([SAMPLES], 0, classes, "int32", 12);
  const ys = sparse ? labels.cast("float32").expandDims(1) : tf.oneHot(labels, classes).cast("float32");
  return { xs, ys };
}

function compiled(model: tf.LayersModel, loss: string, metrics: string[] = ["accuracy"]): tf.LayersModel {
  model.compile({ optimizer: "sgd", loss, metrics });
  return model;
}

const dense = (units: number, activation?: string, name?: string) =>
  tf.layers.dense({
    units,
    kernelInitializer: init(),
    biasInitializer: noise(),
    ...(activation === undefined ? {} : { activation: activation as "relu" }),
    ...(name === undefined ? {} : { name }),
  });

const conv = (filters: number, options: Partial<Parameters<typeof tf.layers.conv2d>[0]> = {}) =>
  tf.layers.conv2d({
    filters,
    kernelSize: 3,
    kernelInitializer: init(),
    biasInitializer: noise(),
    ...options,
  });

const batchNorm = () =>
  tf.layers.batchNormalization({
    gammaInitializer: noise(0.3, 1),
    betaInitializer: noise(),
    movingMeanInitializer: noise(),
    movingVarianceInitializer: noise(0.1, 1),
  });

function mlp(activation: string, shape: number[] = [20]): tf.Sequential {
  const layers = shape.length > 1 ? [tf.layers.flatten({ inputShape: shape })] : [];
  const first = tf.layers.dense({
    units: 16,
    activation: activation as "relu",
    kernelInitializer: init(),
    biasInitializer: noise(),
    ...(shape.length > 1 ? {} : { inputShape: shape }),
  });
  return tf.sequential({
    layers: [...layers, first, tf.layers.dropout({ rate: 0.5 }), dense(8, activation)],
  });
}

function withEnd(model: tf.Sequential, ...layers: tf.layers.Layer[]): tf.Sequential {
  for (const layer of layers) model.add(layer);
  return model;
}

/** Ends of networks: loss, activation of the last layer, form of the targets. */
const regression = (loss: string): ZooCase => ({
  name: `mlp, ${loss}`,
  hasLogits: false,
  make: () => ({
    model: compiled(withEnd(mlp("tanh"), dense(3, "sigmoid")), loss, ["mse", "mae"]),
    data: {
      xs: tf.randomNormal([SAMPLES, 20], 0, 1, "float32", 3),
      ys: tf.randomUniform([SAMPLES, 3], 0, 1, "float32", 4),
    },
  }),
});

const activated = (activation: string): ZooCase => ({
  name: `mlp, ${activation}`,
  hasLogits: true,
  make: () => ({
    model: compiled(withEnd(mlp(activation, [4, 5, 2]), dense(5, "softmax")), "categoricalCrossentropy"),
    data: classData([4, 5, 2], 5),
  }),
});

function lenet(): tf.LayersModel {
  return tf.sequential({
    layers: [
      conv(6, { inputShape: [12, 12, 1], activation: "relu" }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      conv(8, { activation: "relu" }),
      tf.layers.averagePooling2d({ poolSize: 2, strides: 1, padding: "same" }),
      tf.layers.flatten(),
      dense(16, "relu"),
      dense(10, "softmax"),
    ],
  });
}

function residualBlock(x: tf.SymbolicTensor, filters: number, strides: number): tf.SymbolicTensor {
  const through = (layer: tf.layers.Layer, value: tf.SymbolicTensor) =>
    layer.apply(value) as tf.SymbolicTensor;
  const options = { padding: "same" as const, useBias: false };
  let y = through(conv(filters, { ...options, strides }), x);
  y = through(tf.layers.activation({ activation: "relu" }), through(batchNorm(), y));
  y = through(batchNorm(), through(conv(filters, options), y));
  const isSame = strides === 1 && x.shape[3] === filters;
  const short = isSame
    ? x
    : through(batchNorm(), through(conv(filters, { ...options, kernelSize: 1, strides }), x));
  return through(tf.layers.reLU(), tf.layers.add().apply([y, short]) as tf.SymbolicTensor);
}

/** ResNet of 6n + 2 layers in CIFAR shape, with projections where the size changes. */
export function resnet(n: number, size: number, width: number): tf.LayersModel {
  const input = tf.input({ shape: [size, size, 3] });
  let x = conv(width, { padding: "same", useBias: false }).apply(input) as tf.SymbolicTensor;
  x = tf.layers.reLU().apply(batchNorm().apply(x)) as tf.SymbolicTensor;
  [width, 2 * width, 4 * width].forEach((filters, stage) => {
    for (let block = 0; block < n; block++) {
      x = residualBlock(x, filters, stage > 0 && block === 0 ? 2 : 1);
    }
  });
  x = tf.layers.globalAveragePooling2d({}).apply(x) as tf.SymbolicTensor;
  return tf.model({ inputs: input, outputs: dense(10, "softmax").apply(x) as tf.SymbolicTensor });
}

/** Images of which some rows and columns reach no output; padding before strided convolutions; a branch. */
function trimmed(): tf.LayersModel {
  const input = tf.input({ shape: [23, 20, 2] });
  const through = (layer: tf.layers.Layer, value: tf.SymbolicTensor) =>
    layer.apply(value) as tf.SymbolicTensor;
  const padded = through(tf.layers.zeroPadding2d({ padding: 1 }), input);
  let x = through(conv(4, { strides: 2, activation: "relu" }), padded);
  const left = through(batchNorm(), through(conv(3, { kernelSize: 2 }), x));
  const right = through(conv(3, { kernelSize: 2, activation: "tanh" }), x);
  x = tf.layers.add().apply([left, right]) as tf.SymbolicTensor;
  x = through(tf.layers.maxPooling2d({ poolSize: 3, strides: 3 }), x);
  x = through(conv(4, { kernelSize: [1, 2], strides: 2 }), x);
  const output = through(dense(3, "softmax"), through(tf.layers.flatten(), x));
  return tf.model({ inputs: input, outputs: output });
}

function separable(): tf.LayersModel {
  return tf.sequential({
    layers: [
      tf.layers.zeroPadding2d({
        inputShape: [9, 11, 3],
        padding: [
          [0, 1],
          [2, 1],
        ],
      }),
      tf.layers.separableConv2d({
        filters: 7,
        kernelSize: [3, 2],
        depthMultiplier: 2,
        padding: "same",
        strides: 2,
        depthwiseInitializer: init(),
        pointwiseInitializer: init(),
        biasInitializer: noise(),
      }),
      batchNorm(),
      tf.layers.leakyReLU({ alpha: 0.1 }),
      tf.layers.depthwiseConv2d({
        kernelSize: 3,
        depthMultiplier: 2,
        padding: "same",
        depthwiseInitializer: init(),
        biasInitializer: noise(),
      }),
      batchNorm(),
      tf.layers.prelu({ alphaInitializer: noise(), sharedAxes: [1, 2] }),
      tf.layers.globalMaxPooling2d({}),
      dense(4),
      tf.layers.softmax(),
    ],
  });
}

function sequence(): tf.LayersModel {
  const step = { kernelInitializer: init(), biasInitializer: noise() };
  return tf.sequential({
    layers: [
      tf.layers.conv1d({ ...step, inputShape: [14, 3], filters: 6, kernelSize: 3, dilationRate: 2 }),
      batchNorm(),
      tf.layers.reLU({ maxValue: 1 }),
      tf.layers.maxPooling1d({ poolSize: 2 }),
      tf.layers.conv1d({ ...step, filters: 5, kernelSize: 3, padding: "same", activation: "elu" }),
      tf.layers.layerNormalization({ gammaInitializer: noise(0.2, 1), betaInitializer: noise() }),
      dense(4, "relu6"),
      tf.layers.globalAveragePooling1d(),
      dense(3, "softmax"),
    ],
  });
}

function multiInput(): { model: tf.LayersModel; data: TensorData } {
  const image = tf.input({ shape: [8, 8, 2], name: `image${++seed}` });
  const vector = tf.input({ shape: [6], name: `vector${++seed}` });
  const shared = dense(5, "tanh");
  const left = conv(5, { strides: 2, padding: "same" }).apply(image) as tf.SymbolicTensor;
  const right = conv(5, { strides: 2, padding: "same", dilationRate: 1 }).apply(image) as tf.SymbolicTensor;
  const merged = tf.layers
    .concatenate()
    .apply([
      tf.layers.average().apply([left, right]),
      tf.layers.multiply().apply([left, right]),
      tf.layers.maximum().apply([left, right]),
      tf.layers.minimum().apply([left, right]),
    ] as tf.SymbolicTensor[]) as tf.SymbolicTensor;
  const turned = tf.layers.permute({ dims: [3, 1, 2] }).apply(batchNorm().apply(merged)) as tf.SymbolicTensor;
  const flat = dense(6).apply(tf.layers.flatten().apply(turned)) as tf.SymbolicTensor;
  const inner = tf.sequential({
    layers: [tf.layers.dense({ units: 6, inputShape: [6], activation: "selu" })],
  });
  const a = shared.apply(flat) as tf.SymbolicTensor;
  const b = shared.apply(inner.apply(vector) as tf.SymbolicTensor) as tf.SymbolicTensor;
  const sum = tf.layers.add().apply([a, b]) as tf.SymbolicTensor;
  const nested = tf.sequential({
    layers: [tf.layers.dense({ units: 4, inputShape: [5] }), tf.layers.softmax()],
  });
  const classes = nested.apply(sum) as tf.SymbolicTensor;
  const yes = dense(1, "sigmoid").apply(sum) as tf.SymbolicTensor;
  const model = tf.model({ inputs: [image, vector], outputs: [classes, yes] });
  model.compile({
    optimizer: "sgd",
    loss: ["categoricalCrossentropy", "binaryCrossentropy"],
    metrics: ["accuracy"],
  });
  const xs = [
    tf.randomNormal([SAMPLES, 8, 8, 2], 0, 1, "float32", 5),
    tf.randomNormal([SAMPLES, 6], 0, 1, "float32", 6),
  ];
  const { ys } = classData([1], 4);
  const labels = tf.randomUniform([SAMPLES, 1], 0, 2, "int32", 8).cast("float32");
  return { model, data: { xs, ys: [ys as tf.Tensor, labels] } };
}

/** Models over the layers, activations and losses that the plan knows. */
export const zoo: readonly ZooCase[] = [
  ...["relu", "tanh", "sigmoid", "elu", "selu", "softplus", "softsign", "hardSigmoid", "swish", "mish"].map(
    activated,
  ),
  ...["gelu", "gelu_new"].map(activated),
  ...[
    "meanSquaredError",
    "meanAbsoluteError",
    "meanAbsolutePercentageError",
    "meanSquaredLogarithmicError",
    "squaredHinge",
    "hinge",
    "categoricalHinge",
    "logcosh",
    "kullbackLeiblerDivergence",
    "poisson",
    "cosineProximity",
  ].map(regression),
  {
    name: "mlp, sparse labels",
    hasLogits: true,
    make: () => ({
      model: compiled(withEnd(mlp("relu"), dense(6, "softmax")), "sparseCategoricalCrossentropy", ["acc"]),
      data: classData([20], 6, true),
    }),
  },
  {
    name: "lenet",
    hasLogits: true,
    make: () => ({ model: compiled(lenet(), "categoricalCrossentropy"), data: classData([12, 12, 1], 10) }),
  },
  {
    name: "resnet-8",
    hasLogits: true,
    make: () => ({
      model: compiled(resnet(1, 16, 4), "categoricalCrossentropy"),
      data: classData([16, 16, 3], 10),
    }),
  },
  {
    name: "padding, strides, cut images",
    hasLogits: true,
    make: () => ({
      model: compiled(trimmed(), "categoricalCrossentropy"),
      data: classData([23, 20, 2], 3),
    }),
  },
  {
    name: "separable, depthwise, prelu",
    hasLogits: true,
    make: () => ({ model: compiled(separable(), "categoricalCrossentropy"), data: classData([9, 11, 3], 4) }),
  },
  {
    name: "sequence",
    hasLogits: true,
    make: () => ({ model: compiled(sequence(), "categoricalCrossentropy"), data: classData([14, 3], 3) }),
  },
  { name: "two inputs, two outputs, shared and nested layers", hasLogits: true, make: multiInput },
];
