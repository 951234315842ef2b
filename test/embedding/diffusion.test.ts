import { describe, expect, test } from "vitest";
import { distanceMatrix, distancesFromRows, rowDistances } from "../../src/embedding/distance-source.js";
import { alphaDecayKernel } from "../../src/embedding/phate/alpha-decay-kernel.js";
import {
  diffusionPotential,
  diffusionPower,
  kernelPower,
  kneePoint,
  vonNeumannEntropy,
} from "../../src/embedding/phate/diffusion-potential.js";
import {
  denseFromSparse,
  diffusionOperator,
  sparseFromDense,
} from "../../src/embedding/phate/sparse-matrix.js";
import type { LinearAlgebra } from "../../src/math/linear-algebra.js";
import { densityOf, rowGram } from "../../src/math/row-kernels.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";
import { maxDifference } from "./golden.js";
import { branchingWalk, normal, uniform } from "./random-points.js";

const n = 40;
const kernel = alphaDecayKernel(distancesFromRows(branchingWalk(n, 5, 3), "euclidean"));
const operator = diffusionOperator(kernel);

function densePower(p: Float64Array, t: number): Float64Array {
  let power = p;
  for (let step = 1; step < t; step++) {
    const next = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < n; k++) {
        for (let j = 0; j < n; j++) next[i * n + j] = next[i * n + j] + power[i * n + k] * p[k * n + j];
      }
    }
    power = next;
  }
  return power;
}

describe("P^t", () => {
  test("equals repeated dense products, and its rows sum to 1", () => {
    for (const t of [1, 2, 7, 30]) {
      const power = diffusionPower(operator, t);
      expect(maxDifference(power, densePower(denseFromSparse(operator), t))).toBeLessThan(1e-15);
      for (let i = 0; i < n; i++) {
        expect(power.subarray(i * n, (i + 1) * n).reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 13);
      }
    }
  });

  test.each([1, 2, 3, 4, 5, 22, 23, 60])("t = %i in half of the steps, digit by digit", async (t) => {
    const expected = diffusionPower(operator, t);
    const fast = { ...plainLinearAlgebra, hasFastRowProducts: true };
    for (const algebra of [fast, plainLinearAlgebra]) {
      const power = await kernelPower(kernel, t, algebra);
      // No entry loses digits, however small it is; those that diffusion does not reach are 0.
      expected.forEach((value, p) => {
        expect(Math.abs(power[p] - value)).toBeLessThanOrEqual(1e-12 * value);
      });
    }
    await expect(kernelPower(kernel, 4.5, fast)).rejects.toThrow("t: expected an integer ≥ 1, got 4.5");
  });

  test("t must be a whole number ≥ 1", () => {
    expect(() => diffusionPower(operator, 0)).toThrow("t: expected an integer ≥ 1, got 0");
    expect(() => diffusionPower(operator, 1.5)).toThrow("t: expected an integer ≥ 1, got 1.5");
  });
});

describe("potential", () => {
  const power = Float64Array.of(0, 0.25, 1);

  test("for every γ", () => {
    expect([...diffusionPotential(power, 1)]).toEqual([0, 0.25, 1].map((p) => -Math.log(p + 1e-7)));
    expect([...diffusionPotential(power, -1)]).toEqual([0, 0.25, 1]);
    expect([...diffusionPotential(power, 0)]).toEqual([0, 1, 2]);
    expect(diffusionPotential(power, 0.5)[1]).toBeCloseTo(0.25 ** 0.25 / 0.25, 15);
  });

  test("γ outside [−1, 1]", () => {
    expect(() => diffusionPotential(power, 1.1)).toThrow("gamma: expected −1 ≤ gamma ≤ 1, got 1.1");
    expect(() => diffusionPotential(power, Number.NaN)).toThrow("gamma");
  });
});

describe("distances between rows", () => {
  const next = normal(5);
  const dense = new Float64Array(31 * 700).map(next);
  const keep = uniform(9);
  const sparse = new Float64Array(31 * 700).map(() => (keep() < 0.2 ? next() : 0));

  test("dense and sparse products agree with the plain sum", () => {
    for (const v of [dense, sparse]) {
      const gram = rowGram(v, 31, 700);
      expect(densityOf(v) > 0.9).toBe(v === dense);
      for (let i = 0; i < 31; i++) {
        for (let j = 0; j < 31; j++) {
          let sum = 0;
          for (let k = 0; k < 700; k++) sum += v[i * 700 + k] * v[j * 700 + k];
          expect(gram[i * 31 + j]).toBeCloseTo(sum, 10);
        }
      }
    }
  });

  test("the background changes nothing", async () => {
    const shifted = sparse.map((value) => value + 16);
    for (const metric of ["euclidean", "cosine"] as const) {
      const direct = distanceMatrix(distancesFromRows({ rows: shifted, count: 31, dimension: 700 }, metric));
      for (const background of [0, 16]) {
        const options = { metric, background };
        const distances = await rowDistances(shifted, 31, 700, plainLinearAlgebra, options);
        expect(maxDifference(distances, direct)).toBeLessThan(1e-8);
      }
    }
  });

  test("equal rows are at distance 0 exactly, close ones as far as they are", async () => {
    for (const v of [dense, sparse]) {
      const rows = new Float64Array(3 * 700);
      for (const i of [0, 1, 2]) rows.set(v.subarray(700, 1400), i * 700);
      rows[3 * 700 - 1] = rows[3 * 700 - 1] + 1e-9;
      // Products that err in their last digits, as those of a library may.
      const rounded: LinearAlgebra = {
        ...plainLinearAlgebra,
        rowProducts: async (...call) =>
          (await plainLinearAlgebra.rowProducts(...call)).map((value, p) => value * (1 + p * 1e-16)),
      };
      const apart = rows[3 * 700 - 1] - rows[2 * 700 - 1];
      const expected = [0, 0, apart, 0, 0, apart, apart, apart, 0];
      expect([...(await rowDistances(rows, 3, 700, rounded))]).toEqual(expected);
    }
  });

  test("cosine of a row without direction", async () => {
    const distances = rowDistances(Float64Array.of(1, 0, 0, 0), 2, 2, plainLinearAlgebra, {
      metric: "cosine",
    });
    await expect(distances).rejects.toThrow(/^row 1/);
  });
});

describe("entropy", () => {
  test("of n equal singular values is ln n at every power", () => {
    for (const h of vonNeumannEntropy(new Float64Array(8).fill(0.3), 5))
      expect(h).toBeCloseTo(Math.log(8), 12);
  });

  test("of one dominating value falls to 0", () => {
    const entropy = vonNeumannEntropy(Float64Array.of(1, 0.5, 0.25, 0));
    expect(entropy[0]).toBeCloseTo(
      -(4 / 7) * Math.log(4 / 7) - (2 / 7) * Math.log(2 / 7) - (1 / 7) * Math.log(1 / 7),
      12,
    );
    expect(entropy[99]).toBeLessThan(1e-10);
  });
});

describe("knee", () => {
  test("of two straight lines is where they meet", () => {
    const y = Float64Array.from({ length: 30 }, (_, i) => (i < 10 ? 10 - i : 0.1 * (10 - i)));
    expect(kneePoint(y)).toBe(10);
  });

  test("needs three finite points", () => {
    expect(() => kneePoint(Float64Array.of(1, 2))).toThrow(
      "knee point: expected a curve of at least 3 points, got 2",
    );
    expect(() => kneePoint(Float64Array.of(1, Number.NaN, 2))).toThrow("knee point, value 1");
  });
});

test("a sparse matrix from a dense one keeps what is not 0", () => {
  expect(sparseFromDense(Float64Array.of(0, 2, 0, 0), 2, 2).values).toEqual(Float64Array.of(2));
});
