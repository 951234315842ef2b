import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { stabilityAt } from "../../src/curvature/stability-point.js";
import {
  adamScale,
  type Curvature,
  criticalSharpness,
  hessianDirections,
  preconditionedOperator,
  projectedHessian,
  type SymmetricOperator,
  stabilityThreshold,
  topEigenpairs,
} from "../../src/doors/curvature.js";
import { functionEvaluator } from "../../src/index.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { expectAllClose } from "../support/allclose.js";

const diagonal = (values: readonly number[]): SymmetricOperator => ({
  size: values.length,
  apply: async (x) => x.map((value, i) => value * (values[i] as number)),
});

describe("stabilityThreshold: each optimizer on a quadratic diverges just above it and not just below", () => {
  const rate = 0.01;
  /** |x| after many steps of an optimizer on ½·λ·x², from 1. */
  type Run = (curvature: number) => number;
  const lengthAfter = (step: (x: number, state: number[], t: number) => [number, number[]]) => {
    let [x, state]: [number, number[]] = [1, [0]];
    for (let t = 1; t <= 4000; t++) [x, state] = step(x, state, t);
    return Math.abs(x);
  };
  const momentum = 0.9;
  const runs: [string, number, Run][] = [
    [
      "SGD",
      stabilityThreshold({ name: "sgd", learningRate: rate }).value,
      (c) => lengthAfter((x, s) => [x - rate * c * x, s]),
    ],
    [
      "momentum",
      stabilityThreshold({ name: "momentum", learningRate: rate, momentum }).value,
      (c) =>
        lengthAfter((x, [m]) => {
          const next = momentum * (m as number) + c * x;
          return [x - rate * next, [next]];
        }),
    ],
    [
      "Nesterov",
      stabilityThreshold({ name: "momentum", learningRate: rate, momentum, useNesterov: true }).value,
      (c) =>
        lengthAfter((x, [m]) => {
          const next = momentum * (m as number) + c * x;
          return [x - rate * (c * x + momentum * next), [next]];
        }),
    ],
    [
      "Adam with frozen second moments",
      stabilityThreshold({ name: "adam", learningRate: rate }).value,
      (c) =>
        lengthAfter((x, [m], t) => {
          const next = 0.9 * (m as number) + 0.1 * c * x;
          return [x - (rate * next) / (1 - 0.9 ** t), [next]];
        }),
    ],
    [
      "RMSProp with frozen second moments",
      stabilityThreshold({ name: "rmsprop", learningRate: rate, momentum }).value,
      (c) =>
        lengthAfter((x, [m]) => {
          const next = momentum * (m as number) + rate * c * x;
          return [x - next, [next]];
        }),
    ],
  ];

  test.each(runs)("%s", (_, threshold, run) => {
    expect(run(threshold * (38.1 / 38))).toBeGreaterThan(100);
    expect(run(threshold * (37.9 / 38))).toBeLessThan(100);
  });

  test("Adam's is 38/η of the preconditioned Hessian; others have none", () => {
    expect(stabilityThreshold({ name: "adam", learningRate: rate })).toEqual({
      value: expect.closeTo(38 / rate, 6),
      matrix: "preconditioned",
    });
    expect(() => stabilityThreshold({ name: "adagrad" as "sgd", learningRate: rate })).toThrow(
      'optimizer: expected "sgd", "momentum", "adam" or "rmsprop", got "adagrad"; Adagrad, Adadelta and Adamax have no',
    );
    expect(() => stabilityThreshold({ name: "sgd", learningRate: 0 })).toThrow("learningRate: expected");
    expect(() => stabilityThreshold({ name: "momentum", learningRate: 1, momentum: 1 })).toThrow(
      "momentum: expected",
    );
  });

  test("the preconditioned Hessian, and Adam's scale", async () => {
    const scale = adamScale(Float64Array.of(0.25, 4, 0), 1);
    expectAllClose(scale, [0.1 * (Math.sqrt(250) + 1e-7), 0.1 * (Math.sqrt(4000) + 1e-7), 1e-8], {
      relative: 1e-9,
    });
    const { values } = await topEigenpairs(
      preconditionedOperator(diagonal([8, 2, 6]), Float64Array.of(2, 1, 3)),
      { count: 3 },
    );
    expectAllClose(values, [4, 2, 2], { absolute: 1e-9 });
    expect(() => adamScale(Float64Array.of(1), 0)).toThrow(
      "updates: expected a whole number of at least 1, got 0",
    );
    expect(() => adamScale(Float64Array.of(-1), 1)).toThrow("v: expected");
    expect(() => preconditionedOperator(diagonal([1]), Float64Array.of(0))).toThrow("scale: expected");
    expect(() => preconditionedOperator(diagonal([1]), new Float64Array(2))).toThrow(
      "scale: expected 1 numbers, got 2",
    );
  });
});

describe("criticalSharpness", () => {
  const curvatures = [5, 3, 0.5];
  const quadratic = functionEvaluator(
    (x) => x.reduce((s, value, i) => s + (curvatures[i] * value * value) / 2, 0),
    3,
  );
  const theta = Float32Array.of(1, -2, 3);

  test("a first rate just below η_c, at which the loss has fallen by no more than rounding, is no cause for doubt", async () => {
    const parabola = functionEvaluator(([x]) => (x as number) ** 2, 1);
    const found = await criticalSharpness(parabola, Float32Array.of(1), Float32Array.of(-2), {
      start: 0.5 * (1 - 3e-7),
    });
    expect(found.warnings).toEqual([]);
    expect(found.sharpness).toBeCloseTo(2, 2);
  });
  const gradient = theta.map((x, i) => curvatures[i] * x);
  const update = gradient.map((g) => -g);
  const expected =
    gradient.reduce((s, g, i) => s + curvatures[i] * g * g, 0) / gradient.reduce((s, g) => s + g * g, 0);

  test.each([0.01, 0.3, 5])("on a quadratic along −g it is gᵀHg/‖g‖², from a start of %s", async (start) => {
    const { sharpness, rate, evaluations, warnings } = await criticalSharpness(quadratic, theta, update, {
      start,
    });
    expect(Math.abs(sharpness / expected - 1)).toBeLessThan(1e-3);
    expect(rate).toBeCloseTo(2 / sharpness, 9);
    expect(evaluations).toBeLessThan(13);
    expect(warnings).toEqual([]);
  });

  test("with a start near it, six losses are enough", async () => {
    const { evaluations } = await criticalSharpness(quadratic, theta, update, { start: 1.3 / expected });
    expect(evaluations).toBeLessThanOrEqual(6);
  });

  test("with loss and slope at θ, two losses are enough on a quadratic, and few elsewhere", async () => {
    const known = {
      loss: (await quadratic.evaluate(theta)).loss,
      slope: -gradient.reduce((sum, g) => sum + g * g, 0),
    };
    const { evaluations, sharpness } = await criticalSharpness(quadratic, theta, update, {
      ...known,
      start: 2.6 / expected,
    });
    expect(evaluations).toBeLessThanOrEqual(3);
    expect(Math.abs(sharpness / expected - 1)).toBeLessThan(1e-3);
    const wrong = criticalSharpness(quadratic, theta, update, { slope: 1 });
    await expect(wrong).rejects.toThrow("slope: expected a number below 0, got 1");
  });

  test.each([0.6, 1.05, 1.25, 10])(
    "a loss that falls steeply and then lies flat has its η_c, from %s times it",
    async (times) => {
      // exp(−r/r₀) + (r/10)²: η_c is 10 where r₀ is far below.
      for (const fall of [0.01, 0.2, 0.5]) {
        const valley = functionEvaluator(
          ([r]) => Math.exp(-(r as number) / fall) + (r as number) ** 2 / 100,
          1,
        );
        for (const slope of [-1 / fall, undefined]) {
          const { rate, evaluations } = await criticalSharpness(
            valley,
            Float32Array.of(0),
            Float32Array.of(1),
            {
              start: 10 * times,
              slope,
            },
          );
          expect(Math.abs(rate / 10 - 1)).toBeLessThan(0.01);
          expect(evaluations).toBeLessThan(20);
        }
      }
    },
  );

  test("no rate that raises the loss; losses that are not finite; changes below rounding", async () => {
    const slope = functionEvaluator(([x]) => x as number, 1);
    const none = await criticalSharpness(slope, Float32Array.of(0), Float32Array.of(-1));
    expect(none).toMatchObject({ sharpness: Number.NaN, rate: Number.NaN, evaluations: 40 });
    expect(none.between[1]).toBe(Number.POSITIVE_INFINITY);
    expect(none.warnings[0]?.message).toMatch(
      /after 40 losses, no rate up to 2\.75e\+9 raises the loss: critical sharpness is below 7\.28e-10$/,
    );
    const wall = functionEvaluator(([x]) => ((x as number) < -1 ? Number.NaN : (x as number)), 1);
    const { rate } = await criticalSharpness(wall, Float32Array.of(0), Float32Array.of(-1));
    expect(Math.abs(rate - 1)).toBeLessThan(0.02);
    const flat = functionEvaluator(([x]) => 1 + 1e-9 * ((x as number) - 1) ** 2, 1);
    const { warnings } = await criticalSharpness(flat, Float32Array.of(0), Float32Array.of(1));
    expect(warnings.map(({ code }) => code)).toEqual(["critical-sharpness-rounding"]);
    const gone = functionEvaluator(() => Number.NaN, 1);
    const undefinedThere = await criticalSharpness(gone, Float32Array.of(0), Float32Array.of(1));
    expect(undefinedThere).toMatchObject({ sharpness: Number.NaN, evaluations: 1 });
    const message = "critical sharpness: the loss at the weights is NaN, and no rate raises it";
    expect(undefinedThere.warnings).toEqual([{ code: "critical-sharpness-loss", message }]);
  });

  // The rate is doubled, or halved, or η_c is bracketed but not yet known to 1 %.
  test.each([
    [1e-4, "no rate up to 0.000800 raises the loss: critical sharpness is below 2.50e+3"],
    [1e4, "every rate down to 1.25e+3 raises the loss: critical sharpness is above 0.00160"],
    [
      3,
      "the smallest rate that raises the loss lies between 0.375 and 0.750: critical sharpness is from 2.67 to 5.33",
    ],
  ])(
    "losses that are used up before η_c is known, from %s: no number, and where it lies",
    async (start, where) => {
      const { loss } = await quadratic.evaluate(theta);
      const found = await criticalSharpness(quadratic, theta, update, { start, loss, evaluations: 4 });
      expect(found).toMatchObject({ sharpness: Number.NaN, rate: Number.NaN, evaluations: 4 });
      const message = `critical sharpness: after 4 losses, ${where}`;
      expect(found.warnings).toEqual([{ code: "critical-sharpness-open", message }]);
      expect(2 / expected).toBeGreaterThan(found.between[0]);
      expect(2 / expected).toBeLessThan(found.between[1]);
    },
  );

  test("options that cannot be used", async () => {
    await expect(criticalSharpness(quadratic, theta, new Float32Array(3))).rejects.toThrow(
      "update: expected 3 finite numbers, not all zero",
    );
    await expect(criticalSharpness(quadratic, theta, update, { start: 0 })).rejects.toThrow(
      "start: expected",
    );
    await expect(criticalSharpness(quadratic, theta, update, { evaluations: 2 })).rejects.toThrow(
      "evaluations: expected",
    );
  });
});

test("at a snapshot whose loss falls along the whole update, critical sharpness is not defined, with the reason", async () => {
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2], useBias: false })] });
  const gradient = Float64Array.of(1, 0);
  const curvature = {
    layout: layoutOfModel(model),
    at: async () => ({
      loss: 0,
      gradient,
      hessianVector: async () => new Float64Array(2),
      gaussNewtonVector: async () => new Float64Array(2),
      dispose() {},
    }),
  } as unknown as Curvature;
  const { point } = await stabilityAt(
    {
      curvature,
      evaluator: functionEvaluator(([x]) => x as number, 2),
      batches: { reason: "none" },
      tolerance: 0.01,
      traceProducts: 0,
      seed: 0,
    },
    Float32Array.of(0, 0),
    { optimizer: { className: "SGD", config: {} }, learningRate: 0.1, state: null },
  );
  expect(point.criticalSharpness).toBeNaN();
  expect(point.reasons.criticalSharpness).toBe(
    "the rate that raises the loss was not found within 40 losses",
  );
  model.dispose();
});

describe("planes", () => {
  test("eigenvectors as directions, and the Hessian within a plane", async () => {
    const values = [7, -3, 1];
    const operator = { ...diagonal(values), ranges: [{ start: 1, end: 4 }] };
    const theta = new Float32Array(5);
    const pairs = await topEigenpairs(operator, { count: 2, tolerance: 1e-9 });
    const directions = hessianDirections(theta, operator, pairs);
    expect(directions.labels).toEqual(["eigenvector 1 (λ = 7.00)", "eigenvector 2 (λ = -3.00)"]);
    expectAllClose(directions.vectors[0] as Float32Array, [0, 1, 0, 0, 0], { absolute: 1e-6 });
    expect(() => hessianDirections(theta, operator, pairs, 3)).toThrow(
      "count: expected at most 2 eigenpairs, got 3",
    );
    const point = {
      loss: 0,
      gradient: new Float64Array(5),
      hessianVector: async (x: ArrayLike<number>) =>
        Float64Array.from(x, (v, i) => v * ([0, ...values, 0][i] as number)),
      gaussNewtonVector: async () => new Float64Array(5),
      dispose() {},
    };
    const plane = [Float32Array.of(0, 2, 0, 0, 0), Float32Array.of(0, 1, 1, 0, 0)];
    const { matrix, values: found, axes } = await projectedHessian(point, plane);
    expect(Array.from(matrix)).toEqual([28, 14, 14, 4]);
    expect(found[0] * found[1]).toBeCloseTo(28 * 4 - 14 * 14, 9);
    expect(28 * axes[0] + 14 * axes[1]).toBeCloseTo(found[0] * axes[0], 9);
    await expect(projectedHessian(point, [])).rejects.toThrow(
      "vectors: expected at least one direction, got none",
    );
  });
});
