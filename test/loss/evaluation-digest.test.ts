import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { createModelEvaluator } from "../../src/loss/model-evaluator.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { useTestBackend } from "../support/backend.js";
import { tinyData, tinyModel } from "../support/tiny-training.js";

beforeAll(async () => {
  await useTestBackend();
});

describe("what identifies a model's loss", () => {
  test("weights that θ holds do not enter, weights that it leaves out do", async () => {
    const model = tinyModel();
    const kernels = layoutOfModel(model, { select: ({ role }) => role === "kernel" });
    const digest = async (layout = layoutOfModel(model)) => {
      const evaluator = await createModelEvaluator(model, tinyData(), { layout });
      evaluator.dispose();
      return evaluator.modelDigest;
    };
    const [full, partial] = [await digest(), await digest(kernels)];
    model.setWeights(model.getWeights().map((weight) => (weight.rank === 1 ? weight.add(0.5) : weight)));
    expect(await digest()).toBe(full);
    expect(await digest(kernels)).not.toBe(partial);
    const changed = await digest(kernels);
    model.setWeights(model.getWeights().map((weight) => (weight.rank === 2 ? tf.add(weight, 1) : weight)));
    expect(await digest(kernels)).toBe(changed);
  });
});
