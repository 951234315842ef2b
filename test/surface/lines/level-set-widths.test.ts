import { describe, expect, it } from "vitest";
import { commonRise, type LineSlice, levelSetWidths } from "../../../src/surface/lines/level-set-width.js";
import { sampleSurface, uniform } from "../../figure/sample-figures.js";

/** Lines L(α) = 1 + c·α², one for each c. */
function parabolas(...curvatures: readonly number[]): LineSlice {
  const alpha = uniform(-1, 1, 201).map((value) => Math.round(value * 100) / 100);
  return {
    kind: "random",
    axis: "α",
    alpha,
    curves: curvatures.map((c, seed) => ({
      set: "train",
      seed,
      surface: sampleSurface(alpha, Float64Array.of(0), (a) => 1 + c * a * a),
    })),
    marks: [],
    batchNorm: "keep",
    warnings: [],
  };
}

describe("levelSetWidths", () => {
  it("are 2·√(rise/c), with median and quartiles over the lines", () => {
    const { median, low, high, bySeed, open } = levelSetWidths(parabolas(4, 16, 64), "train", 1);
    expect(Array.from(bySeed, (width) => Math.round(width * 1000) / 1000)).toEqual([1, 0.5, 0.25]);
    expect(median).toBeCloseTo(0.5, 3);
    expect(low).toBeCloseTo(0.375, 3);
    expect(high).toBeCloseTo(0.75, 3);
    expect(open).toBe(0);
  });

  it("count the lines that do not rise so far", () => {
    const { bySeed, open } = levelSetWidths(parabolas(4, 0.5), "train", 1);
    expect([bySeed[1], open]).toEqual([2, 1]);
  });
});

describe("commonRise", () => {
  it("is a round number of at most half of what the flattest rises", () => {
    expect(commonRise([parabolas(9), parabolas(300)], "train")).toBe(2);
    expect(commonRise([parabolas(0.011)], "train")).toBe(0.005);
    expect(commonRise([parabolas(2)], "train")).toBe(1);
  });

  it("is none where a loss does not rise or is not finite", () => {
    expect(commonRise([parabolas(0), parabolas(1)], "train")).toBeNull();
    expect(commonRise([parabolas(Number.NaN)], "train")).toBeNull();
    expect(commonRise([parabolas(Number.POSITIVE_INFINITY)], "train")).toBeNull();
  });
});
