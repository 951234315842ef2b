import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { countOperations, type ModelPlan, planModel } from "../../../../src/loss/engine/plan/plan-model.js";
import { resolveModelLossOptions } from "../../../../src/loss/loss-options.js";
import { planLoss } from "../../../../src/loss/loss-plan.js";
import { layoutOfModel } from "../../../../src/model/layout-of-model.js";
import { useTestBackend } from "../../../support/backend.js";

beforeAll(async () => {
  await useTestBackend();
});

function plan(layers: tf.layers.Layer[]): ModelPlan {
  const model = tf.sequential({ layers: [...layers, tf.layers.flatten(), tf.layers.dense({ units: 2 })] });
  model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
  const loss = planLoss(model, resolveModelLossOptions({}));
  return planModel(model, loss, layoutOfModel(model)) as ModelPlan;
}

const inputShape = ({ graph }: ModelPlan) =>
  graph.nodes.find((node) => node.op === "input" && node.name === "x0")?.shape;

describe("trimImages", () => {
  it("cuts the LeNet's 28×28 images to 26×26", () => {
    const planned = plan([
      tf.layers.conv2d({ filters: 2, kernelSize: 3, activation: "relu", inputShape: [28, 28, 1] }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.conv2d({ filters: 2, kernelSize: 3, activation: "relu" }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
    ]);
    expect(inputShape(planned)).toEqual([26, 26, 1]);
    expect(planned.xs).toEqual([[28, 28, 1]]);
  });

  it("leaves images whole in front of padding and of layers that take all of them", () => {
    const padded = tf.layers.conv2d({ filters: 2, kernelSize: 3, padding: "same", inputShape: [9, 9, 1] });
    expect(inputShape(plan([padded, tf.layers.maxPooling2d({ poolSize: 2 })]))).toEqual([9, 9, 1]);
    const whole = tf.layers.conv2d({ filters: 2, kernelSize: 3, inputShape: [9, 9, 1] });
    expect(inputShape(plan([whole]))).toEqual([9, 9, 1]);
  });

  it("puts zeros around images into the convolution that follows", () => {
    const planned = plan([
      tf.layers.zeroPadding2d({ padding: 1, inputShape: [8, 8, 1] }),
      tf.layers.conv2d({ filters: 2, kernelSize: 3, strides: 2 }),
    ]);
    expect(countOperations(planned.graph)).not.toHaveProperty("pad");
    expect(inputShape(planned)).toEqual([8, 8, 1]);
  });
});
