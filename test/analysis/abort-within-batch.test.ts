import { readdirSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { storedSurface } from "../../src/analysis/stored-surface.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import type { LossEvaluator } from "../../src/loss/loss-evaluator.js";
import { createRecalibrator } from "../../src/loss/recalibrator.js";
import { readWeights } from "../../src/model/bound-weights.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { approximateSurface } from "../../src/surface/approximate/approximate-surface.js";
import { evaluateSurface } from "../../src/surface/evaluate-surface.js";
import { evaluateFidelity } from "../../src/surface/fidelity.js";
import { createGrid } from "../../src/surface/grid.js";
import { interpolateLine } from "../../src/surface/lines/evaluate-lines.js";
import { bitsOf } from "../store/sample-run.js";
import { abortedAt, type BatchWatch } from "../support/aborted-at.js";
import { useTestBackend } from "../support/backend.js";
import { flatWeights, temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";
import { requestOf } from "./interrupted-surface.mjs";

const newFolder = temporaryFolders();
/** Batches of one sample in a point. */
const COUNT = 12;
const axis = { from: -1, to: 1, size: 5 };
const grid = createGrid({ grid: { alpha: axis, beta: axis } });

const open: LossEvaluator[] = [];
beforeAll(() => useTestBackend());
afterEach(() => {
  for (const evaluator of open.splice(0)) evaluator.dispose();
});

/** A model whose loss function tells of every batch, on tensors or on a stream that is read at each point. */
async function setUp(kind: "tensors" | "stream" = "tensors") {
  const watch: BatchWatch = { batches: 0, onBatch: () => {} };
  const model = tinyModel();
  const { xs, ys } = tinyData();
  const tell = () => watch.onBatch(++watch.batches);
  const options = { batchSize: 1, metrics: [] };
  const lossFunction = (_: tf.LayersModel, x: tf.Tensor | tf.Tensor[], y: tf.Tensor | tf.Tensor[]) => {
    if (kind === "tensors") tell();
    return (model.apply(x) as tf.Tensor)
      .sub(y as tf.Tensor)
      .square()
      .mean();
  };
  const stream = {
    iterator: async () => {
      let next = 0;
      return {
        async next() {
          if (next === COUNT) return { value: null, done: true };
          tell();
          const value = { xs: xs.slice([next, 0], [1, 3]), ys: ys.slice([next, 0], [1, 2]) };
          next++;
          return { value, done: false };
        },
      };
    },
  };
  const data = kind === "tensors" ? { xs, ys } : stream;
  const evaluator = await createLossEvaluator(model, data, {
    ...options,
    engine: "tfjs",
    lossFunction,
    cacheBytes: 1,
  });
  open.push(evaluator);
  const layout = layoutOfModel(model);
  const center = await readWeights(model, layout);
  const vectors = [1, 2].map((k) => Float32Array.from(center, (_, i) => Math.sin(k * i + k) / 10));
  return { watch, model, evaluator, layout, plane: { center, vectors } };
}

describe("an abort in the middle of a point lets one more batch run at most", () => {
  test.each(["tensors", "stream"] as const)(
    "of a surface, over %s; model and tensors are as before",
    async (kind) => {
      const { watch, model, evaluator, plane } = await setUp(kind);
      const weights = flatWeights(model);
      const tensors = tf.memory().numTensors;
      const at = 3 * COUNT + 5;
      const batches = await abortedAt(at, watch, (signal) =>
        evaluateSurface(evaluator, plane, grid, { signal }),
      );
      expect(batches).toBeLessThanOrEqual(at + 1);
      expect(flatWeights(model)).toEqual(weights);
      expect(tf.memory().numTensors).toBe(tensors);
    },
  );

  test("of a stored surface; what was finished is kept, and the rest goes on from there", async () => {
    const { watch, evaluator, plane } = await setUp();
    const directory = newFolder();
    const folder = join(directory, "surfaces");
    const evaluate = async (signal?: AbortSignal) =>
      (await storedSurface({ ...requestOf(directory, 5, evaluator), points: plane, grid, signal })).surface;
    const at = 7 * COUNT + 5;
    expect(await abortedAt(at, watch, evaluate)).toBeLessThanOrEqual(at + 1);
    const [tiles = ""] = readdirSync(folder);
    expect(tiles).toMatch(/^\.pca-train-[0-9a-f]{8}\.arrow\.tiles$/);
    expect(readdirSync(join(folder, tiles))).toEqual(["000000.arrow"]);
    watch.batches = 0;
    const surface = await evaluate();
    // Two of the points are evaluated again before the others are believed, and the first of them is looked at for
    // numbers that are not finite.
    expect(watch.batches).toBe((25 - 7 + 2 + 1) * COUNT);
    const whole = await evaluateSurface(evaluator, plane, grid);
    expect(bitsOf(surface.loss)).toBe(bitsOf(whole.loss));
    expect(readdirSync(folder)).toEqual([tiles.replace(/^\./, "").replace(".tiles", "")]);
  });

  test("of an approximate surface: all samples, and the subsample", async () => {
    const { watch, evaluator, plane } = await setUp();
    const fine = { from: -1, to: 1, size: 9 };
    const large = createGrid({ grid: { alpha: fine, beta: fine } });
    for (const subsample of [0, 6]) {
      for (const at of [5, 2 * COUNT + 3, 4 * COUNT + 4]) {
        const work = (signal: AbortSignal) =>
          approximateSurface(evaluator, plane, large, { signal, subsample, share: 0.5 });
        expect(await abortedAt(at, watch, work)).toBeLessThanOrEqual(at + 1);
      }
    }
  });

  test("of a line, and of the losses along a path", async () => {
    const { watch, evaluator, plane } = await setUp();
    const other = plane.center.map((value, i) => value + (plane.vectors[0][i] as number));
    const at = 2 * COUNT + 5;
    const line = (signal: AbortSignal) =>
      interpolateLine([{ name: "train", evaluator }], [plane.center, other], { signal });
    expect(await abortedAt(at, watch, line)).toBeLessThanOrEqual(at + 1);
    const path = {
      dimensions: 2,
      coordinates: Float64Array.of(1, 0, 0, 1, 0, 0),
      distance: new Float64Array(3),
      inPlaneShare: new Float64Array(3),
      trueLoss: null,
      planeLoss: null,
      warnings: [],
    };
    const fidelity = (signal: AbortSignal) =>
      evaluateFidelity(path, plane, evaluator, async (i) => (i === 2 ? plane.center : other), { signal });
    expect(await abortedAt(at, watch, fidelity)).toBeLessThanOrEqual(at + 1);
  });

  test("of a recalibration; θ and the model are as before", async () => {
    const model = tinyModel();
    const { xs, ys } = tinyData();
    const recalibrator = await createRecalibrator(model, { xs, ys }, { batchSize: 1 });
    const theta = await readWeights(model, layoutOfModel(model));
    const before = theta.slice();
    const watch: BatchWatch = { batches: 0, onBatch: () => {} };
    const [first] = model.layers as [tf.layers.Layer];
    const call = first.call.bind(first);
    vi.spyOn(first, "call").mockImplementation((inputs, kwargs) => {
      watch.onBatch(++watch.batches);
      return call(inputs, kwargs);
    });
    const work = (signal: AbortSignal) => recalibrator.recalibrateInto(theta, signal);
    expect(await abortedAt(4, watch, work)).toBeLessThanOrEqual(5);
    expect(theta).toEqual(before);
    await recalibrator.recalibrateInto(theta);
    expect(theta).not.toEqual(before);
    recalibrator.dispose();
  });

  test("of the reading of a data set", async () => {
    const watch: BatchWatch = { batches: 0, onBatch: () => {} };
    const { xs, ys } = tinyData();
    const dataset = {
      iterator: async () => ({
        async next() {
          watch.onBatch(++watch.batches);
          return watch.batches > COUNT
            ? { value: null, done: true }
            : { value: { xs: xs.clone(), ys: ys.clone() }, done: false };
        },
      }),
    };
    const tensors = tf.memory().numTensors;
    const model = tinyModel();
    const own = tf.memory().numTensors - tensors;
    const work = (signal: AbortSignal) => createLossEvaluator(model, dataset, { signal });
    expect(await abortedAt(4, watch, work)).toBeLessThanOrEqual(5);
    expect(tf.memory().numTensors - own).toBe(tensors);
  });
});
