import type * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { createEngineEvaluator } from "../../../src/loss/engine/create-engine-evaluator.js";
import type { LossMode, LossValue } from "../../../src/loss/loss-evaluator.js";
import type { EngineChoice } from "../../../src/loss/loss-options.js";
import { createModelEvaluator } from "../../../src/loss/model-evaluator.js";
import { bindModel } from "../../../src/model/bound-weights.js";
import { layoutOfModel } from "../../../src/model/layout-of-model.js";
import { useTestBackend } from "../../support/backend.js";
import { type ZooCase, zoo } from "./model-zoo.js";

let engines: EngineChoice[] = [];

beforeAll(async () => {
  engines =
    (await useTestBackend()) === "native" ? ["onnx", "tensorflow", "tfjs-fused"] : ["onnx", "tfjs-fused"];
});

/** A θ away from the model's own, the same at each call; variances stay positive. */
function perturbed(model: tf.LayersModel, by: number): Float32Array {
  const theta = bindModel(model, layoutOfModel(model)).readSync();
  return theta.map((value, i) => value * Math.exp(0.5 * by * Math.sin(i)));
}

function expectClose(value: LossValue, expected: LossValue): void {
  expect(Math.abs(value.loss - expected.loss)).toBeLessThan(1e-5 * Math.abs(expected.loss) + 1e-7);
  expect(Object.keys(value.metrics)).toEqual(Object.keys(expected.metrics));
  for (const [name, own] of Object.entries(expected.metrics)) {
    expect(Math.abs((value.metrics[name] as number) - own)).toBeLessThan(1e-5 * Math.abs(own) + 1e-6);
  }
  expect(value.clippedShare).toEqual(expected.clippedShare);
  expect(value.cappedShare).toEqual(expected.cappedShare);
}

async function compare({ make }: ZooCase, loss: LossMode): Promise<void> {
  const { model, data } = make();
  const own = await createModelEvaluator(model, data, { loss });
  for (const engine of engines) {
    const evaluator = await createEngineEvaluator(model, data, { loss, engine, batchSize: 16 });
    expect(evaluator.engine).toMatchObject({ name: engine, batchSize: 16 });
    expect(evaluator.warnings).toEqual([]);
    const { dataDigest, modelDigest, metricNames, samples, parameterCount } = own;
    expect(evaluator).toMatchObject({ dataDigest, modelDigest, metricNames, samples, parameterCount });
    for (const by of [0, 0.5, 3]) {
      const theta = perturbed(model, by);
      expectClose(await evaluator.evaluate(theta), await own.evaluate(theta));
    }
    evaluator.dispose();
  }
  own.dispose();
}

describe("engines agree with the model's own ops", () => {
  it.each(zoo)("$name", (zooCase) => compare(zooCase, "model"));
  it.each(zoo.filter(({ hasLogits }) => hasLogits))("$name, from logits", (zooCase) =>
    compare(zooCase, "logits"),
  );
});
