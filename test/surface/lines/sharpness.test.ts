import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { functionEvaluator } from "../../../src/loss/local-evaluator.js";
import { axisOfGrid } from "../../../src/surface/grid.js";
import { epsilonSharpness } from "../../../src/surface/lines/epsilon-sharpness.js";
import { type LineSlice, levelSetWidth, meanLossRise } from "../../../src/surface/lines/level-set-width.js";
import { sampleSurface } from "../../figure/sample-figures.js";

const alpha = axisOfGrid("alpha", { from: -2, to: 2, size: 4001 });
const inf = Number.POSITIVE_INFINITY;

describe("epsilonSharpness of negative losses", () => {
  const sharpnessAt = async (loss: number) => {
    const evaluator = functionEvaluator(([x]) => loss + (x as number) ** 2, 1);
    const directions = { center: Float32Array.of(0), vectors: [Float32Array.of(1)] };
    return (await epsilonSharpness(evaluator, directions, { epsilon: 0.1 })).sharpness;
  };

  it("is not defined from −1 on", async () => {
    expect(await sharpnessAt(-1)).toBeNaN();
    expect(await sharpnessAt(-3)).toBeNaN();
    expect(await sharpnessAt(-0.5)).toBeCloseTo(2, 5);
  });
});

describe("levelSetWidth", () => {
  it("is 2·√(rise / curvature) for a parabola", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.3, max: 20, noNaN: true }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (c, rise) => {
          const { width, left, right, isOpen } = levelSetWidth(
            alpha,
            alpha.map((a) => 3 + c * a * a),
            rise,
          );
          expect(width).toBeCloseTo(2 * Math.sqrt(rise / c), 4);
          expect(left).toBeCloseTo(-right, 9);
          expect(isOpen).toBe(false);
        },
      ),
    );
  });

  it("takes the connected part around 0, each side by itself", () => {
    const at = Float64Array.of(-2, -1, 0, 1, 2);
    expect(levelSetWidth(at, Float64Array.of(0, 2, 0, 0.5, 4), 1)).toEqual({
      width: 1.5 + (0.5 / 3.5 - 0) + 0,
      left: -0.5,
      right: 1 + 0.5 / 3.5,
      isOpen: false,
    });
  });

  it("ends where the loss reaches the level, also if it falls again at once", () => {
    const at = Float64Array.of(-2, -1, 0, 1, 2);
    expect(levelSetWidth(at, Float64Array.of(0.5, 1, 0, 1, 0.5), 1)).toEqual({
      width: 2,
      left: -1,
      right: 1,
      isOpen: false,
    });
  });

  it("is a lower bound where the range ends first, ends at an infinite loss, and is NaN at a NaN", () => {
    const at = Float64Array.of(-1, 0, 1);
    expect(levelSetWidth(at, Float64Array.of(0.1, 0, inf), 1)).toEqual({
      width: 1,
      left: -1,
      right: 0,
      isOpen: true,
    });
    expect(levelSetWidth(at, Float64Array.of(Number.NaN, 0, 9), 1).width).toBeNaN();
  });

  it("refuses a line without its centre and a rise of nothing", () => {
    expect(() => levelSetWidth(Float64Array.of(1, 2), Float64Array.of(0, 1), 1)).toThrow(
      "0 among the coordinates",
    );
    expect(() => levelSetWidth(alpha, alpha, 0)).toThrow("rise: expected a finite number above 0, got 0");
  });
});

function sliceOf(curvatures: readonly number[]): LineSlice {
  const line = axisOfGrid("alpha", { from: -1, to: 1, size: 201 });
  return {
    kind: "random",
    axis: "α",
    alpha: line,
    curves: curvatures.map((c, seed) => ({
      set: "train",
      seed,
      surface: sampleSurface(line, Float64Array.of(0), (a) => 1 + c * a * a + a),
    })),
    marks: [],
    batchNorm: "keep",
    warnings: [],
  };
}

describe("meanLossRise", () => {
  it("is c·r² on a parabola: slopes of the two sides cancel; mean and quartiles over seeds", () => {
    const rise = meanLossRise(sliceOf([1, 2, 3, 4, 5]), "train", 0.5);
    expect(Array.from(rise.bySeed, (value) => Number(value.toFixed(9)))).toEqual([0.25, 0.5, 0.75, 1, 1.25]);
    expect([rise.mean, rise.low, rise.high].map((value) => Number(value.toFixed(9)))).toEqual([0.75, 0.5, 1]);
  });

  it("interpolates between points, and refuses a radius off the line", () => {
    expect(meanLossRise(sliceOf([1]), "train", 0.505).mean).toBeCloseTo(0.505 ** 2, 4);
    expect(() => meanLossRise(sliceOf([1]), "train", 1.5)).toThrow(
      "radius: expected a number above 0 within -1 to 1, got 1.5",
    );
    expect(() => meanLossRise(sliceOf([1]), "train", 0)).toThrow("radius");
  });
});

describe("epsilonSharpness", () => {
  const evaluator = functionEvaluator((theta) => 1 + 4 * theta[0] ** 2 + theta[1] ** 2, 3);

  it("is 100·(max − L)/(1 + L) over the box, whose corners are the worst of a bowl", async () => {
    const directions = {
      center: Float32Array.of(0, 0, 5),
      vectors: [Float32Array.of(1, 0, 0), Float32Array.of(0, 2, 0)],
    };
    const result = await epsilonSharpness(evaluator, directions, { epsilon: 0.5 });
    expect(result.halfWidths).toEqual([0.5, 0.5]);
    expect(result.maximum).toBeCloseTo(1 + 4 * 0.25 + 1, 6);
    expect(result.sharpness).toBeCloseTo(100, 4);
    expect(result.at.map(Math.abs)).toEqual([0.5, 0.5]);
    const byDefault = await epsilonSharpness(evaluator, directions);
    expect([byDefault.epsilon, ...byDefault.halfWidths]).toEqual([1e-3, 1e-3, 1e-3]);
    expect(byDefault.sharpness).toBeCloseTo((100 * (4e-6 + 4e-6)) / 2, 6);
  });

  it("widens the box by the coordinates of θ* in the subspace, and takes one direction too", async () => {
    const directions = { center: Float32Array.of(3, 0, 0), vectors: [Float32Array.of(2, 0, 0)] };
    const { halfWidths, maximum } = await epsilonSharpness(evaluator, directions, { epsilon: 0.1 });
    expect(halfWidths[0]).toBeCloseTo(0.1 * 2.5, 12);
    expect(maximum).toBeCloseTo(1 + 4 * 3.5 ** 2, 4);
  });

  it("refuses zero directions and bad options", async () => {
    const center = Float32Array.of(1, 0, 0);
    const make = (vector: Float32Array, options = {}) =>
      epsilonSharpness(evaluator, { center, vectors: [vector] }, options);
    await expect(make(new Float32Array(3))).rejects.toThrow("a finite vector other than zero");
    await expect(make(center, { epsilon: 0 })).rejects.toThrow("epsilon");
    await expect(make(center, { points: 4 })).rejects.toThrow("points: expected an odd number");
  });
});
