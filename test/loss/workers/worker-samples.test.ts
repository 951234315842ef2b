import * as tf from "@tensorflow/tfjs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createLossEvaluator } from "../../../src/loss/create-loss-evaluator.js";
import type { LossEvaluator, SampleEvaluator, SliceLoss } from "../../../src/loss/loss-evaluator.js";
import type { BatchNormPolicyName } from "../../../src/loss/slice-loss.js";
import { readWeights } from "../../../src/model/bound-weights.js";
import { layoutOfModel } from "../../../src/model/layout-of-model.js";
import { approximateSurface } from "../../../src/surface/approximate/approximate-surface.js";
import { evaluateSurface } from "../../../src/surface/evaluate-surface.js";
import type { Surface } from "../../../src/surface/surface.js";
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
  const evaluator = await createLossEvaluator(model, data, { ...engines, workers: count });
  open.push(evaluator);
  return evaluator;
}

async function inProcess(): Promise<LossEvaluator> {
  const evaluator = await createLossEvaluator(model, data, engines);
  open.push(evaluator);
  return evaluator;
}

describe("single samples in worker processes", () => {
  test("make the same approximate surface for any number of workers as in this process, bit for bit", async () => {
    const grid = { alpha: axis(9), beta: axis(9) };
    const surface = (evaluator: LossEvaluator) => approximateSurface(evaluator, plane, grid, { share: 0.3 });
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
    const opened = async (rows: Int32Array | null) =>
      [await own.openSamples?.(rows), await evaluator.openSamples?.(rows)] as SampleEvaluator[];
    const [all, allThere] = await opened(null);
    expect(await allThere.classes()).toEqual(await all.classes());
    const [a, b] = await opened(Int32Array.of(2, 3, 299));
    expect(b.samples).toBe(3);
    expect(await b.classes()).toEqual(Int32Array.of(0, 1, 1));
    expect(await a.classes()).toEqual(await b.classes());
    expect(await b.losses(plane.center)).toEqual(await a.losses(plane.center));
    await expect(b.losses(plane.center.subarray(1))).rejects.toThrow(
      `theta: expected ${plane.center.length} weights`,
    );
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(b.losses(plane.center, { signal })).rejects.toThrow("enough");
    b.dispose();
    await expect(b.losses(plane.center)).rejects.toThrow("disposed");
    for (const part of [a, all, allThere]) part.dispose();
  });

  test("at a point of a slice are those at the θ that it writes, bit for bit, and are left to θ elsewhere", async () => {
    const evaluator = await workers(2);
    const samples = (await evaluator.openSamples?.(Int32Array.of(2, 3, 299))) as SampleEvaluator;
    const theta = new Float32Array(plane.center.length);
    for (const batchNorm of ["keep", "interpolate"] as const) {
      const slice = (await evaluator.openSlice?.(plane, { batchNorm })) as SliceLoss;
      slice.writeInto(theta, 0.3, -0.7);
      const expected = await samples.losses(theta, { batchNorm });
      const found = await Promise.all([1, 2, 3, 4].map(() => samples.lossesOn?.(slice, 0.3, -0.7)));
      for (const values of found) expect(values).toEqual(expected);
      const signal = AbortSignal.abort(new Error("enough"));
      await expect(samples.lossesOn?.(slice, 0.3, -0.7, { signal })).rejects.toThrow("enough");
      // What was asked for before still finds the slice, also behind other work.
      const others = Array.from({ length: 40 }, () => evaluator.evaluate(plane.center));
      const waiting = [1, 2, 3, 4].map(() => samples.lossesOn?.(slice, 0.3, -0.7));
      slice.dispose();
      expect(samples.lossesOn?.(slice, 0.3, -0.7)).toBeNull();
      for (const values of await Promise.all(waiting)) expect(values).toEqual(expected);
      await Promise.all(others);
      expect(samples.lossesOn?.(slice, 0.3, -0.7)).toBeNull();
    }
    const other = (await (await workers(1)).openSlice?.(plane)) as SliceLoss;
    expect(samples.lossesOn?.(other, 0, 0)).toBeNull();
    const last = (await evaluator.openSlice?.(plane)) as SliceLoss;
    samples.dispose();
    await expect(samples.lossesOn?.(last, 0, 0)).rejects.toThrow("disposed");
    last.dispose();
  });
});

test("moving statistics that workers recalibrate are those of this process, bit for bit", async () => {
  const calibration = { sampleLimit: 200 };
  const own = await createLossEvaluator(model, data, { ...engines, calibration });
  const evaluator = await createLossEvaluator(model, data, { ...engines, calibration, workers: 2 });
  const other = { xs: tf.mul(data.xs, 2), ys: data.ys };
  const apart = await createLossEvaluator(model, data, {
    ...engines,
    workers: 1,
    calibration: { data: other },
  });
  open.push(own, evaluator, apart);
  expect(evaluator.facts.calibration).toEqual(own.facts.calibration);
  expect(own.facts.calibration?.samples).toBe(200);
  expect(apart.facts.calibration?.dataDigest).not.toBe(own.facts.calibration?.dataDigest);
  const grid = { alpha: axis(5), beta: axis(3) };
  const surface = (used: LossEvaluator, batchNorm?: BatchNormPolicyName) =>
    evaluateSurface(used, plane, grid, { batchNorm });
  const [a, b] = [await surface(own, "recalibrate"), await surface(evaluator, "recalibrate")];
  expect(bitsOf(b.loss)).toBe(bitsOf(a.loss));
  expect(bitsOf(a.loss)).not.toBe(bitsOf((await surface(own)).loss));
  expect(bitsOf((await surface(apart, "recalibrate")).loss)).not.toBe(bitsOf(a.loss));
  const [there, here] = [evaluator, own].map((used) =>
    used.evaluate(plane.center, { batchNorm: "recalibrate" }),
  );
  expect(await there).toEqual(await here);
  tf.dispose(other.xs);
});

test("other data have the same calibration set, and may outlive what they came from", async () => {
  const half = { xs: data.xs.slice(0, 150), ys: data.ys.slice(0, 150) };
  const grid = { alpha: axis(5), beta: axis(5) };
  const found: Surface[] = [];
  for (const count of [undefined, 2]) {
    const calibration = { sampleLimit: 200 };
    const first = await createLossEvaluator(model, data, { ...engines, calibration, workers: count });
    const second = (await first.withData?.(half)) as LossEvaluator;
    open.push(second);
    expect(second.facts).toMatchObject({ calibration: first.facts.calibration, samples: 150 });
    expect(second.facts.dataDigest).not.toBe(first.facts.dataDigest);
    first.dispose();
    await expect(first.evaluate(plane.center)).rejects.toThrow("disposed");
    found.push(await evaluateSurface(second, plane, grid, { batchNorm: "recalibrate" }));
  }
  expect(bitsOf((found[1] as Surface).loss)).toBe(bitsOf((found[0] as Surface).loss));
  tf.dispose([half.xs, half.ys]);
});
