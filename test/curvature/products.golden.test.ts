import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { createCurvature, estimateTrace, hessianOperator, topEigenpairs } from "../../src/doors/curvature.js";
import { goldenMlp } from "../loss/golden-models.js";
import { expectAllClose, expectAllCloseUpToSign } from "../support/allclose.js";
import { useTestBackend } from "../support/backend.js";
import { readGolden } from "../support/golden.js";
import { goldenImages, goldenNetwork, goldenTheta, readGoldenNetworks } from "./golden-curvature.js";

beforeAll(useTestBackend);

const networks = readGoldenNetworks();

/** One network of e_hessian.json. */
interface GoldenHessian {
  readonly loss: number;
  readonly gradient: number[];
  readonly eigenvalues: number[];
  readonly top_eigenvector: number[];
  readonly trace: number;
  readonly H_times_d1: number[];
  readonly projected_2x2_hessian_d1_d2: number[][];
}

interface GoldenMlp {
  readonly X: number[][];
  readonly y: number[];
  readonly d1: number[];
  readonly d2: number[];
  readonly results: Readonly<Record<"tanh" | "relu", { readonly thetas: number[][] }>>;
}

/** Length of a difference over the length of what is expected. */
function relativeGap(actual: Float64Array, expected: readonly number[]): number {
  const gap = Math.hypot(...expected.map((value, i) => (actual[i] as number) - value));
  return gap / Math.hypot(...expected);
}

describe.each(Object.keys(networks.cases))("%s", (name) => {
  const golden = networks.cases[name] as (typeof networks.cases)[string];

  test("loss, gradient, H·u, uᵀ·H·v and Gauss-Newton product", async () => {
    const model = goldenNetwork(golden);
    const data = goldenImages(networks);
    const curvature = await createCurvature(model, data, { loss: "logits" });
    const before = tf.memory().numTensors;
    const point = await curvature.at(goldenTheta(networks, golden));
    const padded = (vector: readonly number[]) => {
      const out = new Float64Array(curvature.layout.parameterCount);
      out.set(vector);
      return out;
    };
    expect(Math.abs(point.loss - golden.loss)).toBeLessThan(1e-6);
    expect(relativeGap(point.gradient, golden.gradient)).toBeLessThan(1e-4);
    const [hu, hv] = [
      await point.hessianVector(padded(golden.u)),
      await point.hessianVector(padded(golden.v)),
    ];
    expect(relativeGap(hu, golden.H_u)).toBeLessThan(1e-4);
    expect(relativeGap(await point.gaussNewtonVector(padded(golden.u)), golden.G_u)).toBeLessThan(1e-4);
    const product = (a: ArrayLike<number>, b: readonly number[]) =>
      b.reduce((sum, x, i) => sum + x * a[i], 0);
    const length = Math.hypot(...golden.H_u) * Math.hypot(...golden.v);
    expect(Math.abs(product(hv, golden.u) - golden.u_H_v)).toBeLessThan(1e-4 * length);
    expect(Math.abs(product(hv, golden.u) - product(hu, golden.v))).toBeLessThan(1e-5 * length);
    point.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe.each(["tanh", "relu"] as const)("the 4-5-3 network, %s", (activation) => {
  const golden = readGolden<Record<string, GoldenHessian>>("e_hessian.json")[activation] as GoldenHessian;
  const mlp = readGolden<GoldenMlp>("d_mlp.json");

  test("all eigenvalues, trace, products", async () => {
    const data = { xs: tf.tensor2d(mlp.X), ys: tf.tensor2d(mlp.y, [mlp.y.length, 1]) };
    const curvature = await createCurvature(goldenMlp(activation), data, { loss: "logits" });
    const point = await curvature.at(Float32Array.from(mlp.results[activation].thetas[0] as number[]));
    expect(Math.abs(point.loss - golden.loss)).toBeLessThan(1e-6);
    expect(relativeGap(point.gradient, golden.gradient)).toBeLessThan(1e-4);
    const [h1, h2] = [
      await point.hessianVector(Float64Array.from(mlp.d1)),
      await point.hessianVector(Float64Array.from(mlp.d2)),
    ];
    expect(relativeGap(h1, golden.H_times_d1)).toBeLessThan(1e-4);
    const projected = [mlp.d1, mlp.d2].map((d) =>
      [h1, h2].map((h) => d.reduce((s, x, i) => s + x * h[i], 0)),
    );
    expectAllClose(projected.flat(), golden.projected_2x2_hessian_d1_d2.flat(), {
      absolute: 1e-4,
      relative: 1e-4,
    });
    const operator = hessianOperator(point, curvature.layout);
    expect(operator.size).toBe(43);
    const top = Math.abs(golden.eigenvalues.at(-1) as number);
    const pairs = await topEigenpairs(operator, { count: 43, which: "smallest", tolerance: 0 });
    expectAllClose(pairs.values, golden.eigenvalues, { absolute: 1e-4 * top });
    expectAllCloseUpToSign(pairs.vectors[42] as Float64Array, golden.top_eigenvector, { absolute: 1e-4 });
    const trace = await estimateTrace(operator);
    expect(trace).toMatchObject({ method: "exact", standardError: 0 });
    expectAllClose([trace.value], [golden.trace], { relative: 1e-4 });
    point.dispose();
  });
});
