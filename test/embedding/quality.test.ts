import { describe, expect, test } from "vitest";
import { distancesFromRows } from "../../src/embedding/distance-source.js";
import { pathContinuity } from "../../src/embedding/quality/path-continuity.js";
import { trustworthiness } from "../../src/embedding/quality/trustworthiness.js";
import { branchingWalk, normal } from "./random-points.js";

const line = (values: readonly number[]) =>
  distancesFromRows({ rows: Float64Array.from(values), count: values.length, dimension: 1 }, "euclidean");

describe("trustworthiness", () => {
  test("is 1 for the data itself and its isometries", () => {
    const points = distancesFromRows(branchingWalk(50, 4, 3), "euclidean");
    expect(trustworthiness(points, points)).toBe(1);
  });

  test("counts how far false neighbours are in the data", () => {
    // Data 0…5 on a line; 5 is embedded next to 0. Its one neighbour there has rank 5 in the data, and so
    // has it as the neighbour of 0: penalties 4 + 4.
    const data = line([0, 1.1, 2.3, 3.6, 5, 6.5]);
    const embedded = line([0, 1.1, 2.3, 3.6, 5, -0.5]);
    expect(trustworthiness(data, embedded, { nNeighbors: 1 })).toBeCloseTo(
      1 - (2 * 8) / (6 * 1 * (12 - 3 - 1)),
      14,
    );
  });

  test("of a random embedding is near one half", () => {
    const next = normal(4);
    const data = distancesFromRows(branchingWalk(200, 5, 4), "euclidean");
    const random = distancesFromRows(
      { rows: new Float64Array(400).map(next), count: 200, dimension: 2 },
      "euclidean",
    );
    expect(Math.abs(trustworthiness(data, random) - 0.5)).toBeLessThan(0.1);
  });

  test("needs neighbourhoods below half the points", () => {
    expect(() => trustworthiness(line([1, 2, 3, 4]), line([1, 2, 3, 4]), { nNeighbors: 2 })).toThrow(
      "nNeighbors: expected an integer ≥ 1 and below 2, got 2",
    );
  });
});

describe("path continuity", () => {
  test("is 1 for paths in one piece and falls with every break", () => {
    expect(pathContinuity(line([0, 1, 2, 3, 10, 11, 12]), [0, 0, 0, 0, 1, 1, 1], { nNeighbors: 2 })).toEqual({
      mean: 1,
      perPath: Float64Array.of(1, 1),
    });
    // Point 3 of path 0 lies beyond path 1: neither of the pair 2–3 has the other among its two nearest.
    const torn = pathContinuity(line([0, 1, 2, 30, 10, 11, 12]), [0, 0, 0, 0, 1, 1, 1], { nNeighbors: 2 });
    expect(torn.perPath[0]).toBeCloseTo(4 / 6, 14);
    expect(torn.mean).toBeCloseTo(8 / 10, 14);
  });

  test("a wider window asks for more steps", () => {
    const wide = pathContinuity(line([0, 1, 2, 3, 4]), [0, 0, 0, 0, 0], { nNeighbors: 2, window: 2 });
    // The four neighbours in time of the middle point do not fit among two nearest, nor three of its neighbours'.
    expect(wide.mean).toBeCloseTo((2 + 2 + 2 + 2 + 2) / (2 + 3 + 4 + 3 + 2), 14);
  });

  test("paths of one snapshot have no neighbours", () => {
    const result = pathContinuity(line([0, 1, 2]), [0, 1, 2], { nNeighbors: 1 });
    expect(result.mean).toBeNaN();
  });

  test("needs a path number for each point", () => {
    expect(() => pathContinuity(line([0, 1, 2]), [0, 0])).toThrow("paths: expected 3 numbers, got 2");
    expect(() => pathContinuity(line([0, 1, 2]), [0, -1, 0])).toThrow(
      "paths[1]: expected an integer ≥ 0, got -1",
    );
    expect(() => pathContinuity(line([0, 1, 2]), [0, 0, 0], { window: 0 })).toThrow(
      "window: expected an integer ≥ 1",
    );
  });
});
