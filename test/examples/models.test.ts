import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { createModularAddition } from "../../examples/data/modular-addition.js";
import { createDenseNet } from "../../examples/models/densenet.js";
import { createLeNet } from "../../examples/models/lenet.js";
import { createMlp } from "../../examples/models/mlp.js";
import { createResNet } from "../../examples/models/resnet.js";
import { createTransformer } from "../../examples/models/transformer.js";
import { createVgg9 } from "../../examples/models/vgg9.js";
import { createWideResNet } from "../../examples/models/wide-resnet.js";
import { createLossEvaluator } from "../../src/index.js";
import { modelWeights } from "../../src/model/layout-of-model.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(async () => {
  await useTestBackend();
});
afterEach(() => {
  tf.disposeVariables();
});

/** Parameters that training changes, as papers count them: moving statistics are none. */
function trainable(model: tf.LayersModel): number {
  const size = (shape: tf.Shape) => shape.reduce((product: number, length) => product * (length ?? 1), 1);
  return model.trainableWeights.reduce((sum, { shape }) => sum + size(shape), 0);
}

test.each([
  // Derived layer by layer: 1,734,336 + 1,048,576 + 2,570 weights, γ and β of 1,408 channels.
  ["VGG-9", () => createVgg9(), 1_734_336 + 1_048_576 + 2_570 + 2 * 1_408],
  ["MLP 784-128-64-10", () => createMlp(), 109_386],
  ["LeNet", () => createLeNet(), 56_714],
  // He et al., table 6: 0.27, 0.85 and 1.7 million at depth 20, 56 and 110.
  ["ResNet-20, padding", () => createResNet({ depth: 20, shortcut: "padding" }), 269_722],
  ["ResNet-56, padding", () => createResNet({ depth: 56, shortcut: "padding" }), 853_018],
  ["ResNet-110, padding", () => createResNet({ depth: 110, shortcut: "padding" }), 1_727_962],
  ["ResNet-20, projection", () => createResNet({ depth: 20 }), 272_474],
  ["ResNet-56, projection", () => createResNet({ depth: 56 }), 855_770],
  ["ResNet-20 without skips", () => createResNet({ depth: 20, skip: false }), 269_722],
  // Zagoruyko and Komodakis, table 4: 0.6 and 2.2 million.
  ["WRN-40-1", () => createWideResNet({ depth: 40, width: 1 }), 563_930],
  ["WRN-40-2", () => createWideResNet({ depth: 40, width: 2 }), 2_243_546],
  ["DenseNet-121", () => createDenseNet(), 6_956_298],
] as const)("%s has as many parameters as published", (_name, create, count) => {
  expect(trainable(create())).toBe(count);
});

test.each([
  // He et al. 2016, table 6, in millions.
  ["ResNet-20", () => createResNet({ depth: 20, shortcut: "padding" }), 0.27, 2],
  ["ResNet-32", () => createResNet({ depth: 32, shortcut: "padding" }), 0.46, 2],
  ["ResNet-44", () => createResNet({ depth: 44, shortcut: "padding" }), 0.66, 2],
  ["ResNet-56", () => createResNet({ depth: 56, shortcut: "padding" }), 0.85, 2],
  ["ResNet-110", () => createResNet({ depth: 110, shortcut: "padding" }), 1.7, 1],
  // Zagoruyko and Komodakis 2016, table 4.
  ["WRN-40-1", () => createWideResNet({ depth: 40, width: 1 }), 0.6, 1],
  ["WRN-40-2", () => createWideResNet({ depth: 40, width: 2 }), 2.2, 1],
  // Huang et al. 2017, table 2: DenseNet-BC of depth 100 and growth 12, whose stem and transitions are of this form.
  ["DenseNet-BC-100-12", () => createDenseNet({ growth: 12, blocks: [16, 16, 16] }), 0.8, 1],
] as const)(
  "%s has the published number of parameters, as far as it was rounded",
  (_name, create, millions, digits) => {
    expect((trainable(create()) / 1e6).toFixed(digits)).toBe(millions.toFixed(digits));
  },
);

test("a depth that the form does not allow is refused", () => {
  expect(() => createResNet({ depth: 21 })).toThrow("depth: expected 6n + 2, got 21");
  expect(() => createWideResNet({ depth: 20, width: 1 })).toThrow("depth: expected 6n + 4, got 20");
  expect(() => createTransformer({ modulus: 5, width: 10, heads: 3 })).toThrow(
    "heads: expected a divisor of 10",
  );
});

test("equal seeds give equal weights, others do not; weight decay is λ/2 of the squared kernels in the loss", async () => {
  const weights = (seed: number) => Array.from(createLeNet({ seed }).getWeights()[0]?.dataSync() ?? []);
  expect(weights(3)).toEqual(weights(3));
  expect(weights(3)).not.toEqual(weights(4));
  const decayed = createMlp({ shape: [2, 2, 1], units: [3], classes: 2, weightDecay: 0.1 });
  decayed.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  // Training adds penalties to the loss; `evaluate` of TensorFlow.js does not.
  const data = [tf.zeros([1, 2, 2, 1]), tf.tensor2d([[1, 0]])] as const;
  const squares = [0, 2].map(
    (i) => (decayed.getWeights()[i] as tf.Tensor).square().sum().dataSync()[0] as number,
  );
  const loss = (await decayed.trainOnBatch(...data)) as number;
  expect(loss - Math.log(2)).toBeCloseTo(0.05 * ((squares[0] as number) + (squares[1] as number)), 5);
});

describe("networks and the forward plan", () => {
  const image = (shape: readonly number[]) => tf.randomUniform([2, ...shape], 0, 1, "float32", 1);
  const labels = (classes: number) =>
    tf.tidy(() => tf.oneHot(tf.tensor1d([1, 0], "int32"), classes).toFloat());
  const small = { shape: [16, 16, 3], classes: 4 } as const;

  test.each([
    ["MLP", () => createMlp({ ...small, units: [5] })],
    ["LeNet with batch normalization", () => createLeNet({ ...small, batchNorm: true })],
    ["VGG-9", () => createVgg9({ ...small, width: 1 / 16, units: 8 })],
    ["ResNet-8", () => createResNet({ ...small, depth: 8 })],
    ["ResNet-8, padding", () => createResNet({ ...small, depth: 8, shortcut: "padding" })],
    ["ResNet-8 without skips", () => createResNet({ ...small, depth: 8, skip: false })],
    ["WRN-10-1", () => createWideResNet({ ...small, depth: 10, width: 1 })],
    ["DenseNet", () => createDenseNet({ ...small, growth: 4, blocks: [2, 2] })],
  ] as const)("%s runs on the plan's engines as on TensorFlow.js", async (_name, create) => {
    const model = create();
    model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
    const data = { xs: image(small.shape), ys: labels(4) };
    const theta = Float32Array.from(
      modelWeights(model).flatMap(({ variable }) => [...variable.read().dataSync()]),
    );
    const losses: number[] = [];
    for (const engine of ["tfjs", "tfjs-fused"] as const) {
      const evaluator = await createLossEvaluator(model, data, { engine });
      losses.push((await evaluator.evaluate(theta)).loss);
    }
    expect(Math.abs((losses[1] as number) - (losses[0] as number))).toBeLessThan(
      1e-5 * (1 + (losses[0] as number)),
    );
  });

  test("the transformer, whose embedding the plan does not know, is refused by its engines by name and runs on TensorFlow.js", async () => {
    const { train } = createModularAddition({ modulus: 5 });
    const model = createTransformer({ modulus: 5, width: 8, heads: 2, depth: 2 });
    model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
    await expect(createLossEvaluator(model, train, { engine: "tfjs-fused" })).rejects.toThrow(
      'layer "embedding"',
    );
    const evaluator = await createLossEvaluator(model, train, {});
    const theta = Float32Array.from(
      modelWeights(model).flatMap(({ variable }) => [...variable.read().dataSync()]),
    );
    const truth = (model.evaluate(train.xs, train.ys) as tf.Scalar).dataSync()[0] as number;
    expect((await evaluator.evaluate(theta)).loss).toBeCloseTo(truth, 5);
  });
});
