import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { requireOnnxRuntime } from "../../../../src/backend/onnx-runtime.js";
import { createGraphSamples } from "../../../../src/loss/engine/graph-evaluator.js";
import { cutColumns, type GraphEngine, readColumns } from "../../../../src/loss/engine/graph-program.js";
import { createOnnxEngine } from "../../../../src/loss/engine/onnx/onnx-engine.js";
import { onnxProgram } from "../../../../src/loss/engine/onnx/onnx-program.js";
import { type ModelPlan, planModel } from "../../../../src/loss/engine/plan/plan-model.js";
import { resolveModelLossOptions } from "../../../../src/loss/loss-options.js";
import { type LossPlan, planLoss } from "../../../../src/loss/loss-plan.js";
import { portsOf } from "../../../../src/loss/model-ports.js";
import { openSamples } from "../../../../src/loss/model-samples.js";
import { bindModel } from "../../../../src/model/bound-weights.js";
import { layoutOfModel } from "../../../../src/model/layout-of-model.js";
import { expectAllClose } from "../../../support/allclose.js";
import { useTestBackend } from "../../../support/backend.js";

beforeAll(async () => {
  await useTestBackend();
});

/** A network of one convolution with 9·2·8·8·4 = 4,608 multiplications. */
function network(): { model: tf.Sequential; plan: ModelPlan; loss: LossPlan } {
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({
        filters: 4,
        kernelSize: 3,
        padding: "same",
        inputShape: [8, 8, 2],
        activation: "relu",
      }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 3, activation: "softmax" }),
    ],
  });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  const loss = planLoss(model, resolveModelLossOptions({}));
  const plan = planModel(model, loss, layoutOfModel(model));
  if (!plan.supported) throw new Error(plan.reason);
  return { model, plan, loss };
}

test("weights are inputs where a point has few multiplications in convolutions", () => {
  const { model, plan } = network();
  const most = Math.ceil(2e8 / 4608);
  expect(onnxProgram(plan.graph, { samples: most - 1 }).feedsWeights).toBe(true);
  expect(onnxProgram(plan.graph, { samples: most }).feedsWeights).toBe(false);
  expect(onnxProgram(plan.graph).feedsWeights).toBe(false);
  model.dispose();
});

test("few samples have the losses that they have in a session of their own, at each θ", async () => {
  const { model, plan, loss } = network();
  const xs = tf.randomNormal([20, 8, 8, 2], 0, 1, "float32", 1);
  const ys = tf.oneHot(tf.randomUniform([20], 0, 3, "int32", 2), 3).cast("float32");
  const source = await openSamples(portsOf(model), { xs, ys }, resolveModelLossOptions({}));
  const columns = cutColumns(await readColumns(source, plan), plan.graph);
  source.dispose();
  const theta = bindModel(model, layoutOfModel(model)).readSync();
  const engine = createOnnxEngine(requireOnnxRuntime(), 1);
  const inSessions: GraphEngine = { ...engine, compile: (graph) => engine.compile(graph) };
  const found = [];
  for (const own of [engine, inSessions]) {
    const samples = await createGraphSamples(own, plan, loss.scores, columns, 8);
    const far = await samples.evaluate(theta.map((value, i) => value + Math.sin(i)));
    found.push([...(await samples.evaluate(theta)).loss, ...far.loss]);
    samples.dispose();
  }
  expect(found[0]).toHaveLength(40);
  expectAllClose(found[0] ?? [], found[1] ?? [], { relative: 1e-4, absolute: 1e-6 });
  tf.dispose([xs, ys]);
  model.dispose();
});
