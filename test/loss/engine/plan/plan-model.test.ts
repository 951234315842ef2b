import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { countOperations, type ModelPlan, planModel } from "../../../../src/loss/engine/plan/plan-model.js";
import { resolveModelLossOptions } from "../../../../src/loss/loss-options.js";
import { planLoss } from "../../../../src/loss/loss-plan.js";
import { layoutOfModel } from "../../../../src/model/layout-of-model.js";
import { useTestBackend } from "../../../support/backend.js";
import { resnet } from "../model-zoo.js";

beforeAll(async () => {
  await useTestBackend();
});

function plan(model: tf.LayersModel, options: Parameters<typeof resolveModelLossOptions>[0] = {}) {
  return planModel(model, planLoss(model, resolveModelLossOptions(options)), layoutOfModel(model));
}

function compiled(model: tf.LayersModel, metrics: string[] = []): tf.LayersModel {
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics });
  return model;
}

describe("planModel", () => {
  it("folds every batch normalization of a ResNet into the convolution before it", () => {
    const planned = plan(compiled(resnet(1, 16, 4)), { loss: "logits" }) as ModelPlan;
    expect(countOperations(planned.raw)).toMatchObject({ conv2d: 9, affine: 9 });
    const counts = countOperations(planned.graph);
    expect(counts.conv2d).toBe(9);
    expect(counts.affine).toBeUndefined();
  });

  it("keeps a batch normalization whose input is used elsewhere too, or has no weights", () => {
    const input = tf.input({ shape: [4] });
    const inner = tf.layers.dense({ units: 4 }).apply(input);
    const normal = tf.layers.batchNormalization().apply(inner);
    const sum = tf.layers.add().apply([inner, normal] as tf.SymbolicTensor[]);
    const relu = tf.layers.reLU().apply(sum);
    const end = tf.layers.batchNormalization().apply(relu);
    const output = tf.layers.softmax().apply(end) as tf.SymbolicTensor;
    const planned = plan(compiled(tf.model({ inputs: input, outputs: output }))) as ModelPlan;
    expect(countOperations(planned.graph).affine).toBe(2);
  });

  it("drops dropout and, in logits mode, the final softmax", () => {
    const model = tf.sequential({
      layers: [
        tf.layers.dense({ units: 4, inputShape: [3] }),
        tf.layers.dropout({ rate: 0.5 }),
        tf.layers.gaussianNoise({ stddev: 1 }),
        tf.layers.dense({ units: 2, activation: "softmax" }),
      ],
    });
    const own = countOperations((plan(compiled(model)) as ModelPlan).graph);
    expect(own).toMatchObject({ dense: 2, softmax: 1 });
    const logits = countOperations((plan(compiled(model), { loss: "logits" }) as ModelPlan).graph);
    expect(logits.softmax).toBeUndefined();
    expect(logits).toMatchObject({ dense: 2, logSoftmax: 1 });
  });

  it.each([
    [
      "a layer",
      () =>
        tf.sequential({
          layers: [tf.layers.lstm({ units: 2, inputShape: [3, 2] }), tf.layers.dense({ units: 2 })],
        }),
      /^layer "lstm_LSTM\d+" \(LSTM\) is not known to the plan$/,
    ],
    [
      "a data format",
      () =>
        tf.sequential({
          layers: [
            tf.layers.conv2d({
              filters: 2,
              kernelSize: 2,
              inputShape: [1, 4, 4],
              dataFormat: "channelsFirst",
            }),
            tf.layers.flatten(),
          ],
        }),
      /^layer "conv2d_Conv2D\d+" \(Conv2D\): data format channelsFirst$/,
    ],
    [
      "an open length",
      () => tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [null, 3] })] }),
      /a length that is left open/,
    ],
  ])("names what it does not know: %s", (_, make, reason) => {
    expect(plan(compiled(make()))).toEqual({ supported: false, reason: expect.stringMatching(reason) });
  });

  it("names a metric, a loss and a call that it does not know", () => {
    const make = () => tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
    expect(plan(compiled(make(), ["precision"]))).toMatchObject({
      reason: expect.stringContaining('"precision"'),
    });
    const custom = make();
    custom.compile({
      optimizer: "sgd",
      loss: (yTrue: tf.Tensor, yPred: tf.Tensor) => yTrue.sub(yPred).square(),
    });
    expect(plan(custom)).toMatchObject({ supported: false, reason: expect.stringContaining('"custom"') });
    const replaced = compiled(make());
    const layer = replaced.layers[0] as unknown as { call: unknown };
    layer.call = (x: tf.Tensor) => x;
    expect(plan(replaced)).toMatchObject({ reason: expect.stringContaining("its call was replaced") });
  });
});
