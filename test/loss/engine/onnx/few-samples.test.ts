import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { requireOnnxRuntime } from "../../../../src/backend/onnx-runtime.js";
import {
  createGraphEvaluator,
  createGraphSamples,
  graphLossEvaluator,
} from "../../../../src/loss/engine/graph-evaluator.js";
import { cutColumns, type GraphEngine, readColumns } from "../../../../src/loss/engine/graph-program.js";
import { guardEvaluator } from "../../../../src/loss/engine/guarded-evaluator.js";
import { createOnnxEngine } from "../../../../src/loss/engine/onnx/onnx-engine.js";
import { onnxProgram } from "../../../../src/loss/engine/onnx/onnx-program.js";
import { type ModelPlan, planModel } from "../../../../src/loss/engine/plan/plan-model.js";
import { undefinedValue } from "../../../../src/loss/evaluate-at.js";
import { localEvaluator } from "../../../../src/loss/local-evaluator.js";
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
  expect(onnxProgram(plan.graph, { samples: most - 1 })).toMatchObject({
    feedsWeights: true,
    isForFew: true,
  });
  expect(onnxProgram(plan.graph, { samples: most })).toMatchObject({ feedsWeights: false, isForFew: false });
  expect(onnxProgram(plan.graph)).toMatchObject({ feedsWeights: false, isForFew: false });
  const asked = onnxProgram(plan.graph, { samples: 1, feedsWeights: true });
  expect(asked).toMatchObject({ feedsWeights: true, isForFew: false });
  model.dispose();
});

/** The network with 20 samples and its own weights. */
async function withData() {
  const made = network();
  const { model, plan } = made;
  const xs = tf.randomNormal([20, 8, 8, 2], 0, 1, "float32", 1);
  const ys = tf.oneHot(tf.randomUniform([20], 0, 3, "int32", 2), 3).cast("float32");
  const source = await openSamples(portsOf(model), { xs, ys }, resolveModelLossOptions({}));
  const set = { ...cutColumns(await readColumns(source, plan), plan.graph), digest: source.digest };
  source.dispose();
  tf.dispose([xs, ys]);
  return { ...made, set, theta: bindModel(model, layoutOfModel(model)).readSync() };
}

/** ONNX Runtime, with the samples that each compilation is told of. */
function recorded() {
  const inner = createOnnxEngine(requireOnnxRuntime(), 1);
  const told: (number | undefined)[] = [];
  const compile: GraphEngine["compile"] = (graph, samples) => {
    told.push(samples);
    return inner.compile(graph, samples);
  };
  return { engine: { ...inner, compile }, told };
}

test("few samples have the losses that they have in a session of their own, at each θ", async () => {
  const { model, plan, loss, set, theta } = await withData();
  const { engine, told } = recorded();
  const found = [];
  for (const isSubsample of [true, false]) {
    const samples = await createGraphSamples(engine, plan, loss.scores, set, 8, isSubsample);
    const far = await samples.evaluate(theta.map((value, i) => value + Math.sin(i)));
    found.push([...(await samples.evaluate(theta)).loss, ...far.loss]);
    samples.dispose();
  }
  expect(told).toEqual([20, undefined]);
  expect(found[0]).toHaveLength(40);
  expectAllClose(found[0] ?? [], found[1] ?? [], { relative: 1e-4, absolute: 1e-6 });
  model.dispose();
});

test("whole sets are checked in the form in which they are evaluated; samples of their own have another", async () => {
  const { model, plan, loss, set, theta } = await withData();
  const layout = layoutOfModel(model);
  const { engine, told } = recorded();
  const evaluator = await createGraphEvaluator(engine, plan, loss.scores);
  evaluator.load(set, 8);
  const graph = graphLossEvaluator({
    ...{ model, loss, layout, set, evaluator },
    ...{ batchSize: 8, measured: {}, warnings: [] },
  });
  let compared = 0;
  const guarded = guardEvaluator(graph, {
    noValue: undefinedValue(loss),
    finiteness: () => ({
      isFinite: async () => true,
      gaps: async () => null,
      plane: () => null,
      dispose() {},
    }),
    ownOps: {
      evaluate(at) {
        compared++;
        return graph.evaluate(at);
      },
      measure: async () => 0,
      dispose() {},
    },
  });
  const local = localEvaluator({
    engine: guarded,
    layout,
    undefinedAt: () => [],
    recalibrator: null,
    release() {},
  });
  await local.evaluate(theta);
  expect(compared).toBe(1);
  expect(told).toEqual([undefined, undefined]);
  const some = await local.openSamples?.(Int32Array.of(1, 4, 5));
  const all = await local.openSamples?.(null);
  await all?.losses(theta);
  expect(told).toEqual([undefined, undefined, 3, undefined]);
  // Few samples are compared with the form of whole sets once.
  for (const factor of [1, 2]) await some?.losses(theta.map((value) => factor * value));
  expect(told.slice(4)).toEqual([undefined]);
  for (const part of [some, all, local, model]) part?.dispose();
});
