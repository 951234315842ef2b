import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import {
  createCurvature,
  curvatureAtScale,
  estimateTrace,
  hessianOperator,
  radiusCurves,
} from "../../src/doors/curvature.js";
import { createLossEvaluator, functionEvaluator } from "../../src/index.js";
import { readWeights } from "../../src/model/bound-weights.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(useTestBackend);

describe("curvatureAtScale", () => {
  test("|x| has 2/ρ at 0, in one dimension", async () => {
    const evaluator = functionEvaluator(([x]) => Math.abs(x as number), 1);
    const { mean, standardError, loss, warnings } = await curvatureAtScale(evaluator, Float32Array.of(0), {
      radii: [0.5, 0.125, 2],
      directions: 4,
    });
    expect(Array.from(mean)).toEqual([4, 16, 1]);
    expect(Array.from(standardError)).toEqual([0, 0, 0]);
    expect(loss).toBe(0);
    expect(warnings).toEqual([]);
  });

  test("a quadratic has its trace at every radius, in the mean", async () => {
    const values = [5, 3, 1, -2];
    const evaluator = functionEvaluator(
      (x) => x.reduce((sum, value, i) => sum + (values[i] * value * value) / 2, 0),
      4,
    );
    const { mean, standardError } = await curvatureAtScale(evaluator, new Float32Array(4), {
      radii: [0.1, 1],
      directions: 400,
      seed: 2,
    });
    for (const r of [0, 1])
      expect(Math.abs((mean[r] as number) - 7)).toBeLessThan(4 * (standardError[r] as number));
  });

  test("on a smooth network it tends to the trace of the Hessian; other weights than trained ones do not move", async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.dense({
          inputShape: [3],
          units: 4,
          kernelInitializer: tf.initializers.glorotNormal({ seed: 1 }),
        }),
        tf.layers.batchNormalization(),
        tf.layers.activation({ activation: "tanh" }),
        tf.layers.dense({ units: 1, kernelInitializer: tf.initializers.glorotNormal({ seed: 2 }) }),
      ],
    });
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    const xs = tf.tensor2d(
      Float32Array.from({ length: 60 }, (_, i) => Math.sin(i)),
      [20, 3],
    );
    const data = { xs, ys: tf.sum(xs, 1, true) };
    const curvature = await createCurvature(model, data);
    const theta = await readWeights(model, curvature.layout);
    const point = await curvature.at(theta);
    const { value } = await estimateTrace(hessianOperator(point, curvature.layout));
    const evaluator = await createLossEvaluator(model, data, { engine: "tfjs" });
    const { mean, standardError } = await curvatureAtScale(evaluator, theta, {
      radii: [0.1],
      directions: 150,
      layout: curvature.layout,
    });
    expect(Math.abs((mean[0] as number) - value)).toBeLessThan(
      4 * (standardError[0] as number) + 0.02 * value,
    );
    evaluator.dispose();
    point.dispose();
  });

  test("where rounding hides the value, a warning tells its size", async () => {
    const evaluator = functionEvaluator(([x]) => Math.fround(1 + 1e-3 * (x as number) ** 2), 1);
    const { warnings, rounding } = await curvatureAtScale(evaluator, Float32Array.of(0), {
      radii: [1, 1e-3],
    });
    expect(warnings.map(({ code }) => code)).toEqual(["curvature-rounding"]);
    expect(warnings[0]?.message).toContain("curvature at scale 0.001: ");
    expect(rounding[1]).toBeCloseTo(0.238, 3);
  });

  test("options that cannot be used; a loss that is not finite stays so", async () => {
    const evaluator = functionEvaluator(([x]) => Math.log(x as number), 1);
    const at = Float32Array.of(0.5);
    await expect(curvatureAtScale(evaluator, at, { radii: [] })).rejects.toThrow(
      "radii: expected finite numbers above 0, got none",
    );
    await expect(curvatureAtScale(evaluator, at, { radii: [0] })).rejects.toThrow("radii: expected");
    await expect(curvatureAtScale(evaluator, at, { radii: [1], directions: 0 })).rejects.toThrow(
      "directions: expected",
    );
    expect((await curvatureAtScale(evaluator, at, { radii: [1] })).mean[0]).toBeNaN();
  });
});

describe("radiusCurves", () => {
  test("mean and largest loss at each radius", async () => {
    const evaluator = functionEvaluator(([x, y]) => (x as number) ** 2 + 3 * (y as number) ** 2, 2);
    const directions = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
    const { losses, mean, maximum } = await radiusCurves(
      evaluator,
      new Float32Array(2),
      directions,
      [0, 1, -2],
    );
    expect(Array.from(losses)).toEqual([0, 1, 4, 0, 3, 12]);
    expect(Array.from(mean)).toEqual([0, 2, 8]);
    expect(Array.from(maximum)).toEqual([0, 3, 12]);
    await expect(radiusCurves(evaluator, new Float32Array(2), [], [1])).rejects.toThrow(
      "directions: expected vectors of 2 numbers, got none",
    );
  });
});
