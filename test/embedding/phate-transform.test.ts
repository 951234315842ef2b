import { describe, expect, test } from "vitest";
import { distancesFromRows, type PointRows } from "../../src/embedding/distance-source.js";
import { alphaDecayKernel } from "../../src/embedding/phate/alpha-decay-kernel.js";
import { landmarkOperator } from "../../src/embedding/phate/landmarks.js";
import { phate, phateTransform } from "../../src/embedding/phate/phate.js";
import type { PhateOptions } from "../../src/embedding/phate/phate-options.js";
import { rowSums } from "../../src/embedding/phate/sparse-matrix.js";
import { crossProducts, pointGram } from "../../src/embedding/point-gram.js";
import { trustworthiness } from "../../src/embedding/quality/trustworthiness.js";
import { plainLinearAlgebra as algebra } from "../support/plain-linear-algebra.js";
import { maxDifference } from "./golden.js";
import { branchingWalk } from "./random-points.js";

const all = branchingWalk(150, 6, 3);
/** Every fifth point is left out of the embedding. */
const [inside, outside] = split(all);

function split({ rows, count, dimension }: PointRows): [PointRows, PointRows] {
  const pick = (keep: (i: number) => boolean): PointRows => {
    const kept = [...new Array(count).keys()].filter(keep);
    const values = kept.flatMap((i) => [...rows.subarray(i * dimension, (i + 1) * dimension)]);
    return { rows: Float64Array.from(values), count: kept.length, dimension };
  };
  return [pick((i) => i % 5 !== 2), pick((i) => i % 5 === 2)];
}

describe("points outside the embedding", () => {
  test("land between the steps before and after them", async () => {
    const result = await phate(inside, algebra);
    const placed = phateTransform(result, outside);
    const spread = Math.max(...result.embedding) - Math.min(...result.embedding);
    const distances: number[] = [];
    for (let m = 0; m < outside.count; m++) {
      // Point 5m + 2 of the walk follows point 4m + 1 and precedes 4m + 2 of those embedded.
      const [before, after] = [4 * m + 1, 4 * m + 2];
      const middle = [0, 1].map(
        (c) => (result.embedding[2 * before + c] + result.embedding[2 * after + c]) / 2,
      );
      distances.push(Math.hypot(placed[2 * m] - middle[0], placed[2 * m + 1] - middle[1]) / spread);
    }
    distances.sort((a, b) => a - b);
    expect(distances[Math.floor(0.8 * distances.length)]).toBeLessThan(0.1);
  });

  test.each<PhateOptions>([
    {},
    { nPca: 4 },
    { knnDist: "cosine", centered: true },
    { knnDist: "cosine", nPca: 4 },
    { knnDist: "cosine", nPca: 4, centered: false },
  ])("by rows and by products the same: %j", async (options) => {
    const byRows = await phate(inside, algebra, { ...options, t: 8 });
    const gram = (await pointGram(inside, algebra, false)).gram;
    const byGram = await phate({ gram, count: inside.count }, algebra, { ...options, t: 8 });
    const products = crossProducts(outside, inside);
    const squares = Float64Array.from(
      { length: outside.count },
      (_, i) => Math.hypot(...outside.rows.subarray(6 * i, 6 * i + 6)) ** 2,
    );
    const placed = phateTransform(byRows, outside);
    const other = phateTransform(
      { ...byGram, landmarkEmbedding: byRows.landmarkEmbedding },
      {
        products,
        squares,
        count: outside.count,
      },
    );
    expect(maxDifference(placed, other)).toBeLessThan(1e-6);
  });

  test("a point that is embedded already lands near itself", async () => {
    const result = await phate(inside, algebra, { decay: 200 });
    const placed = phateTransform(result, inside);
    expect(maxDifference(placed, result.embedding)).toBeLessThan(0.05);
  });

  test("by distances", async () => {
    const distances = new Float64Array(inside.count ** 2);
    const source = distancesFromRows(inside, "euclidean");
    for (let i = 0; i < inside.count; i++) source.readRowInto(distances.subarray(i * inside.count), i);
    const result = await phate({ distances, count: inside.count }, algebra);
    const cross = new Float64Array(outside.count * inside.count);
    const toInside = distancesFromRows(inside, "euclidean", outside);
    const row = new Float64Array(inside.count);
    for (let i = 0; i < outside.count; i++) {
      toInside.readRowInto(row, i);
      cross.set(row, i * inside.count);
    }
    const byRows = phateTransform(await phate(inside, algebra), outside);
    expect(
      maxDifference(phateTransform(result, { distances: cross, count: outside.count }), byRows),
    ).toBeLessThan(1e-9);
  });

  test("another form, size or number is refused", async () => {
    const result = await phate(inside, algebra, { t: 5 });
    expect(() => phateTransform(result, { distances: new Float64Array(0), count: 0 })).toThrow(
      "new points: expected rows, the form of the points embedded, got another form",
    );
    expect(() => phateTransform(result, { rows: new Float64Array(5), count: 1, dimension: 5 })).toThrow(
      "new points: expected rows of 6 numbers, got 5",
    );
    const rows = new Float64Array(6).fill(Number.NaN);
    expect(() => phateTransform(result, { rows, count: 1, dimension: 6 })).toThrow(
      "new points: expected finite numbers",
    );
  });
});

describe("landmarks", () => {
  const many = branchingWalk(400, 6, 4);

  test("rows of the operator and of the transitions sum to 1, every landmark is used", async () => {
    const kernel = alphaDecayKernel(distancesFromRows(many, "euclidean"));
    const { operator, transitions, clusters } = await landmarkOperator(kernel, algebra, { nLandmark: 80 });
    expect(operator.rows).toBeLessThanOrEqual(80);
    expect(operator.rows).toBeGreaterThan(60);
    expect(new Set(clusters).size).toBe(operator.rows);
    for (const sum of rowSums(operator)) expect(sum).toBeCloseTo(1, 12);
    for (const sum of rowSums(transitions)) expect(sum).toBeCloseTo(1, 12);
  });

  test("keep neighbours, repeat with the seed, and place new points", async () => {
    const options = { nLandmark: 150 };
    const result = await phate(many, algebra, options);
    expect(result.embedding).toHaveLength(800);
    expect(result.operator.rows).toBeLessThanOrEqual(150);
    const embedded = distancesFromRows({ rows: result.embedding, count: 400, dimension: 2 }, "euclidean");
    expect(trustworthiness(distancesFromRows(many, "euclidean"), embedded)).toBeGreaterThan(0.95);
    expect((await phate(many, algebra, { ...options, seed: 0 })).embedding).toEqual(result.embedding);
    expect((await phate(many, algebra, { ...options, seed: 1 })).embedding).not.toEqual(result.embedding);
    const placed = phateTransform(result, many);
    const spread = Math.max(...result.embedding) - Math.min(...result.embedding);
    expect(maxDifference(placed, result.embedding) / spread).toBeLessThan(0.2);
  });

  test("a component without a landmark joins the nearest", async () => {
    const rows = Float64Array.from(many.rows);
    for (let p = 0; p < 20 * 6; p++) rows[p] = rows[p] + 1e4;
    const result = await phate({ ...many, rows }, algebra, { nLandmark: 4 });
    expect(result.embedding.every(Number.isFinite)).toBe(true);
  });

  test("null means none", async () => {
    expect((await phate(branchingWalk(60, 3, 2), algebra, { nLandmark: null })).landmarks).toBeNull();
  });
});
