import { describe, expect, it } from "vitest";
import { solutionDistances } from "../../src/directions/between-models.js";
import { makeLayout } from "../support/layout.js";

const layout = makeLayout([
  { name: "w", shape: [2] },
  { name: "mean", shape: [1], role: "state", trainable: false },
]);

describe("solutionDistances", () => {
  it("are those of the trainable weights, by hand", () => {
    const thetas = [Float32Array.of(3, 4, 100), Float32Array.of(8, 6, -100), Float32Array.of(-4, 3, 0)];
    const { distance, cosine } = solutionDistances(layout, thetas);
    const expected = [0, Math.sqrt(29), Math.sqrt(50), Math.sqrt(29), 0, Math.sqrt(153)];
    expected.forEach((value, i) => {
      expect(distance[i]).toBeCloseTo(value, 12);
    });
    expect([cosine[1], cosine[2], cosine[4], cosine[8]]).toEqual([0.96, 0, 1, 1]);
    expect(cosine[3]).toBe(cosine[1]);
  });

  it("have no angle to a solution of zeros", () => {
    const { distance, cosine } = solutionDistances(layout, [
      Float32Array.of(0, 0, 1),
      Float32Array.of(0, 2, 1),
    ]);
    expect(Array.from(distance)).toEqual([0, 2, 2, 0]);
    expect(Array.from(cosine)).toEqual([Number.NaN, Number.NaN, Number.NaN, 1]);
  });

  it("refuse weights of another length", () => {
    expect(() => solutionDistances(layout, [new Float32Array(3), new Float32Array(2)])).toThrow(
      "solution 1: expected 3 weights, got 2",
    );
  });
});
