import * as tf from "@tensorflow/tfjs";
import { expect, it, vi } from "vitest";
import { createEngineEvaluator } from "../../../../src/loss/engine/create-engine-evaluator.js";
import { useTestBackend } from "../../../support/backend.js";

vi.mock("../../../../src/backend/onnx-runtime.js", async (original) => ({
  ...(await original<object>()),
  loadOnnxRuntime: () => ({ state: "absent" }),
}));

it("is tried where neither the native backend nor ONNX Runtime is there", async () => {
  const backend = await useTestBackend();
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 64, activation: "relu", inputShape: [512] }),
      tf.layers.dense({ units: 3, activation: "softmax" }),
    ],
  });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  const xs = tf.randomNormal([64, 512], 0, 1, "float32", 3);
  const ys = tf
    .oneHot(
      tf.tensor1d(
        Int32Array.from({ length: 64 }, (_, i) => i % 3),
        "int32",
      ),
      3,
    )
    .cast("float32");
  const evaluator = await createEngineEvaluator(model, { xs, ys });
  const graph = backend === "native" ? "tensorflow" : "tfjs-fused";
  expect(Object.keys(evaluator.measured ?? {}).sort()).toEqual([graph, "tfjs"].sort());
  expect([graph, "tfjs"]).toContain(evaluator.engine.name);
  evaluator.dispose();
});
