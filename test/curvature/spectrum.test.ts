import { describe, expect, test } from "vitest";
import {
  estimateTrace,
  type SymmetricOperator,
  spectralDensity,
  topEigenpairs,
} from "../../src/doors/curvature.js";
import { expectAllClose } from "../support/allclose.js";

/** A diagonal matrix in a basis turned by reflections, so that it is full. */
function turned(values: readonly number[]): SymmetricOperator {
  const n = values.length;
  const axes = [1, 2, 3].map((key) => {
    const axis = Float64Array.from({ length: n }, (_, i) => Math.sin(key * (i + 1) * 1.7) + 0.1);
    const length = Math.hypot(...axis);
    return axis.map((value) => value / length);
  });
  const reflect = (x: Float64Array, axis: Float64Array) => {
    const share = 2 * x.reduce((sum, value, i) => sum + value * axis[i], 0);
    return x.map((value, i) => value - share * axis[i]);
  };
  return {
    size: n,
    async apply(vector) {
      const inside = axes.reduce(reflect, vector).map((value, i) => value * (values[i] as number));
      return [...axes].reverse().reduce(reflect, inside);
    },
  };
}

function diagonal(values: readonly number[]): SymmetricOperator {
  return { size: values.length, apply: async (x) => x.map((value, i) => value * (values[i] as number)) };
}

const powers = (n: number, c: number) => Array.from({ length: n }, (_, i) => (i + 1) ** -c);
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

describe("topEigenpairs", () => {
  const values = [9, -8, 5, -3, ...Array.from({ length: 60 }, (_, i) => Math.cos(i))];
  const operator = turned(values);

  test("by magnitude and at both ends, with true residuals", async () => {
    const top = await topEigenpairs(operator, { count: 4, tolerance: 1e-8 });
    expectAllClose(top.values, [9, -8, 5, -3], { absolute: 1e-7 });
    expect(top.isConverged).toBe(true);
    for (const [k, vector] of top.vectors.entries()) {
      const image = await operator.apply(vector);
      const residual = Math.hypot(...image.map((x, i) => x - (top.values[k] as number) * vector[i]));
      expect(Math.abs(residual - (top.residuals[k] as number))).toBeLessThan(1e-12);
      expect(residual).toBeLessThan(1e-7);
      expect(Math.hypot(...vector)).toBeCloseTo(1, 12);
    }
    const ends = await Promise.all(
      (["largest", "smallest"] as const).map((which) => topEigenpairs(operator, { count: 2, which })),
    );
    expectAllClose([...(ends[0]?.values ?? [])], [9, 5], { absolute: 1e-3 });
    expectAllClose([...(ends[1]?.values ?? [])], [-8, -3], { absolute: 1e-3 });
  });

  test("too few products: what was found, and that it has not converged", async () => {
    const top = await topEigenpairs(operator, { count: 4, products: 4, tolerance: 1e-6 });
    expect(top.isConverged).toBe(false);
    expect(top.products).toBe(8);
    expect(Math.max(...top.residuals)).toBeGreaterThan(0.1);
  });

  test("a good start needs few products; eigenvalues that repeat, and a matrix of zeros", async () => {
    const { vectors } = await topEigenpairs(operator, { count: 1, tolerance: 1e-8 });
    const near = await topEigenpairs(operator, { count: 1, start: vectors[0] });
    expect(near.products).toBeLessThan(8);
    expectAllClose(near.values, [9], { absolute: 1e-6 });
    const repeated = await topEigenpairs(turned([3, 3, 1, 1, 1]), { count: 5 });
    expectAllClose(repeated.values, [3, 3, 1, 1, 1], { absolute: 1e-9 });
    const zero = await topEigenpairs(diagonal([0, 0, 0]), { count: 2 });
    expect(Array.from(zero.values)).toEqual([0, 0]);
    expect(zero.isConverged).toBe(true);
  });

  test("options that cannot be used, and products that are not finite", async () => {
    await expect(topEigenpairs(operator, { count: 0 })).rejects.toThrow(
      "count: expected a whole number of at least 1, got 0",
    );
    await expect(topEigenpairs(operator, { which: "middle" as "largest" })).rejects.toThrow(
      'which: expected one of "magnitude", "largest", "smallest", "ends", got "middle"',
    );
    await expect(topEigenpairs(operator, { tolerance: -1 })).rejects.toThrow("tolerance: expected");
    await expect(topEigenpairs(operator, { start: new Float64Array(3) })).rejects.toThrow(
      "start: expected a vector of 64 numbers, not all zero, got 3 numbers",
    );
    await expect(topEigenpairs(diagonal([1, Number.NaN]))).rejects.toThrow("a finite product, got NaN");
  });
});

describe("estimateTrace", () => {
  test.each([0.5, 1, 2, 3])(
    "λᵢ = i^-%s: XTrace is within its standard error, and beats Hutchinson where few dominate",
    async (c) => {
      const values = powers(500, c);
      const operator = turned(values);
      const xtrace = await estimateTrace(operator, { method: "xtrace", products: 80, seed: 1 });
      expect(Math.abs(xtrace.value - sum(values))).toBeLessThan(4 * xtrace.standardError);
      const plain = await estimateTrace(operator, { method: "hutchinson", products: 80, seed: 1 });
      expect(Math.abs(plain.value - sum(values))).toBeLessThan(4 * plain.standardError);
      if (c >= 2) expect(xtrace.standardError).toBeLessThan(0.2 * plain.standardError);
      expect([xtrace.products, plain.products]).toEqual([80, 80]);
    },
  );

  test("XTrace is unbiased: the mean over many seeds", async () => {
    const values = powers(60, 1);
    const operator = turned(values);
    const found = await Promise.all(
      Array.from({ length: 200 }, (_, seed) =>
        estimateTrace(operator, { method: "xtrace", products: 12, seed }),
      ),
    );
    const mean = sum(found.map(({ value }) => value)) / found.length;
    const spread = Math.sqrt(sum(found.map(({ value }) => (value - mean) ** 2)) / found.length);
    expect(Math.abs(mean - sum(values))).toBeLessThan((4 * spread) / Math.sqrt(found.length));
    // What it says of itself is what it does.
    const said = sum(found.map(({ standardError }) => standardError)) / found.length;
    expect(said / spread).toBeGreaterThan(0.5);
    expect(said / spread).toBeLessThan(2);
  });

  test("exact cases: a diagonal with ±1 probes, few columns, few ranks", async () => {
    const signs = await estimateTrace(diagonal([1, 2, -4]), { method: "hutchinson", products: 5 });
    expect(signs).toEqual({ value: -1, standardError: 0, method: "hutchinson", products: 5 });
    expect(await estimateTrace(diagonal([1, 2, -4]))).toEqual({
      value: -1,
      standardError: 0,
      method: "exact",
      products: 3,
    });
    const low = await estimateTrace(turned([5, -2, ...new Array<number>(40).fill(0)]), {
      method: "xtrace",
      products: 20,
    });
    expect(low.value).toBeCloseTo(3, 9);
    expect(low.standardError).toBe(0);
    const zero = await estimateTrace(diagonal([0, 0, 0]), { method: "xtrace" });
    expect(zero.value).toBe(0);
  });

  test("options that cannot be used", async () => {
    const operator = diagonal([1, 2]);
    await expect(estimateTrace(operator, { method: "guess" as "exact" })).rejects.toThrow(
      'method: expected "xtrace", "hutchinson" or "exact", got "guess"',
    );
    await expect(estimateTrace(operator, { products: 1 })).rejects.toThrow("products: expected");
    await expect(estimateTrace(diagonal([Number.NaN]))).rejects.toThrow("a finite product");
  });
});

describe("spectralDensity", () => {
  /** ∫ density between two places. */
  const mass = (
    { values, density }: { values: Float64Array; density: Float64Array },
    from: number,
    to: number,
  ) => {
    const step = (values[1] as number) - (values[0] as number);
    return step * density.reduce((a, one, i) => a + (values[i] >= from && values[i] <= to ? one : 0), 0);
  };

  test("three spikes are taken out; the bulk has its mass where its eigenvalues are", async () => {
    const bulk = Array.from({ length: 200 }, (_, i) =>
      i < 150 ? 0.01 * Math.sin(i) : 1 + 0.05 * Math.sin(i),
    );
    const operator = turned([50, 30, -20, ...bulk]);
    const found = await spectralDensity(operator, { outliers: 3, probes: 8, steps: 80 });
    expectAllClose(found.outliers?.values ?? [], [50, 30, -20], { absolute: 1e-3 });
    expect(mass(found, -100, 100)).toBeCloseTo(200 / 203, 2);
    expect(Math.abs(mass(found, -0.2, 0.2) - 150 / 203)).toBeLessThan(0.05);
    expect(Math.abs(mass(found, 0.8, 1.2) - 50 / 203)).toBeLessThan(0.05);
    expect(found.values.at(-1)).toBeLessThan(2);
  });

  test("a matrix smaller than the steps has bumps as wide as its eigenvalues are apart", async () => {
    const operator = diagonal([1, 2, 3, 4, 5, 6]);
    const found = await spectralDensity(operator, { outliers: 0, probes: 2, steps: 96 });
    // 6 values over a range of 5, with margins of 0.05.
    expect(found.width).toBeCloseTo((5 * 1.1) / 5 / Math.sqrt(8 * Math.log(3)), 5);
    expect(mass(found, -100, 100)).toBeCloseTo(1, 2);
  });

  test("without deflation the spikes have their share each", async () => {
    const operator = turned([50, 30, -20, ...Array.from({ length: 57 }, (_, i) => 0.1 * Math.sin(i))]);
    const found = await spectralDensity(operator, { outliers: 0, probes: 30, steps: 40 });
    expect(found.outliers).toBeNull();
    for (const spike of [50, 30, -20]) {
      expect(Math.abs(mass(found, spike - 5, spike + 5) - 1 / 60)).toBeLessThan(0.01);
    }
    expect(mass(found, -100, 100)).toBeCloseTo(1, 2);
  });

  test("options that cannot be used", async () => {
    const operator = diagonal([1, 2, 3, 4]);
    await expect(spectralDensity(operator, { steps: 1 })).rejects.toThrow("steps: expected");
    await expect(spectralDensity(operator, { sharpness: 1 })).rejects.toThrow(
      "sharpness: expected a number above 1",
    );
    await expect(spectralDensity(operator, { margin: -1 })).rejects.toThrow("margin: expected");
  });
});
