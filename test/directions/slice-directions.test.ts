import { describe, expect, it } from "vitest";
import {
  betweenModels,
  customDirections,
  ineffectiveDirections,
} from "../../src/directions/between-models.js";
import { randomDirections } from "../../src/directions/random.js";
import { makeLayout } from "../support/layout.js";

const layout = makeLayout([
  { name: "dense/kernel", shape: [2, 2] },
  { name: "dense/bias", shape: [2] },
  { name: "bn/moving_mean", shape: [2], role: "state", trainable: false, layerType: "BatchNormalization" },
]);
const a = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const b = Float32Array.of(1.5, 1, 0, 0, 1, 1, 2, 2);
const c = Float32Array.of(0, 0, 0, 1, 0, 0, 0, 0);

describe("betweenModels", () => {
  it("is the plain difference of all weights, statistics included, from the first model", () => {
    const { center, vectors, labels, kind } = betweenModels([a, b, c], { names: ["SGD", "Adam", "RMSProp"] });
    expect(kind).toBe("models");
    expect(center).toBe(a);
    expect(vectors.map((v) => Array.from(v))).toEqual(
      [b, c].map((m) => Array.from(m, (value, i) => value - a[i])),
    );
    expect(labels).toEqual(["SGD to Adam", "SGD to RMSProp"]);
  });

  it("refuses a model given twice, three on a line, NaN and another layout", () => {
    expect(() => betweenModels([a, b, a.slice()])).toThrow(
      "model 3: expected weights of its own, got those of model 1",
    );
    const middle = a.map((value, i) => (value + b[i]) / 2);
    expect(() => betweenModels([a, b, middle])).toThrow("collinear");
    expect(() => betweenModels([a, b.with(3, Number.NaN)])).toThrow(
      "model 2, entry 3: expected finite weights, got NaN",
    );
    expect(() => betweenModels([a.slice(1), b.slice(1)], { layout })).toThrow(
      "model 1: expected 8 weights, got 7",
    );
    expect(() => betweenModels([a])).toThrow("models: expected 2 or 3 weight vectors, got 1");
  });
});

describe("customDirections", () => {
  it("takes vectors as they are, or normalizes them", () => {
    expect(customDirections(a, [b]).vectors[0]).toBe(b);
    const [scaled] = customDirections(a, [b], { layout, normalize: { normalize: "layer" } }).vectors;
    expect(Math.hypot(...scaled.subarray(0, 4))).toBeCloseTo(Math.hypot(1, 2, 3, 4), 5);
    expect(Array.from(scaled.subarray(4))).toEqual([0, 0, 0, 0]);
  });

  it("refuses zeros, collinear vectors, NaN, lengths, labels", () => {
    expect(() => customDirections(a, [new Float32Array(8)])).toThrow(
      "direction 0: expected a finite vector other than zero",
    );
    expect(() => customDirections(a, [b, b.map((v) => 2 * v)])).toThrow("collinear");
    expect(() => customDirections(a, [b.with(1, Number.NaN)])).toThrow(
      "direction 0, entry 1: expected finite numbers, got NaN",
    );
    expect(() => customDirections(a, [b.slice(1)])).toThrow("direction 0: expected 8 numbers");
    expect(() => customDirections(a, [])).toThrow("directions: expected 1, 2 or 3 vectors, got 0");
    expect(() => customDirections(a, [b], { labels: [] })).toThrow("labels: expected 1 labels, got 0");
    expect(() => customDirections(a, [b], { normalize: {} })).toThrow(
      "layout: expected a layout to normalize by",
    );
  });
});

describe("ineffectiveDirections", () => {
  it("is θ_0 − θ_n with a random direction, or two random ones, and says that it is ineffective", () => {
    const initial = ineffectiveDirections("initial", layout, a, b, { seed: 3 });
    expect(Array.from(initial.vectors[0])).toEqual([
      ...Array.from(a.subarray(0, 6), (v, i) => b[i] - v),
      0,
      0,
    ]);
    expect(initial.vectors[1]).toEqual(randomDirections(layout, a, { seed: 3, count: 1 }).vectors[0]);
    expect(initial.labels).toEqual(["start to end (ineffective)", "random 1 (ineffective)"]);
    expect(initial.warnings.map(({ code }) => code)).toEqual(["ineffective-plane"]);
    const random = ineffectiveDirections("random", layout, a, b, { seed: 3 });
    expect(random.vectors).toEqual(randomDirections(layout, a, { seed: 3 }).vectors);
    expect(random.kind).toBe("ineffective-random");
  });

  it("refuses a start that is the end", () => {
    expect(() => ineffectiveDirections("initial", layout, a, a.slice())).toThrow(
      "initial weights: expected weights of its own, got those of final weights",
    );
  });
});
