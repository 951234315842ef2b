import * as tf from "@tensorflow/tfjs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createBatchNormPolicy } from "../../../src/loss/batch-norm-policy.js";
import { createEngineEvaluator } from "../../../src/loss/engine/create-engine-evaluator.js";
import type { LossEvaluator } from "../../../src/loss/loss-evaluator.js";
import { createRecalibrator } from "../../../src/loss/recalibrator.js";
import { createWorkerEvaluator } from "../../../src/loss/workers/create-worker-evaluator.js";
import { readWeights } from "../../../src/model/bound-weights.js";
import { layoutOfModel } from "../../../src/model/layout-of-model.js";
import { approximateSurface } from "../../../src/surface/approximate/approximate-surface.js";
import { evaluateSurface } from "../../../src/surface/evaluate-surface.js";
import { bitsOf } from "../../store/sample-run.js";
import { useTestBackend } from "../../support/backend.js";
import { tinyModel } from "../../support/tiny-training.js";

const SAMPLES = 300;
const open: { dispose(): void }[] = [];
let model: tf.Sequential;
let data: { readonly xs: tf.Tensor; readonly ys: tf.Tensor };
let plane: { center: Float32Array; vectors: Float32Array[] };

beforeAll(async () => {
  await useTestBackend();
  model = tinyModel();
  const xs = tf.randomNormal([SAMPLES, 3], 0, 1, "float32", 7);
  const ys = tf.oneHot(tf.range(0, SAMPLES, 1, "int32").mod(tf.scalar(2, "int32")), 2).cast("float32");
  data = { xs, ys };
  const layout = layoutOfModel(model);
  const center = await readWeights(model, layout);
  const vectors = [1, 2].map((k) =>
    Float32Array.from(center, (_, i) => (i < layout.trainableCount ? Math.sin(k * i + k) : 0)),
  );
  plane = { center, vectors };
});
afterEach(() => {
  for (const part of open.splice(0)) part.dispose();
});
afterAll(() => {
  model.dispose();
  tf.dispose([data.xs, data.ys]);
});

const axis = (points: number) => Float64Array.from({ length: points }, (_, i) => (2 * i) / (points - 1) - 1);
const engines = { engine: "tfjs", batchSize: 64, threads: 1 } as const;

async function workers(count: number) {
  const evaluator = await createWorkerEvaluator(model, data, { ...engines, workers: count });
  open.push(evaluator);
  return evaluator;
}

async function inProcess(): Promise<LossEvaluator> {
  const evaluator = await createEngineEvaluator(model, data, engines);
  open.push(evaluator);
  return evaluator;
}

describe("single samples in worker processes", () => {
  test("make the same approximate surface for any number of workers as in this process, bit for bit", async () => {
    const grid = { alpha: axis(9), beta: axis(9) };
    const surface = (evaluator: LossEvaluator) => approximateSurface(evaluator, plane, grid, { budget: 0.3 });
    const own = await surface(await inProcess());
    expect(own.approximation?.subsample).toBeGreaterThan(0);
    expect(new Set(own.approximation?.method).size).toBeGreaterThan(1);
    for (const count of [1, 2]) {
      const { engine, ...surfaceOfWorkers } = await surface(await workers(count));
      expect({ ...surfaceOfWorkers, engine: own.engine }).toEqual(own);
      expect(engine.threads).toBeLessThanOrEqual(1);
    }
  });

  test("are those asked for, in their order; θ of another length, and disposed ones, are refused", async () => {
    const [own, evaluator] = [await inProcess(), await workers(1)];
    expect(await evaluator.perSample.classes()).toEqual(await own.perSample?.classes());
    const rows = Int32Array.of(2, 3, 299);
    const [a, b] = [await own.perSample?.open(rows), await evaluator.perSample.open(rows)];
    expect(b.samples).toBe(3);
    expect(await b.evaluate(plane.center)).toEqual(await a?.evaluate(plane.center));
    await expect(b.evaluate(plane.center.subarray(1))).rejects.toThrow(
      `theta: expected ${plane.center.length} weights`,
    );
    const aborted = AbortSignal.abort(new Error("enough"));
    await expect(b.evaluate(plane.center, aborted)).rejects.toThrow("enough");
    b.dispose();
    await expect(b.evaluate(plane.center)).rejects.toThrow("disposed");
    a?.dispose();
  });
});

test("moving statistics that workers recalibrate are those of this process, bit for bit", async () => {
  const layout = layoutOfModel(model);
  const limit = { sampleLimit: 200 };
  const [own, evaluator] = [await inProcess(), await workers(2)];
  const inside = await createRecalibrator(model, data, limit);
  const outside = await evaluator.openRecalibrator(limit);
  open.push(inside, outside);
  expect([outside.dataDigest, outside.samples]).toEqual([inside.dataDigest, 200]);
  const grid = { alpha: axis(5), beta: axis(3) };
  const surface = (used: LossEvaluator, recalibrator: typeof inside) => {
    const policy = createBatchNormPolicy("recalibrate", { layout, center: plane.center, recalibrator });
    return evaluateSurface(used, plane, grid, { policy });
  };
  const [a, b] = [await surface(own, inside), await surface(evaluator, outside)];
  expect(bitsOf(b.loss)).toBe(bitsOf(a.loss));
  expect(bitsOf(a.loss)).not.toBe(bitsOf((await evaluateSurface(own, plane, grid)).loss));
  outside.dispose();
  await expect(outside.recalibrateInto(plane.center.slice())).rejects.toThrow("one that was disposed");
});
