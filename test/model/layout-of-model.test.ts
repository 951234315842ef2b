import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { LayoutError } from "../../src/base/errors.js";
import type { Parameter, ParameterLayout } from "../../src/model/layout.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { useTestBackend } from "../support/backend.js";

const { layers } = tf;

beforeAll(async () => {
  await useTestBackend();
});

/** Weight as one line: "kernel [3,2] kernel axes 1". */
function line({ name, shape, role, filterAxes }: Parameter): string {
  const axes = filterAxes === null ? "no axes" : `axes ${filterAxes.join(",")}`;
  return `${name.slice(name.lastIndexOf("/") + 1)} [${shape.join(",")}] ${role} ${axes}`;
}

function lines(layout: ParameterLayout): string[] {
  return layout.parameters.map(line);
}

/** Input shape without the batch, the layer, and its weights as they should be described. */
const cases: [string, number[], () => tf.layers.Layer, string[]][] = [
  ["Dense", [3], () => layers.dense({ units: 2 }), ["kernel [3,2] kernel axes 1", "bias [2] bias no axes"]],
  [
    "Conv1D",
    [6, 3],
    () => layers.conv1d({ filters: 4, kernelSize: 2 }),
    ["kernel [2,3,4] kernel axes 2", "bias [4] bias no axes"],
  ],
  [
    "Conv2D",
    [6, 6, 3],
    () => layers.conv2d({ filters: 4, kernelSize: [2, 1] }),
    ["kernel [2,1,3,4] kernel axes 3", "bias [4] bias no axes"],
  ],
  [
    "Conv3D",
    [4, 4, 4, 3],
    () => layers.conv3d({ filters: 5, kernelSize: 2 }),
    ["kernel [2,2,2,3,5] kernel axes 4", "bias [5] bias no axes"],
  ],
  [
    "Conv2DTranspose",
    [6, 6, 3],
    () => layers.conv2dTranspose({ filters: 4, kernelSize: 2 }),
    ["kernel [2,2,4,3] kernel axes 2", "bias [4] bias no axes"],
  ],
  [
    "Conv3DTranspose",
    [4, 4, 4, 3],
    () => layers.conv3dTranspose({ filters: 5, kernelSize: 2 }),
    ["kernel [2,2,2,5,3] kernel axes 3", "bias [5] bias no axes"],
  ],
  [
    "DepthwiseConv2D",
    [6, 6, 3],
    () => layers.depthwiseConv2d({ kernelSize: 2, depthMultiplier: 2 }),
    ["depthwise_kernel [2,2,3,2] kernel axes 2,3", "bias [6] bias no axes"],
  ],
  [
    "SeparableConv2D",
    [6, 6, 3],
    () => layers.separableConv2d({ filters: 5, kernelSize: 2, depthMultiplier: 2 }),
    [
      "depthwise_kernel [2,2,3,2] kernel axes 2,3",
      "pointwise_kernel [1,1,6,5] kernel axes 3",
      "bias [5] bias no axes",
    ],
  ],
  [
    "LSTM",
    [4, 3],
    () => layers.lstm({ units: 2 }),
    ["kernel [3,8] kernel axes 1", "recurrent_kernel [2,8] kernel axes 1", "bias [8] bias no axes"],
  ],
  [
    "GRU",
    [4, 3],
    () => layers.gru({ units: 2 }),
    ["kernel [3,6] kernel axes 1", "recurrent_kernel [2,6] kernel axes 1", "bias [6] bias no axes"],
  ],
  [
    "SimpleRNN",
    [4, 3],
    () => layers.simpleRNN({ units: 2 }),
    ["kernel [3,2] kernel axes 1", "recurrent_kernel [2,2] kernel axes 1", "bias [2] bias no axes"],
  ],
  [
    "GRUCell",
    [4, 3],
    () => layers.rnn({ cell: layers.gruCell({ units: 2 }) }) as tf.layers.Layer,
    ["kernel [3,6] kernel axes 1", "recurrent_kernel [2,6] kernel axes 1", "bias [6] bias no axes"],
  ],
  [
    "ConvLSTM2D",
    [4, 5, 5, 1],
    () => layers.convLstm2d({ filters: 2, kernelSize: 2 }) as tf.layers.Layer,
    ["kernel [2,2,1,8] kernel axes 3", "recurrent_kernel [2,2,2,8] kernel axes 3", "bias [8] bias no axes"],
  ],
  [
    "Embedding",
    [4],
    () => layers.embedding({ inputDim: 7, outputDim: 2 }),
    ["embeddings [7,2] kernel axes 0"],
  ],
  [
    "BatchNormalization",
    [3],
    () => layers.batchNormalization(),
    [
      "gamma [3] scale no axes",
      "beta [3] offset no axes",
      "moving_mean [3] state no axes",
      "moving_variance [3] state no axes",
    ],
  ],
  [
    "LayerNormalization",
    [4, 3],
    () => layers.layerNormalization({ axis: [1, 2] }),
    ["gamma [4,3] scale no axes", "beta [4,3] offset no axes"],
  ],
  ["PReLU", [4, 3], () => layers.prelu() as tf.layers.Layer, ["alpha [4,3] scale no axes"]],
];

describe("roles and filter axes by layer type", () => {
  test.each(cases)("%s", (type, inputShape, make, expected) => {
    const input = tf.input({ shape: inputShape });
    const model = tf.model({ inputs: input, outputs: make().apply(input) as tf.SymbolicTensor });
    const layout = layoutOfModel(model);
    expect(lines(layout)).toEqual(expected);
    expect(new Set(layout.parameters.map((p) => p.layerType))).toEqual(new Set([type]));
  });

  test("a wrapper's weights are those of the layer inside", () => {
    const model = tf.sequential({
      layers: [
        layers.bidirectional({
          layer: layers.lstm({ units: 2, returnSequences: true }) as tf.RNN,
          inputShape: [4, 3],
        }),
        layers.timeDistributed({ layer: layers.dense({ units: 5 }) }),
        layers.rnn({
          cell: [layers.lstmCell({ units: 2 }), layers.gruCell({ units: 3 })],
        }) as tf.layers.Layer,
      ],
    });
    const layout = layoutOfModel(model);
    expect(layout.parameters.map((p) => p.key)).toEqual([
      "0/LSTM/kernel",
      "0/LSTM/recurrent_kernel",
      "0/LSTM/bias",
      "1/LSTM/kernel",
      "1/LSTM/recurrent_kernel",
      "1/LSTM/bias",
      "2/Dense/kernel",
      "2/Dense/bias",
      "3/LSTMCell/kernel",
      "3/LSTMCell/recurrent_kernel",
      "3/LSTMCell/bias",
      "4/GRUCell/kernel",
      "4/GRUCell/recurrent_kernel",
      "4/GRUCell/bias",
    ]);
    expect(layout.parameters.filter((p) => p.role === "kernel")).toHaveLength(9);
  });

  test("a custom layer's weights are other, even ones with the name of a kernel", () => {
    const model = tf.sequential({ layers: [new Projection({ inputShape: [3] })] });
    expect(lines(layoutOfModel(model))).toEqual(["kernel [3,2] other no axes", "count [] other no axes"]);
  });

  test("describe says what a custom layer's weights are", () => {
    const model = tf.sequential({ layers: [new Projection({ inputShape: [3] })] });
    const describeKernel = ({ shape }: Parameter) =>
      shape.length === 2 ? ({ role: "kernel", filterAxes: [1] } as const) : undefined;
    expect(line(layoutOfModel(model, { describe: describeKernel }).parameters[0] as Parameter)).toBe(
      "kernel [3,2] kernel axes 1",
    );
    const wrongAxes = () => ({ filterAxes: [2] });
    expect(() => layoutOfModel(model, { describe: wrongAxes })).toThrow(
      /distinct axes below 2, or null, got \[2\]/,
    );
  });
});

describe("order and offsets", () => {
  test("trainable first, then the others, without gaps", () => {
    const layout = layoutOfModel(withBatchNorm());
    expect(lines(layout).map((text) => text.split(" ")[0])).toEqual([
      "kernel",
      "bias",
      "gamma",
      "beta",
      "kernel",
      "bias",
      "moving_mean",
      "moving_variance",
    ]);
    let offset = 0;
    for (const parameter of layout.parameters) {
      expect(parameter.offset).toBe(offset);
      offset += parameter.size;
    }
    expect(layout.parameterCount).toBe(offset);
    expect(layout.trainableCount).toBe(offset - 8);
  });

  test("a frozen layer's weights move to the end and keep their keys", () => {
    const model = withBatchNorm();
    const before = layoutOfModel(model);
    (model.layers[0] as tf.layers.Layer).trainable = false;
    const after = layoutOfModel(model);
    expect(after.parameters.map((p) => p.key).slice(-4)).toEqual([
      "0/Dense/kernel",
      "0/Dense/bias",
      "1/BatchNormalization/moving_mean",
      "1/BatchNormalization/moving_variance",
    ]);
    expect(new Set(after.parameters.map((p) => p.key))).toEqual(new Set(before.parameters.map((p) => p.key)));
    expect(after.trainableCount).toBe(before.trainableCount - 16);
    expect(after.digest).not.toBe(before.digest);
  });

  test("select leaves weights out and closes the gaps", () => {
    const layout = layoutOfModel(withBatchNorm(), { select: ({ role }) => role === "kernel" });
    expect(lines(layout)).toEqual(["kernel [3,4] kernel axes 1", "kernel [4,2] kernel axes 1"]);
    expect(layout.parameters.map((p) => p.offset)).toEqual([0, 12]);
    expect(layout.parameterCount).toBe(20);
  });
});

describe("models in models", () => {
  test("a shared layer counts once, inside a nested model and outside", () => {
    const shared = layers.dense({ units: 3 });
    const inner = tf.sequential({ layers: [layers.dense({ units: 3, inputShape: [3] })] });
    const [a, b] = [tf.input({ shape: [3] }), tf.input({ shape: [3] })];
    const deep = tf.input({ shape: [3] });
    const nested = tf.model({ inputs: deep, outputs: shared.apply(deep) as tf.SymbolicTensor });
    const outputs = layers
      .concatenate()
      .apply([shared.apply(a), inner.apply(b), nested.apply(b)] as tf.SymbolicTensor[]);
    const model = tf.model({ inputs: [a, b], outputs: outputs as tf.SymbolicTensor });
    const layout = layoutOfModel(model);
    expect(layout.parameterCount).toBe(2 * (9 + 3));
    expect(lines(layout)).toEqual([
      "kernel [3,3] kernel axes 1",
      "bias [3] bias no axes",
      "kernel [3,3] kernel axes 1",
      "bias [3] bias no axes",
    ]);
  });

  test("two nested models with the same layer names do not collide", () => {
    const part = (name: string) =>
      tf.sequential({ name, layers: [layers.dense({ units: 2, inputShape: [3], name: "same" })] });
    const input = tf.input({ shape: [3] });
    const outputs = [part("left"), part("right")].map((m) => m.apply(input) as tf.SymbolicTensor);
    const layout = layoutOfModel(tf.model({ inputs: input, outputs }));
    expect(new Set(layout.parameters.map((p) => p.name)).size).toBe(4);
    expect(layout.parameters.map((p) => p.key)).toEqual([
      "0/Dense/kernel",
      "0/Dense/bias",
      "1/Dense/kernel",
      "1/Dense/bias",
    ]);
  });
});

describe("digest", () => {
  test("the same architecture built twice has other names and the same digest", () => {
    const [a, b] = [layoutOfModel(withBatchNorm()), layoutOfModel(withBatchNorm())];
    expect(a.parameters.map((p) => p.name)).not.toEqual(b.parameters.map((p) => p.name));
    expect(a.digest).toBe(b.digest);
  });

  test("layers without weights do not enter, other shapes do", () => {
    const dense = (units: number, dropout: boolean) =>
      layoutOfModel(
        tf.sequential({
          layers: [
            layers.dense({ units, inputShape: [3] }),
            ...(dropout ? [layers.dropout({ rate: 0.5 })] : []),
            layers.dense({ units: 2 }),
          ],
        }),
      ).digest;
    expect(dense(4, true)).toBe(dense(4, false));
    expect(dense(5, true)).not.toBe(dense(4, true));
  });
});

describe("refusals", () => {
  test("a model without weights, a selection of none", () => {
    expect(() => layoutOfModel(tf.sequential())).toThrow(LayoutError);
    const empty = tf.sequential({ layers: [layers.flatten({ inputShape: [2, 2] })] });
    expect(() => layoutOfModel(empty)).toThrow(
      /at least one weight with at least one element, got no weights/,
    );
    expect(() => layoutOfModel(withBatchNorm(), { select: () => false })).toThrow(
      /none of 8 weights selected/,
    );
  });
});

/** Dense 3→4, batch norm, dense 4→2. */
function withBatchNorm(): tf.Sequential {
  return tf.sequential({
    layers: [
      layers.dense({ units: 4, inputShape: [3] }),
      layers.batchNormalization(),
      layers.dense({ units: 2 }),
    ],
  });
}

class Projection extends tf.layers.Layer {
  private kernel: tf.LayerVariable | undefined;

  override build(): void {
    this.kernel = this.addWeight("kernel", [3, 2], "float32", tf.initializers.ones());
    this.addWeight("count", [], "int32", tf.initializers.zeros(), undefined, false);
    super.build([null, 3]);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = Array.isArray(inputs) ? (inputs[0] as tf.Tensor) : inputs;
    return tf.matMul(x as tf.Tensor2D, this.kernel?.read() as tf.Tensor2D);
  }

  override computeOutputShape(): tf.Shape {
    return [null, 2];
  }

  static get className(): string {
    return "Projection";
  }
}
tf.serialization.registerClass(Projection);

describe("what trains is what the compiled model trains", () => {
  /** A discriminator inside a model of its own, as in the GANs of tensorflow/tfjs-examples. */
  function gan(): { readonly discriminator: tf.LayersModel; readonly combined: tf.LayersModel } {
    const features = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
    const input = tf.input({ shape: [3] });
    const score = tf.layers.dense({ units: 1 }).apply(features.apply(input)) as tf.SymbolicTensor;
    const discriminator = tf.model({ inputs: input, outputs: score });
    discriminator.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    discriminator.trainable = false;
    const latent = tf.input({ shape: [3] });
    const made = tf.layers.dense({ units: 3 }).apply(latent) as tf.SymbolicTensor;
    const combined = tf.model({ inputs: latent, outputs: discriminator.apply(made) as tf.SymbolicTensor });
    combined.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    return { discriminator, combined };
  }

  async function moved(model: tf.LayersModel): Promise<Set<string>> {
    const before = model.weights.map((weight) => weight.read().dataSync().join());
    await model.fit(tf.ones([4, 3]), tf.zeros([4, 1]), { epochs: 1, verbose: 0 });
    const changed = model.weights.filter((weight, i) => weight.read().dataSync().join() !== before[i]);
    return new Set(changed.map(({ name }) => name));
  }

  test.each(["discriminator", "combined"] as const)("%s, frozen after it was compiled", async (which) => {
    const model = gan()[which];
    const layout = layoutOfModel(model);
    const trainable = layout.parameters.filter((parameter) => parameter.trainable).map(({ name }) => name);
    expect(new Set(trainable)).toEqual(await moved(model));
    expect(trainable).toHaveLength(2);
  });

  test("a Sequential that is unfrozen without being compiled again still trains what it did", async () => {
    const [first, second] = [tf.layers.dense({ units: 2, inputShape: [3] }), tf.layers.dense({ units: 1 })];
    const model = tf.sequential({ layers: [first, second] });
    first.trainable = false;
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    first.trainable = true;
    const layout = layoutOfModel(model);
    const trainable = layout.parameters.filter((parameter) => parameter.trainable).map(({ name }) => name);
    expect(new Set(trainable)).toEqual(await moved(model));
  });
});
