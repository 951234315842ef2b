import { describe, expect, test } from "vitest";
import { distanceMatrix, distancesFromRows } from "../../src/embedding/distance-source.js";
import { classicMds, embedDistances } from "../../src/embedding/mds/embed-distances.js";
import { procrustes } from "../../src/embedding/mds/procrustes.js";
import { sgdMds } from "../../src/embedding/mds/sgd-mds.js";
import { nonmetricMds, smacof } from "../../src/embedding/mds/smacof.js";
import { guttmanInto, stressOf } from "../../src/embedding/mds/stress.js";
import { symmetricTimes, topEigenpairs } from "../../src/math/top-eigenpairs.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";
import { maxDifference } from "./golden.js";
import { branchingWalk, normal } from "./random-points.js";

const n = 30;

function euclidean(rows: Float64Array, dimension: number): Float64Array {
  return distanceMatrix(distancesFromRows({ rows, count: n, dimension }, "euclidean"));
}

const next = normal(3);
const planar = new Float64Array(2 * n).map(next);
const spatial = new Float64Array(3 * n).map(next);
const curved = euclidean(branchingWalk(n, 12, 4).rows as Float64Array, 12);

describe("points of the plane and of space come back exactly", () => {
  test.each([
    [2, planar],
    [3, spatial],
  ])("in %i dimensions", async (k, points) => {
    const distances = euclidean(points, k);
    const torgerson = await classicMds(distances, n, plainLinearAlgebra, {
      dimensions: k,
      variant: "torgerson",
    });
    expect(maxDifference(euclidean(torgerson, k), distances)).toBeLessThan(1e-8);
    const classic = await classicMds(distances, n, plainLinearAlgebra, { dimensions: k });
    for (const acceleration of ["lbfgs", "none"] as const) {
      const metric = smacof(distances, n, classic, { dimensions: k, acceleration, eps: 1e-12 });
      expect(metric.stress).toBeLessThan(1e-6);
      expect(procrustes(points, metric.embedding, n, k).disparity).toBeLessThan(1e-9);
    }
    const sgd = sgdMds(distances, n, classic, { dimensions: k });
    expect(procrustes(points, sgd.embedding, n, k).disparity).toBeLessThan(1e-6);
  });
});

describe("SMACOF", () => {
  test("ends where the Guttman transform stands still, and both ways agree", async () => {
    const classic = await classicMds(curved, n, plainLinearAlgebra);
    const fast = smacof(curved, n, classic, { eps: 1e-13 });
    const slow = smacof(curved, n, classic, { eps: 1e-13, acceleration: "none" });
    expect(fast.stress).toBeCloseTo(slow.stress, 5);
    expect(fast.iterations).toBeLessThan(slow.iterations / 2);
    const transform = new Float64Array(2 * n);
    guttmanInto(transform, curved, fast.embedding, n, 2);
    expect(maxDifference(transform, fast.embedding)).toBeLessThan(1e-4);
  });

  test("never raises the stress, and takes any scale of start", async () => {
    const classic = await classicMds(curved, n, plainLinearAlgebra);
    let last = Infinity;
    for (const maxIter of [1, 2, 3, 5, 10, 50]) {
      const { stress } = smacof(curved, n, classic, { maxIter, eps: 0 });
      expect(stress).toBeLessThanOrEqual(last);
      last = stress;
    }
    const scaled = smacof(
      curved,
      n,
      classic.map((value) => value * 1e6),
    );
    expect(scaled.stress).toBeCloseTo(smacof(curved, n, classic).stress, 6);
  });

  test("the stress is that of its coordinates", () => {
    const x = Float64Array.of(0, 0, 3, 4, 0, 1);
    const delta = Float64Array.of(0, 4, 1, 4, 0, 5, 1, 5, 0);
    expect(stressOf(x, delta, 3, 2)).toBeCloseTo(1 + 0 + (Math.sqrt(18) - 5) ** 2, 12);
  });

  test("stops when aborted", () => {
    const signal = AbortSignal.abort(new Error("enough"));
    expect(() => smacof(curved, n, planar, { signal })).toThrow("enough");
    expect(() => sgdMds(curved, n, planar, { signal })).toThrow("enough");
    expect(() => nonmetricMds(curved, n, planar, { signal })).toThrow("enough");
  });
});

describe("SGD", () => {
  test("repeats with a seed, 0 being one, and differs between seeds", () => {
    const run = (seed?: number) => sgdMds(curved, n, planar, seed === undefined ? {} : { seed }).embedding;
    expect(run(0)).toEqual(run());
    expect(run(5)).toEqual(run(5));
    expect(run(5)).not.toEqual(run(0));
  });

  test("comes close to the stress of SMACOF", async () => {
    const classic = await classicMds(curved, n, plainLinearAlgebra);
    const best = smacof(curved, n, classic).stress;
    for (const seed of [0, 1, 2]) {
      expect(sgdMds(curved, n, classic, { seed }).stress).toBeLessThan(1.05 * best);
    }
  });
});

describe("nonmetric scaling", () => {
  test("sees only the order of distances", async () => {
    const classic = await classicMds(curved, n, plainLinearAlgebra);
    const start = smacof(curved, n, classic).embedding;
    const plain = nonmetricMds(curved, n, start);
    const cubed = nonmetricMds(
      curved.map((d) => d ** 3),
      n,
      start,
    );
    expect(cubed.embedding).toEqual(plain.embedding);
  });

  test("has no stress where the order is that of points of the plane", () => {
    const distances = euclidean(planar, 2).map((d) => Math.expm1(d));
    const { stress } = nonmetricMds(distances, n, planar);
    expect(stress).toBeLessThan(1e-12 * n * n + 1e-9);
  });
});

describe("as PHATE scales", () => {
  test("metric coordinates are centred and fitted to the classic ones", async () => {
    const classic = await embedDistances(curved, n, plainLinearAlgebra, { mds: "classic" });
    const metric = await embedDistances(curved, n, plainLinearAlgebra);
    const fit = procrustes(classic.embedding, metric.embedding, n, 2);
    expect(maxDifference(fit.aligned, metric.embedding)).toBeLessThan(1e-8);
    expect(classic.iterations).toBe(0);
    const raw = smacof(curved, n, classic.embedding);
    expect(metric.stress).toBeCloseTo(raw.stress, 4);
    expect(metric.normalizedStress).toBeLessThan(classic.normalizedStress);
    const nonmetric = await embedDistances(curved, n, plainLinearAlgebra, { mds: "nonmetric" });
    expect(nonmetric.embedding).not.toEqual(metric.embedding);
  });
});

test.each([2, 3])(
  "the stress of a scaling in %i dimensions is that of its best scale, pair by pair",
  async (k) => {
    for (const mds of ["classic", "metric"] as const) {
      const scaling = await embedDistances(curved, n, plainLinearAlgebra, { mds, dimensions: k });
      const lengths = euclidean(scaling.embedding, k);
      const sum = (value: (p: number) => number) =>
        lengths.reduce((total, _, p) => total + (p % n < Math.floor(p / n) ? value(p) : 0), 0);
      const scale = sum((p) => lengths[p] * curved[p]) / sum((p) => lengths[p] ** 2);
      const stress = sum((p) => (scale * lengths[p] - curved[p]) ** 2);
      expect(scaling.stress / stress).toBeCloseTo(1, 9);
      expect(scaling.normalizedStress).toBeCloseTo(Math.sqrt(stress / sum((p) => curved[p] ** 2)), 9);
    }
  },
);

describe("eigenpairs", () => {
  test("of largest magnitude, double ones included", async () => {
    const diagonal = [3, -5, 5, 1, -4, ...new Array(60).fill(0.5)];
    const size = diagonal.length;
    const { values, vectors } = await topEigenpairs(
      (block) => block.map((x) => x.map((value, i) => value * diagonal[i])),
      size,
      3,
      plainLinearAlgebra,
    );
    expect([...values].map(Math.abs)).toEqual([5, 5, 4].map((value) => expect.closeTo(value, 9)));
    expect(values[0] + values[1]).toBeCloseTo(0, 9);
    expect(Math.abs(vectors[2 * size + 4])).toBeCloseTo(1, 8);
  });

  test("satisfy A·v = λ·v for a dense matrix", async () => {
    const matrix = curved;
    const { values, vectors } = await topEigenpairs(
      (b) => symmetricTimes(matrix, b, n),
      n,
      3,
      plainLinearAlgebra,
    );
    for (let r = 0; r < 3; r++) {
      const vector = vectors.slice(r * n, (r + 1) * n);
      const [image] = symmetricTimes(matrix, [vector], n);
      expect(
        maxDifference(
          image,
          vector.map((value) => value * values[r]),
        ),
      ).toBeLessThan(1e-7);
    }
  });

  test("classic scaling refuses as many dimensions as points", async () => {
    await expect(classicMds(curved, n, plainLinearAlgebra, { dimensions: n })).rejects.toThrow(
      `dimensions: expected an integer from 1 to ${n - 1}, got ${n}`,
    );
  });
});

describe("Procrustes", () => {
  test("undoes any similarity transform, reflections included", () => {
    const [c, s] = [Math.cos(2), Math.sin(2)];
    const moved = new Float64Array(2 * n);
    for (let i = 0; i < n; i++) {
      const [x, y] = [planar[2 * i], -planar[2 * i + 1]];
      moved[2 * i] = 7 * (c * x - s * y) + 3;
      moved[2 * i + 1] = 7 * (s * x + c * y) - 1;
    }
    const { disparity, reference, aligned } = procrustes(planar, moved, n, 2);
    expect(disparity).toBeLessThan(1e-20);
    expect(maxDifference(reference, aligned)).toBeLessThan(1e-12);
  });

  test("gives scipy's values", () => {
    // scipy.spatial.procrustes([[1,3],[1,2],[1,1],[2,1]], [[4,-2],[4,-4],[4,-6],[2,-6]]): disparity 0.
    const a = Float64Array.of(1, 3, 1, 2, 1, 1, 2, 1);
    expect(procrustes(a, Float64Array.of(4, -2, 4, -4, 4, -6, 2, -6), 4, 2).disparity).toBeLessThan(1e-20);
    const other = procrustes(a, Float64Array.of(0, 0, 1, 0, 0, 2, 5, 1), 4, 2);
    const shape = (x: Float64Array) => x.reduce((sum, value) => sum + value * value, 0);
    expect(other.disparity).toBeCloseTo(1 - shape(other.aligned), 12);
    expect(other.disparity).toBeGreaterThan(0);
  });

  test("takes points on a line, and refuses points that coincide", () => {
    const onLine = Float64Array.from({ length: 2 * n }, (_, p) => (p % 2 === 0 ? p : 0));
    expect(
      procrustes(
        onLine,
        onLine.map((_, p) => (p % 2 === 1 ? p : 0)),
        n,
        2,
      ).disparity,
    ).toBeLessThan(1e-12);
    expect(() => procrustes(planar, new Float64Array(2 * n), n, 2)).toThrow(
      "points: expected points that are not all equal, got 30 equal points",
    );
  });
});
