import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import type { LossEvaluator } from "../../src/loss/loss-evaluator.js";
import { evaluateLine, evaluateSurface } from "../../src/surface/evaluate-surface.js";
import type { Surface } from "../../src/surface/surface.js";
import { type GoldenValues, goldenCnn, goldenMlp, transposed } from "../loss/golden-models.js";
import { expectAllClose } from "../support/allclose.js";
import { useTestBackend } from "../support/backend.js";
import { readGolden } from "../support/golden.js";

interface Precisions {
  readonly float32: GoldenValues;
  readonly float64: GoldenValues;
}
interface Flat {
  readonly float32: { readonly loss: number[]; readonly acc: number[] };
}
interface MlpResults {
  readonly thetas: number[][];
  readonly at_theta1: { readonly float32: [number, number] };
  readonly grid2d: Precisions & { readonly alphas: number[]; readonly betas: number[] };
  readonly line1d: Flat & { readonly alphas: number[] };
  readonly interp1d: Flat & { readonly alphas: number[] };
  readonly bilinear: Precisions & { readonly a: number[]; readonly b: number[] };
  readonly barycentric_uv: Precisions & { readonly u: number[]; readonly v: number[] };
}
interface MlpGolden {
  readonly X: number[][];
  readonly y: number[];
  readonly d1: number[];
  readonly d2: number[];
  readonly results: Readonly<Record<"tanh" | "relu", MlpResults>>;
}
type Tensors = Readonly<Record<string, unknown>>;
interface CnnGolden {
  readonly eps: number;
  readonly X: number[][][][];
  readonly y: number[];
  readonly A: { readonly weights: Tensors; readonly stats: Tensors };
  readonly d1: Tensors;
  readonly d2: Tensors;
  readonly grid5x5: Precisions & { readonly alphas: number[]; readonly betas: number[] };
}

let evaluator: LossEvaluator | undefined;
beforeAll(async () => void (await useTestBackend()));
afterEach(() => {
  evaluator?.dispose();
  evaluator = undefined;
  tf.disposeVariables();
});

function expectGolden({ loss, metrics }: Surface, golden: GoldenValues, tolerance: number): void {
  expectAllClose(loss, transposed(golden.loss), { absolute: tolerance, relative: tolerance });
  expectAllClose(metrics.acc as Float64Array, transposed(golden.acc), { absolute: 1e-6, relative: 1e-6 });
}

describe.each(["tanh", "relu"] as const)("d_mlp.json, %s", (activation) => {
  async function open(batchSize: number) {
    const golden = readGolden<MlpGolden>("d_mlp.json");
    const data = { xs: tf.tensor2d(golden.X), ys: tf.tensor1d(golden.y) };
    const created = await createLossEvaluator(goldenMlp(activation), data, { loss: "logits", batchSize });
    tf.dispose([data.xs, data.ys]);
    evaluator = created;
    const results = golden.results[activation];
    const [center, ...others] = results.thetas.map((theta) => Float32Array.from(theta)) as [
      Float32Array,
      ...Float32Array[],
    ];
    const differences = others.map((theta) => theta.map((value, i) => value - (center[i] as number)));
    const random = [Float32Array.from(golden.d1), Float32Array.from(golden.d2)];
    return { evaluator: created, results, center, differences, random, others };
  }

  it.each([20, 7])("has the loss of the snapshots themselves (batches of %i)", async (batchSize) => {
    const { evaluator, results, center } = await open(batchSize);
    const value = await evaluator.evaluate(center);
    expectAllClose([value.loss, value.metrics.acc as number], results.at_theta1.float32, {
      absolute: 1e-6,
      relative: 1e-6,
    });
  });

  it("agrees on the grid of two random directions", async () => {
    const { evaluator, results, center, random } = await open(8);
    const grid = {
      alpha: Float64Array.from(results.grid2d.alphas),
      beta: Float64Array.from(results.grid2d.betas),
    };
    const tensors = tf.memory().numTensors;
    const surface = await evaluateSurface(evaluator, { center, vectors: random }, grid);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(surface.center).toEqual(await evaluator.evaluate(center));
    expectGolden(surface, results.grid2d.float32, 1e-6);
    expectGolden(surface, results.grid2d.float64, 1e-6);
  });

  it("agrees on the line along one direction", async () => {
    const { evaluator, results, center, random } = await open(8);
    const line = await evaluateLine(
      evaluator,
      { center, vectors: random },
      Float64Array.from(results.line1d.alphas),
    );
    expectAllClose(line.loss, results.line1d.float32.loss, { absolute: 1e-6, relative: 1e-6 });
    expectAllClose(line.metrics.acc as Float64Array, results.line1d.float32.acc, {
      absolute: 1e-6,
      relative: 1e-6,
    });
  });

  it("agrees on the line between two models, whose ends are the models' own losses", async () => {
    const { evaluator, results, center, differences, others } = await open(8);
    const alphas = Float64Array.from(results.interp1d.alphas);
    const line = await evaluateLine(evaluator, { center, vectors: differences }, alphas);
    expectAllClose(line.loss, results.interp1d.float32.loss, { absolute: 1e-6, relative: 1e-6 });
    const ends = await evaluateLine(evaluator, { center, vectors: differences }, Float64Array.of(0, 1));
    const own = await Promise.all(
      [center, others[0] as Float32Array].map((theta) => evaluator.evaluate(theta)),
    );
    expectAllClose(
      ends.loss,
      own.map(({ loss }) => loss),
      { absolute: 1e-6 },
    );
  });

  it("agrees on the plane through three models", async () => {
    const { evaluator, results, center, differences } = await open(8);
    const { u, v, float32 } = results.barycentric_uv;
    const grid = { alpha: Float64Array.from(u), beta: Float64Array.from(v) };
    const surface = await evaluateSurface(evaluator, { center, vectors: differences.slice(0, 2) }, grid);
    expectGolden(surface, float32, 1e-6);
    expect(surface.loss[0]).toBe(surface.center.loss);
  });
});

describe("f_cnn_bn.json", () => {
  const names = ["conv_kernel", "conv_bias", "gamma", "beta", "dense_kernel", "dense_bias"];
  const flat = (tensors: Tensors, keys: readonly string[]) =>
    keys.flatMap((name) => (tensors[name] as number[]).flat(9) as number[]);

  it("agrees on the grid with moving statistics untouched", async () => {
    const golden = readGolden<CnnGolden>("f_cnn_bn.json");
    const data = { xs: tf.tensor4d(golden.X), ys: tf.tensor1d(golden.y) };
    evaluator = await createLossEvaluator(goldenCnn(golden.eps), data, { loss: "logits", batchSize: 5 });
    tf.dispose([data.xs, data.ys]);
    const states = flat(golden.A.stats, ["moving_mean", "moving_variance"]);
    const center = Float32Array.from([...flat(golden.A.weights, names), ...states]);
    const vectors = [golden.d1, golden.d2].map((d) =>
      Float32Array.from([...flat(d, names), ...states.map(() => 0)]),
    );
    const { alphas, betas, float32 } = golden.grid5x5;
    const grid = { alpha: Float64Array.from(alphas), beta: Float64Array.from(betas) };
    const surface = await evaluateSurface(evaluator, { center, vectors }, grid);
    expectGolden(surface, float32, 1e-5);
  });
});
