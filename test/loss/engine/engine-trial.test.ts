import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { createLeNet } from "../../../examples/models/lenet.js";
import { createEngineEvaluator } from "../../../src/loss/engine/create-engine-evaluator.js";
import type { EngineEvaluatorOptions } from "../../../src/loss/loss-options.js";
import { useTestBackend } from "../../support/backend.js";

beforeAll(async () => {
  await useTestBackend();
});

/** The batch size that images of a LeNet get. */
async function chosenSize(options: EngineEvaluatorOptions, images = 512): Promise<number> {
  const model = createLeNet({ seed: 1 });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  const xs = tf.randomNormal([images, 28, 28, 1], 0, 1, "float32", 3);
  const ys = tf.oneHot(tf.range(0, images, 1, "int32").mod(tf.scalar(10, "int32")), 10).cast("float32");
  const evaluator = await createEngineEvaluator(model, { xs, ys }, options);
  const { batchSize } = evaluator.engine;
  evaluator.dispose();
  return batchSize;
}

describe("the batch size of ONNX Runtime", () => {
  // 4 MiB for each thread are 113 images of 24 × 24 × 16 float32.
  it.each([
    [1, [64]],
    [2, [64, 128]],
  ])("is one whose largest result takes at most 4 MiB for each of %d threads", async (threads, sizes) => {
    expect(sizes).toContain(await chosenSize({ engine: "onnx", threads }));
  });

  it("is the one that was asked for, or chosen before, also where it is not tried", async () => {
    expect(await chosenSize({ engine: "onnx", threads: 1, batchSize: 512 })).toBe(512);
    expect(await chosenSize({ reuse: { name: "onnx", batchSize: 512, threads: 1 } })).toBe(512);
  });

  it("that was asked for may exceed the samples of a trial, but not those of the data", async () => {
    expect(await chosenSize({ engine: "onnx", threads: 1, batchSize: 600 }, 600)).toBe(600);
    expect(await chosenSize({ engine: "onnx", threads: 1, batchSize: 1000 }, 600)).toBe(600);
  });
});
