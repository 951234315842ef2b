import fc from "fast-check";
import { linearSumAssignment } from "linear-sum-assignment";
import { beforeAll, describe, expect, test } from "vitest";
import { createLinearAlgebra } from "../../src/backend/linear-algebra/create-linear-algebra.js";
import { bestAssignment } from "../../src/between/assignment.js";
import { matchByWeights } from "../../src/between/match-weights.js";
import { inversePermutation, permuteWeights, randomPermutation } from "../../src/between/permutation.js";
import { permutationGroups } from "../../src/between/permutation-groups.js";
import { createUniform } from "../../src/math/random.js";
import { readWeightsSync } from "../../src/model/bound-weights.js";
import { useTestBackend } from "../support/backend.js";
import { SMALL_MODELS } from "./models.js";

beforeAll(async () => {
  await useTestBackend();
});

const sumOf = (values: Float64Array, n: number, columns: ArrayLike<number>): number =>
  Array.from(columns).reduce((sum, column, row) => sum + values[row * n + column], 0);

function permutationsOf(rest: readonly number[]): number[][] {
  if (rest.length === 0) return [[]];
  return rest.flatMap((one) =>
    permutationsOf(rest.filter((other) => other !== one)).map((tail) => [one, ...tail]),
  );
}

describe("the assignment", () => {
  test("is the best of all permutations, also with ties and negative values", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.boolean(), fc.integer(), (n, ties, seed) => {
        const next = createUniform(seed);
        const values = Float64Array.from({ length: n * n }, () =>
          ties ? Math.floor(5 * next()) - 2 : next() - 0.5,
        );
        const best = Math.max(
          ...permutationsOf([...Array(n).keys()]).map((columns) => sumOf(values, n, columns)),
        );
        const found = bestAssignment(values, n).columns;
        expect(new Set(found).size).toBe(n);
        expect(sumOf(values, n, found)).toBeCloseTo(best, 12);
      }),
      { numRuns: 60 },
    );
    const next = createUniform(8);
    const values = Float64Array.from({ length: 64 }, next);
    let best = 0;
    for (const columns of permutationsOf([0, 1, 2, 3, 4, 5, 6, 7]))
      best = Math.max(best, sumOf(values, 8, columns));
    expect(sumOf(values, 8, bestAssignment(values, 8).columns)).toBeCloseTo(best, 12);
  });

  test.each([17, 64, 256])("has the sum of a second solver at n = %i", (n) => {
    const next = createUniform(n);
    const values = Float64Array.from({ length: n * n }, () => 10 * next() - 5);
    const found = bestAssignment(values, n).columns;
    expect(new Set(found).size).toBe(n);
    expect(sumOf(values, n, found)).toBeCloseTo(sumOf(values, n, hungarian(values, n)), 8);
    expect(sumOf(values, n, found)).toBeCloseTo(sumOf(values, n, byPackage(values, n)), 8);
  });

  test.each([
    ["ties", (next: () => number) => Math.floor(3 * next())],
    [
      "values that differ by rounding alone",
      (next: () => number) => 1 + Math.floor(4 * next()) * Number.EPSILON,
    ],
    ["one value", () => 7],
    ["scales far apart", (next: () => number) => 10 ** Math.floor(12 * next()) * (next() - 0.5)],
  ])("has the sum of the package's solver with %s, from no potentials and from any", (_, draw) => {
    const next = createUniform(11);
    for (const n of [1, 2, 3, 20, 60]) {
      const values = Float64Array.from({ length: n * n }, () => draw(next));
      const most = sumOf(values, n, byPackage(values, n));
      const potentials = Float64Array.from({ length: n }, () => 10 * (next() - 0.5));
      for (const near of [undefined, { columns: new Int32Array(n), potentials }]) {
        const found = bestAssignment(values, n, near);
        expect(new Set(found.columns).size).toBe(n);
        expect(Math.abs(sumOf(values, n, found.columns) - most)).toBeLessThanOrEqual(
          1e-12 * n * Math.abs(most),
        );
        // Prices that prove it: no row would rather have another column.
        for (let i = 0; i < n; i++) {
          const worth = (j: number) => values[i * n + j] - found.potentials[j];
          const own = worth(found.columns[i]);
          const scale = Math.max(
            ...values.subarray(i * n, (i + 1) * n).map(Math.abs),
            ...found.potentials.map(Math.abs),
          );
          for (let j = 0; j < n; j++) expect(worth(j) - own).toBeLessThanOrEqual(1e-13 * n * scale);
        }
      }
    }
  });

  test("is the same from the potentials of other values as from none", () => {
    const next = createUniform(3);
    const draw = () => Float64Array.from({ length: 64 * 64 }, () => 1e3 * (next() - 0.5));
    let near = bestAssignment(draw(), 64);
    for (let round = 0; round < 4; round++) {
      const values = draw();
      near = bestAssignment(values, 64, near);
      expect(near.columns).toEqual(bestAssignment(values, 64).columns);
    }
  });

  test("refuses values that are not finite", () => {
    expect(() => bestAssignment(Float64Array.of(1, Number.NaN, 0, 1), 2)).toThrow(/entry 1: expected finite/);
  });
});

/** The solver of the package linear-sum-assignment; its option is spelt so. */
function byPackage(values: Float64Array, n: number): ArrayLike<number> {
  const lines = Array.from({ length: n }, (_, i) => values.subarray(i * n, (i + 1) * n));
  return linearSumAssignment(lines, { maximaze: true }).rowAssignments;
}

/** Kuhn's method with potentials, for the largest sum: the second solver. */
function hungarian(values: Float64Array, n: number): number[] {
  const u = new Float64Array(n + 1);
  const v = new Float64Array(n + 1);
  const rowOf = new Int32Array(n + 1);
  const way = new Int32Array(n + 1);
  for (let row = 1; row <= n; row++) {
    rowOf[0] = row;
    let column = 0;
    const least = new Float64Array(n + 1).fill(Number.POSITIVE_INFINITY);
    const used = new Uint8Array(n + 1);
    do {
      used[column] = 1;
      let delta = Number.POSITIVE_INFINITY;
      let next = 0;
      for (let j = 1; j <= n; j++) {
        if (used[j] === 1) continue;
        const cost = -values[(rowOf[column] - 1) * n + j - 1] - u[rowOf[column]] - v[j];
        if (cost < least[j]) [least[j], way[j]] = [cost, column];
        if (least[j] < delta) [delta, next] = [least[j], j];
      }
      for (let j = 0; j <= n; j++) {
        if (used[j] === 1) {
          u[rowOf[j]] += delta;
          v[j] -= delta;
        } else least[j] -= delta;
      }
      column = next;
    } while (rowOf[column] !== 0);
    for (; column !== 0; column = way[column]) rowOf[column] = rowOf[way[column]];
  }
  const columns: number[] = [];
  for (let j = 1; j <= n; j++) columns[rowOf[j] - 1] = j - 1;
  return columns;
}

describe("matching by weights", () => {
  test.each(Object.entries(SMALL_MODELS))("%s: a permuted copy is put back exactly", async (_, make) => {
    const { model } = make();
    const groups = permutationGroups(model);
    const theta = readWeightsSync(model, groups.layout);
    const permutation = randomPermutation(groups, 5);
    const copy = permuteWeights(theta, groups, permutation);
    const match = await matchByWeights(groups, theta, copy, createLinearAlgebra(), { seed: 1 });
    expect(match.permutation).toEqual(inversePermutation(permutation));
    expect(permuteWeights(copy, groups, match.permutation)).toEqual(theta);
    expect(match.similarities).toHaveLength(5);
    model.dispose();
  });

  test("of equal models moves nothing", async () => {
    const { model } = SMALL_MODELS["a residual network"]();
    const groups = permutationGroups(model);
    const theta = readWeightsSync(model, groups.layout);
    const { permutation } = await matchByWeights(groups, theta, theta, createLinearAlgebra());
    expect(permuteWeights(theta, groups, permutation)).toEqual(theta);
  });

  test("refuses weights that are not finite, and options that cannot be used", async () => {
    const { model } = SMALL_MODELS.dense();
    const groups = permutationGroups(model);
    const theta = readWeightsSync(model, groups.layout);
    const broken = Float32Array.from(theta).fill(Number.NaN, 3, 4);
    const match = (b: Float32Array, options = {}) =>
      matchByWeights(groups, theta, b, createLinearAlgebra(), options);
    await expect(match(broken)).rejects.toThrow(/second model: .*kernel: expected finite weights, got NaN/);
    await expect(match(theta.subarray(1))).rejects.toThrow(/second model: expected \d+ weights/);
    await expect(match(theta, { tries: 0 })).rejects.toThrow(/tries: expected a whole number of at least 1/);
    await expect(match(theta, { seed: 0.5 })).rejects.toThrow(/seed: expected a safe integer/);
  });
});
