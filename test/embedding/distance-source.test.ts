import fc from "fast-check";
import { expect, test } from "vitest";
import { InvalidDataError } from "../../src/base/errors.js";
import {
  centerRows,
  distanceMatrix,
  distancesFromGram,
  distancesFromMatrix,
  distancesFromRows,
} from "../../src/embedding/distance-source.js";
import { centeredGram, crossProducts, pointGram } from "../../src/embedding/point-gram.js";
import type { LinearAlgebra } from "../../src/math/linear-algebra.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";
import { maxDifference } from "./golden.js";
import { branchingWalk } from "./random-points.js";

const triangle = { rows: Float64Array.of(0, 3, 4, 0, -4, 0), count: 3, dimension: 2 };

test("distances of a triangle", () => {
  const euclidean = distanceMatrix(distancesFromRows(triangle, "euclidean"));
  expect([...euclidean]).toEqual([0, 5, 5, 5, 0, 8, 5, 8, 0]);
  const cosine = distanceMatrix(distancesFromRows(triangle, "cosine"));
  expect([...cosine]).toEqual([0, 1, 1, 1, 0, 2, 1, 2, 0]);
});

test("odd dimensions, other points, and a matrix as a source", () => {
  const source = distancesFromRows({ rows: Float64Array.of(0, 0, 0), count: 1, dimension: 3 }, "euclidean", {
    rows: Float64Array.of(1, 2, 2, 0, 0, 7),
    count: 2,
    dimension: 3,
  });
  expect([...distanceMatrix(source)]).toEqual([3, 7]);
  expect(source.rows).toBe(2);
  expect([...distanceMatrix(distancesFromMatrix(Float64Array.of(1, 2, 3, 4, 5, 6), 2, 3))]).toEqual([
    1, 2, 3, 4, 5, 6,
  ]);
});

test("distances of points to each other are those to a copy of them, to the last bit", () => {
  for (const [count, dimension] of [
    [30, 7],
    [31, 16],
    [34, 50],
  ] as const) {
    const walk = branchingWalk(count, dimension, 4);
    const points = { ...walk, rows: walk.rows.map((value) => value + 1) };
    for (const metric of ["euclidean", "cosine"] as const) {
      const own = distanceMatrix(distancesFromRows(points, metric));
      const others = distanceMatrix(distancesFromRows(points, metric, { ...points }));
      // A point is at distance 0 of itself exactly; of its copy, cosine rounds.
      for (let i = 0; i < count; i++) others[i * count + i] = 0;
      expect(own).toEqual(others);
    }
  }
});

test("the Gram matrix gives the same distances, also after centring", async () => {
  const points = branchingWalk(30, 7, 3);
  for (const metric of ["euclidean", "cosine"] as const) {
    for (const center of [false, true]) {
      const rows = center ? centerRows(points) : points;
      const gram = (await pointGram(points, plainLinearAlgebra, center)).gram;
      // Row 0 is the origin, without a direction.
      if (metric === "cosine" && !center) continue;
      const direct = distanceMatrix(distancesFromRows(rows, metric));
      expect(maxDifference(distanceMatrix(distancesFromGram(gram, 30, metric)), direct)).toBeLessThan(1e-6);
    }
  }
});

test("a large Gram matrix goes through the port and errs relative to the spread of the points", async () => {
  const n = 60;
  const walk = branchingWalk(n, 90_000, 2);
  const points = { ...walk, rows: walk.rows.map((value) => value + 1000) };
  let calls = 0;
  const algebra: LinearAlgebra = {
    ...plainLinearAlgebra,
    addGramInto: (...args) => {
      calls++;
      return plainLinearAlgebra.addGramInto(...args);
    },
  };
  const gram = (await pointGram(points, algebra, false)).gram;
  expect(calls).toBe(6);
  const direct = distanceMatrix(distancesFromRows(walk, "euclidean"));
  const scale = Math.max(...direct);
  expect(maxDifference(distanceMatrix(distancesFromGram(gram, n, "euclidean")), direct) / scale).toBeLessThan(
    1e-5,
  );
  const centered = (await pointGram(points, algebra, true)).gram;
  expect(maxDifference(centeredGram(gram, n), centered) / scale ** 2).toBeLessThan(1e-6);
});

test("products with other points", () => {
  expect([...crossProducts(triangle, { rows: Float64Array.of(1, 1), count: 1, dimension: 2 })]).toEqual([
    3, 4, -4,
  ]);
});

test("a row without direction has no cosine distance", () => {
  const points = { rows: Float64Array.of(1, 0, 0, 0), count: 2, dimension: 2 };
  expect(() => distancesFromRows(points, "cosine")).toThrow(InvalidDataError);
  expect(() => distancesFromRows(points, "cosine")).toThrow(/^row 1: expected a row of length > 0/);
  expect(() => distancesFromGram(Float64Array.of(1, 0, 0, 0), 2, "cosine")).toThrow(/^row 1/);
});

test("distances are symmetric, zero on the diagonal, and keep the triangle inequality", () => {
  const coordinates = fc.array(fc.double({ min: -10, max: 10, noNaN: true }), {
    minLength: 12,
    maxLength: 12,
  });
  fc.assert(
    fc.property(coordinates, (values) => {
      const d = distanceMatrix(
        distancesFromRows({ rows: Float64Array.from(values), count: 4, dimension: 3 }, "euclidean"),
      );
      for (let i = 0; i < 4; i++) {
        expect(d[i * 4 + i]).toBe(0);
        for (let j = 0; j < 4; j++) {
          expect(d[i * 4 + j]).toBe(d[j * 4 + i]);
          for (let k = 0; k < 4; k++)
            expect(d[i * 4 + k]).toBeLessThanOrEqual(d[i * 4 + j] + d[j * 4 + k] + 1e-12);
        }
      }
    }),
  );
});
