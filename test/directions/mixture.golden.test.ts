import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { type MixtureForm, mixtureMap } from "../../src/directions/mixture.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import type { LossEvaluator } from "../../src/loss/loss-evaluator.js";
import type { BatchNormPolicyName } from "../../src/loss/slice-loss.js";
import { evaluateLine, evaluateSurface } from "../../src/surface/evaluate-surface.js";
import { type GoldenValues, goldenCnn, goldenMlp, transposed } from "../loss/golden-models.js";
import { expectAllClose } from "../support/allclose.js";
import { useTestBackend } from "../support/backend.js";
import { readGolden } from "../support/golden.js";

interface Precisions {
  readonly float32: GoldenValues;
  readonly float64: GoldenValues;
}
interface Line {
  readonly alphas: number[];
  readonly float32: { readonly loss: number[]; readonly acc: number[] };
  readonly float64: { readonly loss: number[]; readonly acc: number[] };
}
interface MlpResults {
  readonly thetas: number[][];
  readonly interp1d: Line;
  readonly bilinear: Precisions & { readonly a: number[]; readonly b: number[] };
  readonly barycentric_uv: Precisions & { readonly u: number[]; readonly v: number[] };
  readonly barycentric_im2016: Precisions & { readonly alpha: number[]; readonly beta: number[] };
}
interface MlpGolden {
  readonly X: number[][];
  readonly y: number[];
  readonly results: Readonly<Record<"tanh" | "relu", MlpResults>>;
}
type Tensors = Readonly<Record<string, unknown>>;
interface Network {
  readonly weights: Tensors;
  readonly stats: Tensors;
}
interface CnnGolden {
  readonly eps: number;
  readonly X: number[][][][];
  readonly y: number[];
  readonly A: Network;
  readonly B: Network;
  readonly interp_weights_and_stats: Line;
  readonly interp_weights_only: Line;
  readonly interp_weights_recalibrated: Line;
}

let evaluator: LossEvaluator | undefined;
beforeAll(async () => void (await useTestBackend()));
afterEach(() => {
  evaluator?.dispose();
  evaluator = undefined;
  tf.disposeVariables();
});

describe.each(["tanh", "relu"] as const)("d_mlp.json between models, %s", (activation) => {
  async function open() {
    const golden = readGolden<MlpGolden>("d_mlp.json");
    const data = { xs: tf.tensor2d(golden.X), ys: tf.tensor1d(golden.y) };
    evaluator = await createLossEvaluator(goldenMlp(activation), data, { loss: "logits" });
    tf.dispose([data.xs, data.ys]);
    const results = golden.results[activation];
    return { evaluator, results, thetas: results.thetas.map((theta) => Float32Array.from(theta)) };
  }

  it("agrees on the line, whose ends are the models' own losses to the last bit", async () => {
    const { evaluator, results, thetas } = await open();
    const map = mixtureMap("line", thetas.slice(0, 2));
    const line = await evaluateLine(evaluator, map, Float64Array.from(results.interp1d.alphas));
    for (const { loss, acc } of [results.interp1d.float32, results.interp1d.float64]) {
      expectAllClose(line.loss, loss, { absolute: 1e-6, relative: 1e-6 });
      expectAllClose(line.metrics.acc, acc, { absolute: 1e-6 });
    }
    const ends = await evaluateLine(evaluator, map, Float64Array.of(0, 1));
    const own = [await evaluator.evaluate(thetas[0]), await evaluator.evaluate(thetas[1])];
    expect(Array.from(ends.loss)).toEqual(own.map(({ loss }) => loss));
  });

  it.each<[MixtureForm, keyof MlpResults, string, string]>([
    ["bilinear", "bilinear", "a", "b"],
    ["barycentric", "barycentric_uv", "u", "v"],
    ["barycentric-im", "barycentric_im2016", "alpha", "beta"],
  ])("agrees on the %s surface", async (form, key, first, second) => {
    const { evaluator, results, thetas } = await open();
    const golden = results[key] as unknown as Precisions & Record<string, number[]>;
    const grid = { alpha: Float64Array.from(golden[first]), beta: Float64Array.from(golden[second]) };
    const map = mixtureMap(form, thetas.slice(0, form === "bilinear" ? 4 : 3));
    const surface = await evaluateSurface(evaluator, map, grid);
    for (const { loss, acc } of [golden.float32, golden.float64]) {
      expectAllClose(surface.loss, transposed(loss), { absolute: 1e-6, relative: 1e-6 });
      expectAllClose(surface.metrics.acc, transposed(acc), { absolute: 1e-6 });
    }
    expect(surface.center).toEqual(await evaluator.evaluate(thetas[0]));
  });
});

describe("f_cnn_bn.json between models", () => {
  const names = ["conv_kernel", "conv_bias", "gamma", "beta", "dense_kernel", "dense_bias"];
  const flat = (tensors: Tensors, keys: readonly string[]) =>
    keys.flatMap((name) => (tensors[name] as number[]).flat(9) as number[]);
  const theta = ({ weights, stats }: Network) =>
    Float32Array.from([...flat(weights, names), ...flat(stats, ["moving_mean", "moving_variance"])]);

  it.each<
    [BatchNormPolicyName, "interp_weights_and_stats" | "interp_weights_only" | "interp_weights_recalibrated"]
  >([
    ["interpolate", "interp_weights_and_stats"],
    ["keep", "interp_weights_only"],
    ["recalibrate", "interp_weights_recalibrated"],
  ])("agrees with policy %s", async (policy, key) => {
    const golden = readGolden<CnnGolden>("f_cnn_bn.json");
    const model = goldenCnn(golden.eps);
    const data = { xs: tf.tensor4d(golden.X), ys: tf.tensor1d(golden.y) };
    evaluator = await createLossEvaluator(model, data, { engine: "tfjs", loss: "logits" });
    tf.dispose([data.xs, data.ys]);
    const before = tf.memory().numTensors;
    const stored = model.getWeights().map((weight) => Array.from(weight.dataSync()));
    const map = mixtureMap("line", [theta(golden.A), theta(golden.B)]);
    const line = await evaluateLine(evaluator, map, Float64Array.from(golden[key].alphas), {
      batchNorm: policy,
    });
    for (const { loss, acc } of [golden[key].float32, golden[key].float64]) {
      expectAllClose(line.loss, loss, { absolute: 1e-5, relative: 1e-5 });
      expectAllClose(line.metrics.acc, acc, { absolute: 1e-6 });
    }
    expect(line.nonFinite).toBe(0);
    expect(tf.memory().numTensors).toBe(before);
    expect(model.getWeights().map((weight) => Array.from(weight.dataSync()))).toEqual(stored);
  });
});
