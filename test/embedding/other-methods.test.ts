import { describe, expect, test } from "vitest";
import { distancesFromRows, type PointRows } from "../../src/embedding/distance-source.js";
import { pairwiseDisparities } from "../../src/embedding/mds/procrustes.js";
import { pointGram } from "../../src/embedding/point-gram.js";
import { pcaEmbedding } from "../../src/embedding/principal-scores.js";
import { trustworthiness } from "../../src/embedding/quality/trustworthiness.js";
import { tsneEmbedding } from "../../src/embedding/tsne-embedding.js";
import { umapEmbedding } from "../../src/embedding/umap-embedding.js";
import { expectAllClose } from "../support/allclose.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";
import { normal } from "./random-points.js";

/** N points on a circle in two of twenty dimensions. */
function circle(count: number, factor = 1): PointRows {
  const rows = new Float64Array(20 * count);
  for (let i = 0; i < count; i++) {
    const angle = (2 * Math.PI * i) / count;
    rows[20 * i + 3] = factor * Math.cos(angle);
    rows[20 * i + 11] = factor * Math.sin(angle);
  }
  return { rows, count, dimension: 20 };
}

/** Two groups of points, ten standard deviations apart. */
function groups(count: number): PointRows {
  const next = normal(5);
  const rows = Float64Array.from({ length: 6 * count }, (_, p) => next() + (p < 3 * count ? 0 : 10));
  return { rows, count, dimension: 6 };
}

function embeddedSource(coordinates: Float64Array, dimension: number) {
  const points = { rows: coordinates, count: coordinates.length / dimension, dimension };
  return distancesFromRows(points, "euclidean");
}

const methods = [
  ["UMAP", umapEmbedding],
  ["t-SNE", tsneEmbedding],
] as const;

describe.each(methods)("%s", (_, embed) => {
  test("keeps the neighbours on a circle, in two and three dimensions", async () => {
    const source = distancesFromRows(circle(48), "euclidean");
    for (const dimensions of [2, 3]) {
      const found = await embed(source, { dimensions });
      expect(found.length).toBe(48 * dimensions);
      expect(trustworthiness(source, embeddedSource(found, dimensions))).toBeGreaterThan(0.95);
    }
  });

  test("keeps two far groups apart: the five nearest of each point are of its group", async () => {
    const points = groups(40);
    const found = embeddedSource(await embed(distancesFromRows(points, "euclidean"), {}), 2);
    const row = new Float64Array(40);
    for (let i = 0; i < 40; i++) {
      found.readRowInto(row, i);
      const near = Array.from(row, (distance, j) => [distance, j] as const)
        .sort((a, b) => a[0] - b[0])
        .slice(1, 6);
      expect(near.every(([, j]) => j < 20 === i < 20)).toBe(true);
    }
  });

  test("the same seed gives the same embedding, another one another", async () => {
    const source = distancesFromRows(circle(30), "euclidean");
    const first = await embed(source, { seed: 3 });
    expect(await embed(source, { seed: 3 })).toEqual(first);
    expect(await embed(source, { seed: 4 })).not.toEqual(first);
  });

  test("stops when it is told to", async () => {
    const source = distancesFromRows(circle(30), "euclidean");
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(embed(source, { signal })).rejects.toThrow("enough");
  });
});

describe("UMAP's start", () => {
  const points = groups(40);
  const source = distancesFromRows(points, "euclidean");
  const start = Float64Array.from({ length: 80 }, (_, p) => (p < 40 ? -3 : 3) + Math.sin(p));

  test("is where points are before they move, scaled to a largest coordinate of 10", async () => {
    // One sweep on a graph of this size moves points by a few units at most; random places would be anywhere.
    const found = await umapEmbedding(source, { start, nEpochs: 1 });
    const largest = Math.max(...start.map(Math.abs));
    const distance = (from: Float64Array) =>
      found.reduce((sum, value, p) => sum + Math.abs(value - (from[p] as number)), 0) / 80;
    const scaled = start.map((value) => (10 * value) / largest);
    expect(distance(scaled)).toBeLessThan(distance(await umapEmbedding(source, { nEpochs: 1 })) / 2);
    expect(await umapEmbedding(source, { start: start.map((value) => value * 8), nEpochs: 1 })).toEqual(
      found,
    );
  });

  test("decides where groups lie, whatever the seed", async () => {
    const side = (found: Float64Array, from: number) =>
      found.slice(from, from + 40).reduce((sum, value, p) => sum + (p % 2 === 0 ? value : 0), 0);
    for (const seed of [0, 1, 2, 3, 4]) {
      const found = await umapEmbedding(source, { start, seed, nEpochs: 100 });
      expect(side(found, 0)).toBeLessThan(side(found, 40));
    }
  });

  test("of another size or with a number that is not finite is refused; all zeros leave random places", async () => {
    await expect(umapEmbedding(source, { start: new Float64Array(3) })).rejects.toThrow(
      "start: expected 40 × 2 numbers, got 3",
    );
    const bad = start.with(7, Number.NaN);
    await expect(umapEmbedding(source, { start: bad })).rejects.toThrow("start[7]: expected a finite number");
    const zeros = await umapEmbedding(source, { start: new Float64Array(80), nEpochs: 20 });
    expect(zeros).toEqual(await umapEmbedding(source, { nEpochs: 20 }));
  });
});

test("t-SNE does not depend on the scale of the distances", async () => {
  const first = await tsneEmbedding(distancesFromRows(circle(30), "euclidean"));
  const second = await tsneEmbedding(distancesFromRows(circle(30, 2 ** 20), "euclidean"));
  expect(second).toEqual(first);
});

describe("options out of range are refused by name", () => {
  const source = distancesFromRows(circle(12), "euclidean");
  test.each([
    [{ nNeighbors: 12 }, "nNeighbors: expected an integer from 2 to 11, got 12"],
    [{ nNeighbors: 1 }, "nNeighbors: expected an integer from 2 to 11, got 1"],
    [{ minDist: 2 }, "minDist: expected a number from 0 to spread (1), got 2"],
    [{ spread: 0 }, "spread: expected a number > 0, got 0"],
    [{ nEpochs: 0 }, "nEpochs: expected an integer ≥ 1, got 0"],
    [{ dimensions: 0 }, "dimensions: expected an integer ≥ 1, got 0"],
    [{ seed: 0.5 }, "seed: expected a safe integer, got 0.5"],
  ])("UMAP %o", async (options, message) => {
    await expect(umapEmbedding(source, options)).rejects.toThrow(message);
  });
  test.each([
    [{ perplexity: 11 }, "perplexity: expected a number from 1 to below 11, got 11"],
    [{ perplexity: Number.NaN }, "perplexity: expected a number from 1"],
    [{ epsilon: 0 }, "epsilon: expected a number > 0, got 0"],
    [{ iterations: 1.5 }, "iterations: expected an integer ≥ 1, got 1.5"],
    [{ dimensions: 0 }, "dimensions: expected an integer ≥ 1, got 0"],
    [{ seed: 2 ** 60 }, "seed: expected a safe integer"],
  ])("t-SNE %o", async (options, message) => {
    await expect(tsneEmbedding(source, options)).rejects.toThrow(message);
  });
});

describe("pcaEmbedding", () => {
  test("gives the coordinates of points on a plane, and their shares of the variance", async () => {
    // Coordinates with mean 0 and product 0, along two orthogonal directions far from the origin.
    const a = [-3, -1, 1, 3];
    const b = [1, -1, -1, 1];
    const rows = Float64Array.from(a.flatMap((u, i) => [7 + 0.6 * u, 0.8 * u - 2, 50 - b[i]]));
    const gram = (await pointGram({ rows, count: 4, dimension: 3 }, plainLinearAlgebra, false)).gram;
    const { embedding, explainedVarianceRatio } = await pcaEmbedding(gram, 4, 2, plainLinearAlgebra);
    const sign = Math.sign(embedding[6] as number);
    expectAllClose(
      embedding.filter((_, p) => p % 2 === 0).map((value) => sign * value),
      a,
      { absolute: 1e-6 },
    );
    const second = embedding.filter((_, p) => p % 2 === 1);
    expectAllClose(second.map(Math.abs), [1, 1, 1, 1], { absolute: 1e-6 });
    expect(Math.max(...second)).toBeGreaterThan(0);
    expectAllClose(explainedVarianceRatio, [20 / 24, 4 / 24], { absolute: 1e-9 });
  });

  test("refuses as many components as there are points", async () => {
    const gram = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
    await expect(pcaEmbedding(gram, 3, 3, plainLinearAlgebra)).rejects.toThrow(
      "an integer from 1 to 2, got 3",
    );
  });
});

describe("pairwiseDisparities", () => {
  test("is 0 for a shape turned, mirrored and scaled, and larger for another", () => {
    const shape = Float64Array.of(0, 0, 1, 0, 1, 2, 5, 3);
    const turned = Float64Array.from(shape, (_, p) =>
      p % 2 === 0 ? 2 * (shape[p + 1] as number) + 1 : 2 * (shape[p - 1] as number),
    );
    const other = Float64Array.of(0, 0, 5, 1, -2, 2, 0, -3);
    const { disparities, meanDisparity, maxDisparity } = pairwiseDisparities([shape, turned, other], 4, 2);
    expect(disparities[1]).toBeLessThan(1e-12);
    expect(disparities[2]).toBeGreaterThan(0.1);
    expect(disparities[2]).toBe(disparities[6]);
    expect(maxDisparity).toBe(Math.max(...disparities));
    expect(meanDisparity).toBeCloseTo(
      ((disparities[1] as number) + (disparities[2] as number) + (disparities[5] as number)) / 3,
      12,
    );
    expect(pairwiseDisparities([shape], 4, 2)).toMatchObject({ meanDisparity: 0, maxDisparity: 0 });
  });
});
