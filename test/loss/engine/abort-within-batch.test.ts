import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { requireOnnxRuntime } from "../../../src/backend/onnx-runtime.js";
import { createEngineEvaluator } from "../../../src/loss/engine/create-engine-evaluator.js";
import { createFusedEngine } from "../../../src/loss/engine/fused/fused-engine.js";
import { createGraphEvaluator, type GraphEvaluator } from "../../../src/loss/engine/graph-evaluator.js";
import { cutColumns, type GraphEngine, readColumns } from "../../../src/loss/engine/graph-program.js";
import { createOnnxEngine } from "../../../src/loss/engine/onnx/onnx-engine.js";
import { planModel } from "../../../src/loss/engine/plan/plan-model.js";
import { createTfEngine } from "../../../src/loss/engine/tensorflow/tf-engine.js";
import { resolveModelLossOptions } from "../../../src/loss/loss-options.js";
import { planLoss } from "../../../src/loss/loss-plan.js";
import { portsOf } from "../../../src/loss/model-ports.js";
import { openSamples } from "../../../src/loss/model-samples.js";
import { bindModel } from "../../../src/model/bound-weights.js";
import { layoutOfModel } from "../../../src/model/layout-of-model.js";
import { abortedAt, type BatchWatch } from "../../support/aborted-at.js";
import { useTestBackend } from "../../support/backend.js";

let isNative = false;
beforeAll(async () => {
  isNative = (await useTestBackend()) === "native";
});

const SAMPLES = 60;
const [AT, COUNT] = [4, 20];

/** An engine that tells of each batch when it begins. */
function watched(engine: GraphEngine, watch: BatchWatch): GraphEngine {
  return {
    ...engine,
    async compile(graph) {
      const program = await engine.compile(graph);
      return {
        ...program,
        cut(data, batchSize) {
          const batches = program.cut(data, batchSize);
          return {
            ...batches,
            run(batch, variables) {
              watch.onBatch(++watch.batches);
              return batches.run(batch, variables);
            },
          };
        },
      };
    },
  };
}

/** A first layer on a wide input, whose outputs are kept for a plane, and a layer of which 13 samples fill 1 MiB. */
function wideMlp() {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 12, inputShape: [400] }),
      tf.layers.dense({ units: 20_000, activation: "relu" }),
      tf.layers.dense({ units: 4, activation: "softmax" }),
    ],
  });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  const xs = tf.randomNormal([SAMPLES, 400], 0, 1, "float32", 1);
  const ys = tf.oneHot(tf.randomUniform([SAMPLES], 0, 4, "int32", 2), 4).cast("float32");
  return { model, data: { xs, ys } };
}

async function open(engine: GraphEngine): Promise<{ evaluator: GraphEvaluator; theta: Float32Array }> {
  const { model, data } = wideMlp();
  const options = resolveModelLossOptions({});
  const layout = layoutOfModel(model);
  const loss = planLoss(model, options);
  const plan = planModel(model, loss, layout);
  if (!plan.supported) throw new Error(plan.reason);
  const source = await openSamples(portsOf(model), data, options);
  const columns = cutColumns(await readColumns(source, plan), plan.graph);
  source.dispose();
  const evaluator = await createGraphEvaluator(engine, plan, loss.scores);
  evaluator.load(columns, SAMPLES / COUNT);
  return { evaluator, theta: bindModel(model, layout).readSync() };
}

test("an abort in the middle of a point lets one more batch run at most, also of a plane and of single samples", async () => {
  const engines = [createOnnxEngine(requireOnnxRuntime(), 1), createFusedEngine()];
  if (isNative) engines.push(createTfEngine());
  for (const engine of engines) {
    const watch: BatchWatch = { batches: 0, onBatch: () => {} };
    const { evaluator, theta } = await open(watched(engine, watch));
    const whole = await evaluator.evaluate(theta);
    expect(watch.batches).toBe(COUNT);
    const plane = { center: theta, vectors: [theta, theta] };
    const kept = await evaluator.openPlane(plane);
    if (kept === null) throw new Error("expected a plane that is kept");
    const rows = await evaluator.openRows(null);
    await rows.evaluate(theta);
    const tensors = tf.memory().numTensors;
    const works: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
      point: (signal) => evaluator.evaluate(theta, signal),
      opening: (signal) => evaluator.openPlane(plane, signal),
      samples: (signal) => rows.evaluate(theta, signal),
    };
    for (const [what, work] of Object.entries(works)) {
      const batches = await abortedAt(AT, watch, work);
      expect(batches, what).toBeLessThanOrEqual(AT + 1);
      expect(tf.memory().numTensors, what).toBe(tensors);
    }
    // Behind the first layer batches are larger, as equal as can be, and stay in a core's cache.
    watch.batches = 0;
    const value = await kept.evaluate(theta, 0, 0);
    expect(watch.batches).toBe(Math.ceil(SAMPLES / 13));
    expect(Math.abs(value.loss / whole.loss - 1)).toBeLessThan(1e-5);
    expect(await abortedAt(2, watch, (signal) => kept.evaluate(theta, 0, 0, signal))).toBeLessThanOrEqual(3);
    expect(await evaluator.evaluate(theta)).toEqual(whole);
    expect((await rows.evaluate(theta)).loss).toHaveLength(SAMPLES);
    for (const part of [kept, rows, evaluator]) part.dispose();
  }
});

test("an abort while an engine is chosen ends the choice and leaves nothing", async () => {
  const { model, data } = wideMlp();
  const tensors = tf.memory().numTensors;
  let asked = 0;
  const signal = new AbortController().signal;
  const aborts = new Proxy(signal, {
    get(target, key) {
      // The own ops ask first; by then the engines are being measured.
      if (key === "throwIfAborted" && ++asked > 70) {
        return () => {
          throw new Error("enough");
        };
      }
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  await expect(createEngineEvaluator(model, data, { signal: aborts, batchSize: 5 })).rejects.toThrow(
    "enough",
  );
  expect(tf.memory().numTensors).toBe(tensors);
});
