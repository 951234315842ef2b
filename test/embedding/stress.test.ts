import { describe, expect, test } from "vitest";
import { StepMemory } from "../../src/embedding/mds/smacof.js";
import { centeredCoordinates, guttmanInto } from "../../src/embedding/mds/stress.js";
import { maxDifference } from "./golden.js";
import { normal } from "./random-points.js";

/** The transform and the stress by their formulas, pair by pair. */
function bruteForce(delta: Float64Array, x: Float64Array, n: number, k: number): [Float64Array, number] {
  const out = new Float64Array(n * k);
  let stress = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (i === j) continue;
      const length = Math.hypot(...Array.from({ length: k }, (_, c) => x[i * k + c] - x[j * k + c]));
      if (j < i) stress += (length - delta[i * n + j]) ** 2;
      for (let c = 0; c < k; c++) {
        out[i * k + c] += ((delta[i * n + j] / length) * (x[i * k + c] - x[j * k + c])) / n;
      }
    }
  }
  return [out, stress];
}

describe("Guttman transform", () => {
  test.each([
    [2, 2],
    [5, 2],
    [6, 2],
    [7, 1],
    [7, 3],
  ])("of %i points in %i dimensions equals its formula", (n, k) => {
    const next = normal(n + k);
    const x = new Float64Array(n * k).map(next);
    const delta = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < i; j++) {
        delta[i * n + j] = Math.abs(next());
        delta[j * n + i] = delta[i * n + j];
      }
    }
    const out = new Float64Array(n * k);
    const stress = guttmanInto(out, delta, x, n, k);
    const [expected, expectedStress] = bruteForce(delta, x, n, k);
    expect(maxDifference(out, expected)).toBeLessThan(1e-13);
    expect(stress).toBeCloseTo(expectedStress, 12);
  });

  test("of points that coincide is finite", () => {
    const out = new Float64Array(4);
    expect(guttmanInto(out, Float64Array.of(0, 2, 2, 0), new Float64Array(4), 2, 2)).toBe(4);
    expect([...out].every(Number.isFinite)).toBe(true);
  });
});

test("coordinates are centred column by column", () => {
  expect([...centeredCoordinates(Float64Array.of(1, 10, 3, 20), 2, 2)]).toEqual([-1, -5, 1, 5]);
});

test("quasi-Newton directions solve a quadratic in as many steps as it has dimensions", () => {
  const scales = [1, 5, 40];
  const gradient = (x: Float64Array) => x.map((value, i) => scales[i] * value);
  const memory = new StepMemory(5);
  let x = Float64Array.of(1, 1, 1);
  for (let step = 0; step < 12; step++) {
    const g = gradient(x);
    const direction = memory.direction(g);
    // Exact line search along the direction.
    const slope = direction.reduce((sum, value, i) => sum + value * g[i], 0);
    const curvature = direction.reduce((sum, value, i) => sum + scales[i] * value * value, 0);
    if (curvature === 0) break;
    const next = x.map((value, i) => value - (slope / curvature) * direction[i]);
    memory.add(
      next.map((value, i) => value - x[i]),
      gradient(next).map((value, i) => value - g[i]),
    );
    x = next;
    if (step === 3) expect(Math.max(...x.map(Math.abs))).toBeLessThan(1e-9);
  }
  memory.clear();
  expect([...memory.direction(Float64Array.of(1, 2, 3))]).toEqual([1, 2, 3]);
});
