import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  singularValues,
  tridiagonalEigenvaluesInto,
  tridiagonalizeInto,
} from "../../src/math/tridiagonal.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";

const entries = (size: number) =>
  fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: size, maxLength: size });

describe("singular values", () => {
  test("agree with a full decomposition, for tall, wide and square matrices", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom([1, 1], [6, 6], [9, 4], [4, 9], [7, 1]),
        entries(81),
        async ([r, c], values) => {
          const matrix = Float64Array.from(values.slice(0, r * c));
          const expected = await plainLinearAlgebra.singularValues(matrix, r, c);
          const actual = singularValues(matrix, r, c);
          expect(actual.length).toBe(Math.min(r, c));
          // Squaring: below 1e-7 of the largest a value may come out as 0.
          actual.forEach((value, i) => {
            expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(3e-7 * expected[0] + 1e-12);
          });
          expect(values.slice(0, r * c)).toEqual([...matrix]);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("of a diagonal matrix are exact, and exact zeros stay zero", () => {
    expect([...singularValues(Float64Array.of(0, -3, 0, 0, 0, 2, 0, 0, 0), 3, 3)]).toEqual([3, 2, 0]);
    expect([...singularValues(new Float64Array(4), 2, 2)]).toEqual([0, 0]);
    const rankOne = Float64Array.from({ length: 25 }, (_, p) => (1 + Math.floor(p / 5)) * (2 + (p % 5)));
    expect([...singularValues(rankOne, 5, 5).subarray(1)]).toEqual([0, 0, 0, 0]);
  });

  test("of a larger matrix err by 1e-12 of the largest", async () => {
    let state = 1;
    const next = (): number => {
      state = (state * 48271) % 2147483647;
      return state / 2147483647;
    };
    const matrix = new Float64Array(120 * 120).map(() => (next() < 0.1 ? next() : 0));
    const expected = await plainLinearAlgebra.singularValues(matrix, 120, 120);
    const actual = singularValues(matrix, 120, 120);
    expected.forEach((value, i) => {
      if (value > 1e-3 * expected[0]) expect(Math.abs(actual[i] - value)).toBeLessThan(1e-12 * expected[0]);
    });
  });
});

describe("tridiagonal form", () => {
  test("keeps the trace, the sum of squares and the eigenvalues", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), entries(81), async (n, drawn) => {
        // The decomposition compared with fails on some denormal numbers.
        const values = drawn.map((value) => Math.round(value * 1e6) / 1e6);
        const matrix = new Float64Array(n * n);
        for (let i = 0; i < n; i++) {
          for (let j = 0; j <= i; j++) {
            matrix[i * n + j] = values[i * 9 + j];
            matrix[j * n + i] = values[i * 9 + j];
          }
        }
        const { values: expected } = await plainLinearAlgebra.symmetricEigen(matrix.slice(), n);
        const form = tridiagonalizeInto(matrix.slice(), n);
        let trace = 0;
        for (let i = 0; i < n; i++) trace += matrix[i * n + i];
        expect(form.diagonal.reduce((sum, value) => sum + value, 0)).toBeCloseTo(trace, 9);
        tridiagonalEigenvaluesInto(form).forEach((value, i) => {
          expect(value).toBeCloseTo(expected[i], 9);
        });
      }),
    );
  });

  test("of denormal numbers ends", () => {
    const matrix = new Float64Array(9);
    matrix[3] = 5e-324;
    matrix[7] = 1e-200;
    for (const value of tridiagonalEigenvaluesInto(tridiagonalizeInto(matrix, 3))) {
      expect(Math.abs(value)).toBeLessThan(1e-150);
    }
  });

  test("eigenvalues of the second-difference matrix", () => {
    const n = 12;
    const values = tridiagonalEigenvaluesInto({
      diagonal: new Float64Array(n).fill(2),
      subdiagonal: new Float64Array(n).fill(-1).fill(0, 0, 1),
    });
    values.forEach((value, i) => {
      expect(value).toBeCloseTo(2 + 2 * Math.cos(((i + 1) * Math.PI) / (n + 1)), 12);
    });
  });

  test("numbers that are not finite end in an error, not in a loop", () => {
    const diagonal = Float64Array.of(1, Number.NaN, 2);
    expect(() => tridiagonalEigenvaluesInto({ diagonal, subdiagonal: Float64Array.of(0, 1, 1) })).toThrow(
      /tridiagonal matrix: expected finite numbers, got NaN/,
    );
  });
});
