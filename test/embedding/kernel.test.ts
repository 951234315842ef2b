import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { distancesFromMatrix, distancesFromRows } from "../../src/embedding/distance-source.js";
import {
  alphaDecayKernel,
  kernelToPoints,
  symmetrizeKernel,
} from "../../src/embedding/phate/alpha-decay-kernel.js";
import {
  connectedComponents,
  denseFromSparse,
  diffusionOperator,
  multiplySparse,
  multiplySparseDense,
  rowSums,
  sparseFromDense,
  symmetricDiffusionOperator,
  transposeSparse,
} from "../../src/embedding/phate/sparse-matrix.js";
import { nthSmallest } from "../../src/embedding/quality/trustworthiness.js";
import { maxDifference } from "./golden.js";
import { branchingWalk, permuted, uniform } from "./random-points.js";

/** Points 0, 1, 2, 3, 4 on a line. */
const line = distancesFromRows({ rows: Float64Array.of(0, 1, 2, 3, 4), count: 5, dimension: 1 }, "euclidean");

/** The kernel by its formula, entry by entry. */
function denseKernel(d: Float64Array, n: number, knn: number, decay: number, thresh: number): Float64Array {
  const k = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const sigma = [...d.subarray(i * n, (i + 1) * n)].sort((a, b) => a - b)[knn];
    for (let j = 0; j < n; j++) {
      const value = Math.exp(-((d[i * n + j] / sigma) ** decay));
      const kept = value < thresh ? 0 : value / 2;
      k[i * n + j] = k[i * n + j] + kept;
      k[j * n + i] = k[j * n + i] + kept;
    }
  }
  return k;
}

describe("α-decay kernel", () => {
  test("equals its formula", () => {
    const points = branchingWalk(25, 3, 3);
    const source = distancesFromRows(points, "euclidean");
    const d = new Float64Array(25 * 25);
    for (let i = 0; i < 25; i++) source.readRowInto(d.subarray(i * 25, (i + 1) * 25), i);
    for (const [knn, decay, thresh] of [
      [5, 40, 1e-4],
      [2, 3, 1e-2],
      [4, 1, 0],
    ]) {
      const kernel = alphaDecayKernel(source, { knn, decay, thresh });
      expect(maxDifference(denseFromSparse(kernel), denseKernel(d, 25, knn, decay, thresh))).toBeLessThan(
        1e-14,
      );
    }
  });

  test("the bandwidth is the distance to the knn-th other point", () => {
    const kernel = denseFromSparse(alphaDecayKernel(line, { knn: 2, decay: 2 }));
    // Point 0 has σ = 2, point 1 has σ = 1.
    expect(kernel[1]).toBeCloseTo((Math.exp(-0.25) + Math.exp(-1)) / 2, 15);
  });

  test("without decay neighbours have weight 1, and knnMax limits them", () => {
    expect([...denseFromSparse(alphaDecayKernel(line, { knn: 1, decay: null })).subarray(0, 5)]).toEqual([
      1, 1, 0, 0, 0,
    ]);
    const limited = alphaDecayKernel(line, { knn: 1, knnMax: 1, decay: 1, thresh: 1e-3 });
    const unlimited = alphaDecayKernel(line, { knn: 1, decay: 1, thresh: 1e-3 });
    expect(unlimited.values.length).toBe(25);
    expect(limited.values.length).toBeLessThan(15);
  });

  test("duplicates have affinity 1, and a bandwidth of 0 does not divide by it", () => {
    const same = distancesFromRows(
      { rows: new Float64Array(6).fill(3), count: 6, dimension: 1 },
      "euclidean",
    );
    expect([...alphaDecayKernel(same, { knn: 2 }).values]).toEqual(new Array(36).fill(1));
  });

  test("knn out of range", () => {
    expect(() => alphaDecayKernel(line, { knn: 4 })).toThrow("knn: expected an integer from 1 to 3, got 4");
    expect(() => alphaDecayKernel(line, { knn: 0 })).toThrow("knn: expected an integer from 1 to 3, got 0");
    expect(() => kernelToPoints(line, { knn: 6 })).toThrow("knn: expected an integer from 1 to 5, got 6");
  });

  test("a new point takes its own bandwidth", () => {
    const toLine = distancesFromMatrix(Float64Array.of(0.5, 0.5, 1.5, 2.5, 3.5), 1, 5);
    const affinities = denseFromSparse(kernelToPoints(toLine, { knn: 3, decay: 2 }));
    expect(affinities[0]).toBeCloseTo(Math.exp(-1 / 9), 15);
    expect(affinities[2]).toBeCloseTo(Math.exp(-1), 15);
  });

  test("is symmetric with unit diagonal; rows of P sum to 1; permuting points permutes it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 12, max: 40 }), (seed, n) => {
        const points = branchingWalk(n, 4, 3, seed);
        const next = uniform(seed);
        const order = [...new Array(n).keys()].sort(() => next() - 0.5);
        const kernel = alphaDecayKernel(distancesFromRows(points, "euclidean"));
        const dense = denseFromSparse(kernel);
        const other = denseFromSparse(
          alphaDecayKernel(distancesFromRows(permuted(points, order), "euclidean")),
        );
        for (let i = 0; i < n; i++) {
          expect(dense[i * n + i]).toBe(1);
          for (let j = 0; j < n; j++) {
            expect(dense[i * n + j]).toBe(dense[j * n + i]);
            expect(other[order[i] * n + order[j]]).toBeCloseTo(dense[i * n + j], 12);
          }
        }
        for (const sum of rowSums(diffusionOperator(kernel))) expect(sum).toBeCloseTo(1, 13);
      }),
      { numRuns: 25 },
    );
  });
});

test("the symmetric operator is similar to P", () => {
  const kernel = alphaDecayKernel(line, { knn: 2, decay: 1 });
  const a = denseFromSparse(symmetricDiffusionOperator(kernel));
  const p = denseFromSparse(diffusionOperator(kernel));
  const degrees = rowSums(kernel);
  for (let i = 0; i < 5; i++) {
    for (let j = 0; j < 5; j++) {
      expect(a[i * 5 + j]).toBeCloseTo(p[i * 5 + j] * Math.sqrt(degrees[i] / degrees[j]), 14);
    }
  }
});

test("connected components, numbered by their smallest vertex", () => {
  const graph = sparseFromDense(Float64Array.of(1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1), 4, 4);
  expect(connectedComponents(graph)).toEqual({
    count: 3,
    labels: Int32Array.of(0, 1, 0, 2),
    sizes: Int32Array.of(2, 1, 1),
  });
});

test("sparse matrices agree with dense ones", () => {
  const next = uniform(3);
  const random = (rows: number, columns: number): Float64Array =>
    new Float64Array(rows * columns).map(() => (next() < 0.4 ? next() : 0));
  const [a, b] = [random(5, 7), random(7, 4)];
  const product = Float64Array.from({ length: 20 }, (_, p) => {
    let sum = 0;
    for (let k = 0; k < 7; k++) sum += a[Math.floor(p / 4) * 7 + k] * b[k * 4 + (p % 4)];
    return sum;
  });
  const [sa, sb] = [sparseFromDense(a, 5, 7), sparseFromDense(b, 7, 4)];
  expect(maxDifference(denseFromSparse(multiplySparse(sa, sb)), product)).toBeLessThan(1e-15);
  expect(maxDifference(multiplySparseDense(sa, b, 4), product)).toBeLessThan(1e-15);
  expect(denseFromSparse(transposeSparse(transposeSparse(sa)))).toEqual(a);
  expect(denseFromSparse(symmetrizeKernel(sparseFromDense(Float64Array.of(1, 4, 0, 1), 2, 2)))).toEqual(
    Float64Array.of(1, 2, 2, 1),
  );
});

test("selection finds what sorting finds", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 30 }),
      fc.nat(),
      (values, p) => {
        const k = p % values.length;
        expect(nthSmallest(Float64Array.from(values), k)).toBe([...values].sort((a, b) => a - b)[k]);
      },
    ),
  );
});

test("distances given as a matrix", () => {
  const d = Float64Array.of(0, 1, 3, 1, 0, 2, 3, 2, 0);
  const kernel = alphaDecayKernel(distancesFromMatrix(d, 3, 3), { knn: 1, decay: 1, thresh: 0 });
  expect(denseFromSparse(kernel)[1]).toBeCloseTo(Math.exp(-1), 15);
});
