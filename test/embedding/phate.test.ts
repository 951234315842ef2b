import { describe, expect, test } from "vitest";
import { InvalidDataError, InvalidOptionError } from "../../src/base/errors.js";
import {
  centerRows,
  distanceMatrix,
  distancesFromRows,
  type PointRows,
} from "../../src/embedding/distance-source.js";
import { procrustes } from "../../src/embedding/mds/procrustes.js";
import { phate, phateStability } from "../../src/embedding/phate/phate.js";
import type { PhateOptions } from "../../src/embedding/phate/phate-options.js";
import { rowSums } from "../../src/embedding/phate/sparse-matrix.js";
import { pointGram } from "../../src/embedding/point-gram.js";
import { scoresFromGram, scoresFromRows } from "../../src/embedding/principal-scores.js";
import { trustworthiness } from "../../src/embedding/quality/trustworthiness.js";
import { plainLinearAlgebra as algebra } from "../support/plain-linear-algebra.js";
import { maxDifference } from "./golden.js";
import { branchingWalk, normal, permuted, uniform } from "./random-points.js";

const walk = branchingWalk(120, 8, 3);
const small = branchingWalk(60, 8, 3);

const disparity = (a: Float64Array, b: Float64Array, n: number): number => procrustes(a, b, n, 2).disparity;

describe("phate", () => {
  test("gives every stage, and the same again", async () => {
    const stages: string[] = [];
    const result = await phate(walk, algebra, { onProgress: (stage) => stages.push(stage) });
    expect(stages).toEqual(["distances", "kernel", "landmarks", "entropy", "potential", "mds"]);
    expect(result.embedding).toHaveLength(240);
    expect(result.entropy).toHaveLength(100);
    expect(result.components.count).toBe(1);
    expect(result.landmarks).toBeNull();
    expect(result.landmarkEmbedding).toBe(result.embedding);
    expect(result.warnings).toEqual([]);
    for (const sum of rowSums(result.operator)) expect(sum).toBeCloseTo(1, 13);
    expect((await phate(walk, algebra)).embedding).toEqual(result.embedding);
  });

  test("keeps neighbours of a branching walk", async () => {
    const { embedding } = await phate(walk, algebra);
    const embedded = distancesFromRows({ rows: embedding, count: 120, dimension: 2 }, "euclidean");
    expect(trustworthiness(distancesFromRows(walk, "euclidean"), embedded)).toBeGreaterThan(0.97);
  });

  test("permuting rows permutes the result", async () => {
    const next = uniform(2);
    const order = [...new Array(60).keys()].sort(() => next() - 0.5);
    const [a, b] = [await phate(small, algebra), await phate(permuted(small, order), algebra)];
    expect(b.t).toBe(a.t);
    for (let i = 0; i < 60; i++) {
      for (const c of [0, 1]) {
        expect(Math.abs(b.embedding[2 * order[i] + c] - a.embedding[2 * i + c])).toBeLessThan(1e-4);
      }
    }
  });

  test("isometries change nothing, for cosine distance rotations and scale", async () => {
    const turned = rotated(small);
    const moved = { ...turned, rows: turned.rows.map((value) => value + 3) };
    const [a, b] = [await phate(small, algebra), await phate(moved, algebra)];
    expect(b.t).toBe(a.t);
    expect(maxDifference(a.potential, b.potential)).toBeLessThan(1e-6);
    expect(disparity(a.embedding, b.embedding, 60)).toBeLessThan(1e-6);
    const scaled = { ...turned, rows: turned.rows.map((value) => 5 * value) };
    const options: PhateOptions = { knnDist: "cosine", centered: true };
    const [c, d] = [await phate(small, algebra, options), await phate(scaled, algebra, options)];
    expect(maxDifference(c.potential, d.potential)).toBeLessThan(1e-6);
  });

  test("rows, Gram matrix and distances give the same embedding", async () => {
    const fromRows = await phate(small, algebra);
    const gram = (await pointGram(small, algebra, false)).gram;
    const distances = distanceMatrix(distancesFromRows(small, "euclidean"));
    for (const input of [
      { gram, count: 60 },
      { distances, count: 60 },
    ]) {
      const other = await phate(input, algebra);
      expect(other.t).toBe(fromRows.t);
      expect(maxDifference(other.potential, fromRows.potential)).toBeLessThan(1e-7);
    }
  });

  test("long rows go through their Gram matrix and agree with it", async () => {
    const long = branchingWalk(50, 2500, 3);
    for (const knnDist of ["euclidean", "cosine"] as const) {
      const shifted = { ...long, rows: long.rows.map((value) => value + 1) };
      const direct = distanceMatrix(distancesFromRows(shifted, knnDist));
      const [a, b] = [
        await phate(shifted, algebra, { knnDist }),
        await phate({ distances: direct, count: 50 }, algebra),
      ];
      expect(maxDifference(a.potential, b.potential)).toBeLessThan(1e-6);
    }
  });

  test("three dimensions, other scalings, given t and γ", async () => {
    const solid = await phate(small, algebra, { dimensions: 3, t: 12, mdsSolver: "sgd", seed: 4 });
    expect(solid.embedding).toHaveLength(180);
    expect(solid.entropy).toBeNull();
    expect(solid.t).toBe(12);
    const flat = await phate(small, algebra, { t: 12 });
    expect(solid.stress).toBeLessThan(flat.stress);
    const classic = await phate(small, algebra, { mds: "classic", t: 12 });
    expect(classic.iterations).toBe(0);
    expect(classic.normalizedStress).toBeGreaterThan(flat.normalizedStress);
    const nonmetric = await phate(small, algebra, { mds: "nonmetric", t: 12 });
    expect(nonmetric.embedding).not.toEqual(flat.embedding);
    for (const gamma of [0, -1, 0.5]) {
      const other = await phate(small, algebra, { gamma, t: 12 });
      expect(other.embedding.every(Number.isFinite)).toBe(true);
      expect(other.potential).not.toEqual(flat.potential);
    }
    const angles = await phate(small, algebra, { mdsDist: "cosine", t: 12 });
    expect(Math.max(...angles.potentialDistances)).toBeLessThanOrEqual(2);
  });

  test("stops when aborted", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(phate(small, algebra, { signal })).rejects.toThrow("enough");
  });
});

describe("principal components before distances", () => {
  test("are there when nPca is below N and D, and centre unless told otherwise", async () => {
    const plain = await phate(small, algebra, { knnDist: "cosine" });
    expect(plain.map).toMatchObject({ centered: false, principal: null });
    const reduced = await phate(small, algebra, { knnDist: "cosine", nPca: 5 });
    expect(reduced.map.centered).toBe(true);
    expect(reduced.map.principal?.scores.dimension).toBe(5);
    expect((await phate(small, algebra, { nPca: 5, centered: false })).map.centered).toBe(false);
    expect((await phate(small, algebra, { nPca: 8 })).map.principal).toBeNull();
    expect((await phate(small, algebra, { nPca: null })).map.principal).toBeNull();
  });

  test("all of them change no centred distance", async () => {
    const centered = distanceMatrix(distancesFromRows(centerRows(small), "cosine"));
    const scores = (await scoresFromRows(small, 8, algebra, true)).scores;
    expect(maxDifference(distanceMatrix(distancesFromRows(scores, "cosine")), centered)).toBeLessThan(1e-9);
    const centred = await phate(small, algebra, { knnDist: "cosine", centered: true });
    const reduced = await phate(small, algebra, { knnDist: "cosine", nPca: 7, centered: true });
    expect(disparity(centred.embedding, reduced.embedding, 60)).toBeLessThan(0.2);
  });

  test("by way of D×D, of N×N and of a few leading vectors agree", async () => {
    for (const center of [true, false]) {
      const narrow = await scoresFromRows(small, 4, algebra, center);
      const gram = (await pointGram(small, algebra, false)).gram;
      const byGram = await scoresFromGram(gram, 60, 4, algebra, center);
      expect(maxDifference(narrow.values, byGram.values) / narrow.values[0]).toBeLessThan(1e-10);
      const [a, b] = [narrow, byGram].map(({ scores }) =>
        distanceMatrix(distancesFromRows(scores, "euclidean")),
      );
      expect(maxDifference(a, b)).toBeLessThan(1e-6);
      // 60 points and 4 components are above 4·k + 100: all pairs. 1 component of 120 points is not.
      const leading = await scoresFromGram(
        (await pointGram(walk, algebra, false)).gram,
        120,
        1,
        algebra,
        center,
      );
      const products = await pointGram(center ? centerRows(walk) : walk, algebra, false);
      const all = await algebra.symmetricEigen(products.gram, 120);
      expect(leading.values[0] / all.values[0]).toBeCloseTo(1, 10);
    }
  });
});

describe("checks", () => {
  const codes = async (points: PointRows, options: PhateOptions = {}) =>
    (await phate(points, algebra, options)).warnings.map(({ code }) => code);

  test("few points", async () => {
    expect(await codes(branchingWalk(20, 3, 1))).toContain("too-few-points");
    expect(await codes(branchingWalk(60, 3, 1), { knnDist: "cosine", centered: true })).toContain(
      "few-points",
    );
    expect(await codes(branchingWalk(60, 3, 1))).not.toContain("few-points");
  });

  test.each([4, 5, 6])("%i points have fewer neighbours than the default, with a warning", async (count) => {
    const found = await phate(branchingWalk(count, 3, 1), algebra);
    expect(found.embedding.every(Number.isFinite)).toBe(true);
    expect(found.warnings.find(({ code }) => code === "low-knn")?.message).toBe(
      `knn is ${count - 2}, not 5: ${count} points have no more neighbours.`,
    );
    expect(await codes(branchingWalk(7, 3, 1))).not.toContain("low-knn");
    await expect(phate(branchingWalk(count, 3, 1), algebra, { knn: 5 })).rejects.toThrow("knn: expected");
  });

  test("duplicates are named", async () => {
    const rows = Float64Array.from(small.rows);
    rows.copyWithin(8 * 7, 8 * 3, 8 * 4);
    const { warnings } = await phate({ ...small, rows }, algebra);
    expect(warnings.map(({ code }) => code)).toEqual(["duplicate-points"]);
    expect(warnings[0].message).toMatch(/^1 pairs of points at distance 0 \(3 and 7\)/);
  });

  test("a graph in pieces", async () => {
    const rows = Float64Array.from(small.rows).map((value, p) => value + (p < 30 * 8 ? 0 : 1e4));
    const { warnings, components } = await phate({ ...small, rows }, algebra, { knn: 12 });
    expect(components.count).toBe(2);
    expect(warnings.map(({ code }) => code)).toContain("disconnected");
    expect(warnings.find(({ code }) => code === "disconnected")?.message).toContain(
      "2 pieces (of 30, 30 points)",
    );
  });

  test("γ just below 1 and a late knee", async () => {
    expect(await codes(small, { gamma: 0.995, t: 3 })).toContain("steep-gamma");
    expect(await codes(small, { tMax: 3 })).toContain("late-knee");
  });

  test("numbers that are not finite are named by row", async () => {
    const rows = Float64Array.from(small.rows);
    rows[8 * 4 + 1] = Number.NaN;
    rows[8 * 9] = Infinity;
    await expect(phate({ ...small, rows }, algebra)).rejects.toThrow(
      "rows: expected finite numbers, got NaN or infinity in 2 rows (4, 9); leave those rows out",
    );
    await expect(phate({ ...small, rows }, algebra)).rejects.toBeInstanceOf(InvalidDataError);
  });

  test("sizes and matrices", async () => {
    const bad = (input: Parameters<typeof phate>[0]) => phate(input, algebra);
    await expect(bad({ ...small, count: 61 })).rejects.toThrow(
      "rows: expected 61 × 8 = 488 numbers, got 480",
    );
    await expect(bad({ ...small, dimension: 0 })).rejects.toThrow(
      "rows.dimension: expected an integer ≥ 1, got 0",
    );
    await expect(bad({ gram: new Float64Array(3), count: 3 })).rejects.toThrow(
      "gram: expected 3 × 3 = 9 numbers, got 3",
    );
    await expect(bad({ distances: new Float64Array(0), count: 2 })).rejects.toThrow(
      "count: expected at least 3 points",
    );
    const distances = Float64Array.of(0, 1, 1, 2, 0, 1, 1, 1, 0);
    await expect(bad({ distances, count: 3 })).rejects.toThrow(
      "distances[0][1]: expected 2, equal to distances[1][0], got 1",
    );
    const negative = Float64Array.of(0, -1, 1, -1, 0, 1, 1, 1, 0);
    await expect(bad({ distances: negative, count: 3 })).rejects.toThrow(
      "distances[1][0]: expected a distance ≥ 0, got -1",
    );
    const diagonal = Float64Array.of(0, 1, 1, 1, 2, 1, 1, 1, 0);
    await expect(bad({ distances: diagonal, count: 3 })).rejects.toThrow(
      "distances[1][1]: expected 0, got 2",
    );
    const nan = Float64Array.of(0, 1, 1, 1, Number.NaN, 1, 1, 1, 0);
    await expect(bad({ gram: nan, count: 3 })).rejects.toThrow(
      "gram[1][1]: expected a finite number, got NaN",
    );
  });

  test.each([
    [{ knn: 0 }, "knn: expected an integer from 1 to 58, got 0"],
    [{ knn: 59 }, "knn: expected an integer from 1 to 58, got 59"],
    [{ dimensions: 60 }, "dimensions: expected an integer from 1 to 59, got 60"],
    [{ dimensions: 9, nLandmark: 9 }, "dimensions: expected an integer from 1 to 8, got 9"],
    [{ nLandmark: 1 }, "nLandmark: expected an integer ≥ 2, got 1"],
    [{ nPca: 0 }, "nPca: expected an integer ≥ 1, got 0"],
    [{ knnMax: 4 }, "knnMax: expected an integer ≥ 5, got 4"],
    [{ t: 0 }, "t: expected an integer ≥ 1, got 0"],
    [{ tMax: 2 }, "tMax: expected an integer ≥ 3, got 2"],
    [{ seed: 0.5 }, "seed: expected an integer"],
    [{ nJobs: 2 as 1 }, "nJobs: expected an integer from 1 to 1, got 2"],
    [{ decay: 0 }, "decay: expected a number > 0 or null, got 0"],
    [{ gamma: 2 }, "gamma: expected a number from -1 to 1, got 2"],
    [{ thresh: 1 }, "thresh: expected a number from 0 to below 1, got 1"],
    [{ knnDist: "l1" as "cosine" }, 'knnDist: expected "euclidean" or "cosine", got "l1"'],
    [{ mdsDist: "l1" as "cosine" }, 'mdsDist: expected "euclidean" or "cosine", got "l1"'],
    [{ mds: "x" as "metric" }, 'mds: expected "classic" or "metric" or "nonmetric", got "x"'],
    [{ mdsSolver: "x" as "sgd" }, 'mdsSolver: expected "smacof" or "sgd", got "x"'],
    [{ centered: 1 as unknown as boolean }, "centered: expected true, false or null, got 1"],
  ])("option %j", async (options, message) => {
    await expect(phate(small, algebra, options)).rejects.toThrow(message);
    await expect(phate(small, algebra, options)).rejects.toBeInstanceOf(InvalidOptionError);
  });

  test("options left undefined take their default", async () => {
    const options = { knn: undefined, t: 7 } as unknown as PhateOptions;
    expect((await phate(small, algebra, options)).options.knn).toBe(5);
  });
});

describe("stability", () => {
  test("compares every pair of settings", async () => {
    const result = await phateStability(small, algebra, {
      knn: [4, 5],
      seed: [0, 1],
      mdsSolver: "sgd",
    });
    expect(result.settings.map(({ knn, seed }) => [knn, seed])).toEqual([
      [4, 0],
      [4, 1],
      [5, 0],
      [5, 1],
    ]);
    for (let a = 0; a < 4; a++) {
      expect(result.disparities[a * 4 + a]).toBe(0);
      for (let b = 0; b < 4; b++) expect(result.disparities[a * 4 + b]).toBe(result.disparities[b * 4 + a]);
    }
    expect(result.meanDisparity).toBeGreaterThan(0);
    expect(result.maxDisparity).toBeLessThan(0.5);
    expect(result.embeddings).toHaveLength(4);
  });

  test("SMACOF does not depend on the seed", async () => {
    const { maxDisparity } = await phateStability(small, algebra, { knn: [5], seed: [0, 1] });
    expect(maxDisparity).toBeLessThan(1e-12);
  });
});

/** The same points after a random rotation: Gram–Schmidt of a normal matrix. */
function rotated({ rows, count, dimension: d }: PointRows): PointRows {
  const next = normal(8);
  const basis: number[][] = [];
  while (basis.length < d) {
    const v = Array.from({ length: d }, next);
    for (const b of basis) {
      const share = b.reduce((sum, value, c) => sum + value * v[c], 0);
      b.forEach((value, c) => {
        v[c] -= share * value;
      });
    }
    const length = Math.hypot(...v);
    basis.push(v.map((value) => value / length));
  }
  const out = new Float64Array(count * d);
  for (let i = 0; i < count; i++) {
    basis.forEach((b, r) => {
      out[i * d + r] = b.reduce((sum, value, c) => sum + value * rows[i * d + c], 0);
    });
  }
  return { rows: out, count, dimension: d };
}
