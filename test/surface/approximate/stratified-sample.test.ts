import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createNormal } from "../../../src/math/random.js";
import {
  quantileStrata,
  stratifiedMean,
  stratifiedSample,
} from "../../../src/surface/approximate/stratified-sample.js";

const labels = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 20, maxLength: 200 });

describe("stratifiedSample", () => {
  test("rows are distinct, increasing and of every stratum; shares add up to 1; a seed repeats it", () => {
    fc.assert(
      fc.property(labels, fc.integer({ min: 0, max: 1000 }), (list, seed) => {
        const set = Int32Array.from(list);
        const size = Math.ceil(set.length / 3);
        const { rows, strata } = stratifiedSample(set, size, seed);
        expect([...rows]).toEqual([...new Set(rows)].sort((a, b) => a - b));
        expect(strata.length).toBe(new Set(list).size);
        expect(strata.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
        expect(strata.reduce((sum, { members }) => sum + members.length, 0)).toBe(rows.length);
        for (const { members, share, correction } of strata) {
          const own = new Set([...members].map((place) => set[rows[place]]));
          expect(own.size).toBe(1);
          const total = list.filter((label) => own.has(label)).length;
          expect(share).toBeCloseTo(total / list.length, 12);
          expect(correction).toBeCloseTo(1 - members.length / total, 12);
          expect(members.length).toBeGreaterThanOrEqual(Math.min(2, total));
        }
        expect([...stratifiedSample(set, size, seed).rows]).toEqual([...rows]);
      }),
    );
  });

  test("strata are drawn in proportion", () => {
    const set = Int32Array.from({ length: 1000 }, (_, i) => (i < 700 ? 0 : i < 900 ? 1 : 2));
    const { strata } = stratifiedSample(set, 100, 0);
    expect(strata.map(({ members }) => members.length)).toEqual([70, 20, 10]);
  });

  test("refuses more rows than there are", () => {
    expect(() => stratifiedSample(new Int32Array(10), 11, 0)).toThrow(
      "subsample: expected from 1 to 10 samples, got 11",
    );
  });
});

describe("stratifiedMean", () => {
  test("over all draws of a small set it is unbiased, and the squared error is the variance", () => {
    const values = Float64Array.of(1, 5, 2, 9, 4, 4, 7, 30);
    const set = Int32Array.of(0, 0, 0, 0, 1, 1, 1, 1);
    const truth = values.reduce((sum, value) => sum + value, 0) / values.length;
    const draws = Array.from({ length: 4000 }, (_, seed) => {
      const sample = stratifiedSample(set, 4, seed);
      return stratifiedMean(
        sample.rows.reduce((own, row, i) => own.fill(values[row], i, i + 1), new Float64Array(4)),
        sample,
      );
    });
    const mean = draws.reduce((sum, draw) => sum + draw.mean, 0) / draws.length;
    const variance = draws.reduce((sum, draw) => sum + (draw.mean - truth) ** 2, 0) / draws.length;
    const stated = draws.reduce((sum, draw) => sum + draw.standardError ** 2, 0) / draws.length;
    expect(Math.abs(mean - truth)).toBeLessThan(4 * Math.sqrt(variance / draws.length));
    expect(stated / variance).toBeGreaterThan(0.93);
    expect(stated / variance).toBeLessThan(1.07);
  });

  test("where all of it is drawn the mean is exact and the error 0", () => {
    const values = Float64Array.of(3, 1, 8);
    const sample = stratifiedSample(Int32Array.of(0, 1, 1), 3, 0);
    expect(stratifiedMean(values, sample)).toEqual({ mean: 4, standardError: 0 });
  });

  test("strata of the loss make the error smaller", () => {
    const random = createNormal(3, "losses");
    const losses = Float64Array.from({ length: 2000 }, () => Math.exp(random()));
    const errorOf = (set: Int32Array) => {
      const sample = stratifiedSample(set, 160, 1);
      return stratifiedMean(
        Float64Array.from(sample.rows, (row) => losses[row]),
        sample,
      ).standardError;
    };
    expect(errorOf(quantileStrata(losses, 10))).toBeLessThan(0.7 * errorOf(new Int32Array(2000)));
  });
});

describe("quantileStrata", () => {
  test("strata are equal in size and in the order of the values, NaN last", () => {
    const strata = quantileStrata(Float64Array.of(5, Number.NaN, -1, 2, Number.POSITIVE_INFINITY, 0), 3);
    expect([...strata]).toEqual([1, 2, 0, 1, 2, 0]);
  });
});
