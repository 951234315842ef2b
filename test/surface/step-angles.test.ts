import { describe, expect, it } from "vitest";
import { stepAngles, surfaceGradient } from "../../src/surface/step-angles.js";
import { expectAllClose } from "../support/allclose.js";

const alpha = Float64Array.from({ length: 7 }, (_, i) => -1.5 + i / 2);
const beta = Float64Array.from({ length: 5 }, (_, i) => -1 + i / 2);
const surfaceOf = (loss: (a: number, b: number) => number) => ({
  alpha,
  beta,
  loss: Float64Array.from({ length: 35 }, (_, i) => loss(alpha[i % 7], beta[Math.floor(i / 7)])),
});
const unit = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
const on = (...points: number[]) => ({ coordinates: Float64Array.from(points), dimensions: 2 });

describe("surfaceGradient", () => {
  it("is exact for a quadratic everywhere on the grid, NaN outside and beside non-finite values", () => {
    const surface = surfaceOf((a, b) => 3 * a * a - 2 * a * b + b * b + a - 4);
    for (const [a, b] of [
      [0.3, 0.1],
      [-1.5, -1],
      [1.5, 1],
      [1.4, -0.9],
    ]) {
      expectAllClose(surfaceGradient(surface, a, b), [6 * a - 2 * b + 1, 2 * b - 2 * a], { absolute: 1e-12 });
    }
    expect(surfaceGradient(surface, 1.6, 0)).toEqual([Number.NaN, Number.NaN]);
    surface.loss[0] = Number.POSITIVE_INFINITY;
    expect(surfaceGradient(surface, -1.4, -0.9).every((value) => Number.isFinite(value))).toBe(false);
    expect(surfaceGradient(surface, 0.5, 0.5).every((value) => Number.isFinite(value))).toBe(true);
  });
});

describe("stepAngles", () => {
  it("is 0 straight down, 90 along the contours, 180 straight up", () => {
    const surface = surfaceOf((a) => a * a);
    const { degrees, inPlaneStep, gradientNorm } = stepAngles(
      on(1, 0, 0.5, 0, 0.5, 0.5, 1, 0.5, 1, 0.5),
      surface,
      {
        vectors: unit,
      },
    );
    expectAllClose(degrees.subarray(0, 3), [0, 90, 180], { absolute: 1e-6 });
    expect(degrees[3]).toBeNaN();
    expectAllClose(inPlaneStep, [0.5, 0.5, 0.5, 0]);
    expectAllClose(gradientNorm, [2, 1, 1, 2]);
  });

  it("measures in weight space, whatever the lengths and angles of the directions", () => {
    // θ = (a + b, 2b): the same points and the same loss θ₀² + 3θ₁² on orthonormal and on oblique axes.
    const loss = (x: number, y: number) => x * x + 3 * y * y;
    const oblique = surfaceOf((a, b) => loss(a + b, 2 * b));
    const points = [1, 0.5, 0.2, 0.25, -0.5, 0.1];
    const turned = points.map((_, i) => (i % 2 === 0 ? points[i] + points[i + 1] : 2 * points[i]));
    const vectors = [Float32Array.of(1, 0), Float32Array.of(1, 2)];
    const here = stepAngles(on(...points), oblique, { vectors });
    const wide = {
      alpha: alpha.map((a) => 2 * a),
      beta: beta.map((b) => 2 * b),
      loss: Float64Array.from({ length: 35 }, (_, i) => loss(2 * alpha[i % 7], 2 * beta[Math.floor(i / 7)])),
    };
    const there = stepAngles(on(...turned), wide, { vectors: unit });
    expectAllClose(here.degrees, there.degrees, { absolute: 1e-6 });
    expectAllClose(here.inPlaneStep, there.inPlaneStep, { absolute: 1e-6 });
    expectAllClose(here.gradientNorm, there.gradientNorm, { absolute: 1e-6 });
  });

  it("says how far an angle may be off where the loss bends within the grid's steps", () => {
    const [n, step] = [21, 0.2];
    const at = Float64Array.from({ length: n }, (_, i) => (i - 10) * step);
    const loss = (a: number, b: number) => Math.sin(2 * a) + 0.5 * Math.cos(3 * b) + 0.2 * a * b;
    const grid = { alpha: at, beta: at, loss: new Float64Array(n * n) };
    for (let i = 0; i < n * n; i++) grid.loss[i] = loss(at[i % n], at[Math.floor(i / n)]);
    const points = Array.from({ length: 80 }, (_, i) => 1.7 * Math.sin(1 + 0.37 * i * (1 + (i % 2))));
    const { degrees, error = new Float64Array() } = stepAngles(on(...points), grid, { vectors: unit });
    const off = Array.from(degrees, (angle, i) => {
      const [a, b, c, d] = points.slice(2 * i, 2 * i + 4);
      const [g, h] = [2 * Math.cos(2 * a) + 0.2 * b, -1.5 * Math.sin(3 * b) + 0.2 * a];
      const cosine = -((c - a) * g + (d - b) * h) / (Math.hypot(c - a, d - b) * Math.hypot(g, h));
      return Math.abs(angle - (Math.acos(cosine) * 180) / Math.PI);
    });
    expect(Math.max(...off)).toBeGreaterThan(2.5);
    const kept = off.filter((value, i) => value <= error[i] + 0.5).length;
    expect(kept / off.length).toBeGreaterThanOrEqual(0.9);
  });

  it("refuses what is no path on a plane", () => {
    const surface = surfaceOf((a) => a);
    expect(() =>
      stepAngles({ coordinates: Float64Array.of(1), dimensions: 1 }, surface, { vectors: unit }),
    ).toThrow("trajectory");
    expect(() => stepAngles(on(0, 0), surface, { vectors: unit.slice(1) })).toThrow("directions");
    expect(() => stepAngles(on(0, 0), { ...surface, beta: beta.slice(0, 2) }, { vectors: unit })).toThrow(
      "3 × 3",
    );
  });
});
