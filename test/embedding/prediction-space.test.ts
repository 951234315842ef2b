import { describe, expect, test } from "vitest";
import { intensivePca, intensivePcaTransform } from "../../src/embedding/intensive-pca.js";
import {
  geodesicPoint,
  ignorance,
  predictionDistances,
  rootsOfLogs,
  truth,
} from "../../src/embedding/prediction-distance.js";
import { createNormal } from "../../src/math/random.js";
import { expectAllClose } from "../support/allclose.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";

const labels = [3, 1, 4, 1, 5];
const classes = 10;
const ends = [ignorance(5, classes), truth(labels, classes)] as const;

describe("distances of predictions", () => {
  test.each([2, 10, 100])("from ignorance to the truth of %i classes: ½ ln C", (c) => {
    const [distance] = predictionDistances([ignorance(3, c)], [truth([0, 1, 1], c)], c);
    expect(distance).toBeCloseTo(Math.log(c) / 2, 12);
  });

  test("on the geodesic: −ln of the cosine of the angle between", () => {
    const angle = Math.acos(1 / Math.sqrt(classes));
    for (const [s, t] of [
      [0, 0.3],
      [0.2, 0.9],
      [0.5, 1],
    ]) {
      const [a, b] = [s, t].map((at) => geodesicPoint(...ends, classes, at));
      expect(predictionDistances([a], [b], classes)[0]).toBeCloseTo(-Math.log(Math.cos((t - s) * angle)), 10);
    }
    expect(predictionDistances([geodesicPoint(...ends, classes, 0)], [ends[0]], classes)[0]).toBeCloseTo(
      0,
      12,
    );
  });

  test("are symmetric, 0 to oneself, the mean over samples, and 100 where nothing is shared", () => {
    const one = truth([0, 1], 3);
    const other = truth([0, 2], 3);
    expect([...predictionDistances([one, other], [one, other], 3)]).toEqual([0, 100, 100, 0]);
    const next = createNormal(3, "predictions");
    const points = Array.from({ length: 5 }, () => rootsOfLogs(logSoftmax(20, 4, next), 4));
    const d = predictionDistances(points, points, 4);
    const rectangular = predictionDistances([...points], points, 4);
    expectAllClose(d, rectangular, { absolute: 1e-15 });
    for (let i = 0; i < 5; i++) {
      expect(d[6 * i]).toBe(0);
      for (let j = 0; j < 5; j++) {
        const perSample = Array.from({ length: 20 }, (_, s) => {
          const part = (k: number) => [points[k].slice(4 * s, 4 * s + 4)];
          return predictionDistances(part(i), part(j), 4)[0];
        });
        expect(d[5 * i + j]).toBeCloseTo(perSample.reduce((a, b) => a + b) / 20, 12);
      }
    }
  });

  test("of near predictions keep their digits, though logarithms are float32", () => {
    const next = createNormal(4, "near");
    const logs = logSoftmax(50, 10, next);
    const roots = rootsOfLogs(logs, 10);
    const apart = 1e-4;
    const moved = roots.slice();
    // A turn of each sample by a small angle in the plane of two classes.
    for (let s = 0; s < 50; s++) {
      const [a, b] = [roots[10 * s], roots[10 * s + 1]];
      const turn = apart / Math.hypot(a, b);
      moved[10 * s] = a * Math.cos(turn) - b * Math.sin(turn);
      moved[10 * s + 1] = a * Math.sin(turn) + b * Math.cos(turn);
    }
    expect(predictionDistances([roots], [moved], 10)[0] / (apart ** 2 / 2)).toBeCloseTo(1, 4);
  });

  test("labels that are no class and sizes that differ are refused", () => {
    expect(() => truth([0, 3], 3)).toThrow("label 1: expected a class from 0 to 2, got 3");
    expect(() => predictionDistances([ignorance(2, 3)], [ignorance(3, 3)], 3)).toThrow(
      "predictions: expected all of 6",
    );
  });
});

function logSoftmax(samples: number, width: number, next: () => number): Float32Array {
  const out = new Float32Array(samples * width);
  for (let s = 0; s < samples; s++) {
    const logits = Array.from({ length: width }, () => 2 * next());
    const norm = Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0));
    out.set(
      logits.map((value) => value - norm),
      s * width,
    );
  }
  return out;
}

describe("intensive PCA", () => {
  test("60 points on the geodesic at C = 10 have eigenvalues 4.966, −0.399, 0.0403", async () => {
    const points = Array.from({ length: 60 }, (_, i) => geodesicPoint(...ends, classes, (0.999 * i) / 59));
    const distances = predictionDistances(points, points, classes);
    const found = await intensivePca(distances, 60, 3, plainLinearAlgebra);
    expect(found.eigenvalues[0]).toBeCloseTo(4.9666, 3);
    expect(found.eigenvalues[1]).toBeCloseTo(-0.399, 3);
    expect(found.eigenvalues[2]).toBeCloseTo(0.0403, 4);
    expect(found.isImaginary).toEqual([false, true, false]);
    const [all, left] = [found.eigenvalues, found.eigenvalues.slice(3)].map((values) =>
      values.reduce((sum, value) => sum + value * value, 0),
    );
    expect(found.explainedStress).toBeCloseTo(1 - Math.sqrt(left / all), 12);
    // With the signs of the eigenvalues, differences of coordinates give the distances again.
    const whole = await intensivePca(distances, 60, 59, plainLinearAlgebra);
    for (const [i, j] of [
      [0, 59],
      [3, 40],
    ]) {
      let square = 0;
      for (let k = 0; k < 59; k++) {
        const sign = whole.isImaginary[k] ? -1 : 1;
        square += sign * (whole.embedding[59 * i + k] - whole.embedding[59 * j + k]) ** 2;
      }
      expect(square).toBeCloseTo(distances[60 * i + j], 8);
    }
  });

  test("of squared Euclidean distances is PCA, and a point of its own has its own place", async () => {
    const next = createNormal(9, "points");
    const [n, d] = [12, 3];
    const rows = Array.from({ length: n }, () => Array.from({ length: d }, next));
    const squares = Float64Array.from(
      rows.flatMap((a) => rows.map((b) => a.reduce((s, x, c) => s + (x - b[c]) ** 2, 0))),
    );
    const found = await intensivePca(squares, n, 3, plainLinearAlgebra);
    expect(found.explainedStress).toBeCloseTo(1, 6);
    expect(found.isImaginary).toEqual([false, false, false]);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        let square = 0;
        for (let k = 0; k < 3; k++) square += (found.embedding[3 * i + k] - found.embedding[3 * j + k]) ** 2;
        expect(square).toBeCloseTo(squares[n * i + j], 8);
      }
    }
    expectAllClose(intensivePcaTransform(found, squares), found.embedding, { absolute: 1e-9 });
  });

  test("refuses what is no matrix of distances", async () => {
    const refuse = (distances: number[], n: number, k: number, message: string) =>
      expect(intensivePca(Float64Array.from(distances), n, k, plainLinearAlgebra)).rejects.toThrow(message);
    await refuse([0, 1, 1, 0], 2, 2, "dimensions: expected an integer from 1 to 1, got 2");
    await refuse([0, 1, 1], 2, 1, "distances: expected 2 × 2 numbers, got 3");
    await refuse(
      [0, Number.NaN, 1, 0],
      2,
      1,
      "distance of 0 and 1: expected a finite number of at least 0, got NaN",
    );
  });
});
