import { describe, expect, it, vi } from "vitest";
import { InvalidDataError, InvalidOptionError } from "../../src/base/errors.js";
import { functionEvaluator } from "../../src/loss/local-evaluator.js";
import type { LossEvaluator } from "../../src/loss/loss-evaluator.js";
import { evaluateLine, evaluateSurface } from "../../src/surface/evaluate-surface.js";

const grid = {
  alpha: Float64Array.from([-3, -2, -1, 0, 1, 2, 3]),
  beta: Float64Array.from([-1, 0, 1, 2]),
};
const center = Float32Array.of(1, 2, -1, 5);
const vectors = [Float32Array.of(1, 0, 0, 0), Float32Array.of(0, 0, 2, 0)];
/** A bowl about the centre, steeper along beta; exact in float32 on this grid. */
const bowl = functionEvaluator(
  ([a, b, c, d]) => (a as number) ** 2 + 3 * (b as number) + (c as number) ** 2 / 4 + (d as number),
  4,
);
const bowlAt = (alpha: number, beta: number) => (1 + alpha) ** 2 + 6 + (-1 + 2 * beta) ** 2 / 4 + 5;

describe("evaluateSurface", () => {
  it("has every value of a quadratic bowl on a 7 × 4 grid, rows over beta", async () => {
    const surface = await evaluateSurface(bowl, { center, vectors }, grid);
    expect(surface.loss.length).toBe(28);
    for (const [j, b] of grid.beta.entries()) {
      for (const [i, a] of grid.alpha.entries()) expect(surface.loss[j * 7 + i]).toBe(bowlAt(a, b));
    }
    expect(surface.center.loss).toBe(bowlAt(0, 0));
    expect(surface).toMatchObject({ nonFinite: 0, clippedShare: null, samples: 1, warnings: [] });
    expect(surface.alpha).toEqual(grid.alpha);
  });

  it("does not shear or transpose an asymmetric function, and keeps metrics apart", async () => {
    const evaluator = functionEvaluator(
      ([a, , c]) => ({ loss: (a as number) - 1, metrics: { beta: ((c as number) + 1) / 2 } }),
      4,
      { metricNames: ["beta"] },
    );
    const { loss, metrics } = await evaluateSurface(evaluator, { center, vectors }, grid);
    expect(Array.from(loss)).toEqual(Array.from(grid.beta).flatMap(() => Array.from(grid.alpha)));
    const rows = Array.from(grid.beta).flatMap((value) => Array.from(grid.alpha, () => value));
    expect(Array.from(metrics.beta as Float64Array)).toEqual(rows);
  });

  it("is the same in any order of points, and refuses what is not an order", async () => {
    const plain = await evaluateSurface(bowl, { center, vectors }, grid);
    const order = (width: number, height: number) =>
      Array.from({ length: width * height }, (_, i) => (i * 5) % (width * height));
    expect(await evaluateSurface(bowl, { center, vectors }, grid, { order })).toEqual(plain);
    for (const wrong of [
      () => [0, 1],
      () => new Array(28).fill(3),
      () => Array.from({ length: 28 }, (_, i) => i + 1),
    ]) {
      await expect(evaluateSurface(bowl, { center, vectors }, grid, { order: wrong })).rejects.toThrow(
        "order: expected each of 28 grid points once",
      );
    }
  });

  it("evaluates the centre once where the grid has it, and beside the grid where not", async () => {
    const calls = vi.fn(() => 1);
    const counted = functionEvaluator(calls, 4);
    await evaluateSurface(counted, { center, vectors }, grid);
    expect(calls).toHaveBeenCalledTimes(28);
    const off = { alpha: Float64Array.of(1, 2), beta: Float64Array.of(0.5, 1) };
    const seen: number[][] = [];
    const surface = await evaluateSurface(bowl, { center, vectors }, off, {
      onProgress: (done, total, eta) => seen.push([done, total, eta >= 0 ? 1 : 0]),
    });
    expect(surface.center.loss).toBe(bowlAt(0, 0));
    expect(seen).toEqual([1, 2, 3, 4, 5].map((done) => [done, 5, 1]));
  });

  it("computes θ in float64 and rounds once; entries that no direction moves stay bit for bit", async () => {
    const seen: Float32Array[] = [];
    const keeper = functionEvaluator((theta) => {
      seen.push(theta.slice());
      return 0;
    }, 4);
    const start = Float32Array.of(0.1, 0.2, -0, 7);
    const directions = [Float32Array.of(0, 0.3, 0, 0), Float32Array.of(0, -1e-7, 0, 0)];
    const one = { alpha: Float64Array.of(0.7), beta: Float64Array.of(0.9) };
    await evaluateSurface(keeper, { center: start, vectors: directions }, one);
    expect(Object.is(seen[0]?.[2], -0)).toBe(true);
    const moved = Math.fround((start[1] as number) + 0.7 * Math.fround(0.3) + 0.9 * Math.fround(-1e-7));
    expect(Array.from(seen[1] as Float32Array)).toEqual([start[0], moved, -0, 7]);
  });

  it("keeps and counts values that are not finite, and says so", async () => {
    const broken = functionEvaluator(([a]) => ((a as number) > 2 ? Number.NaN : 1 / (a as number)), 4);
    const surface = await evaluateSurface(broken, { center, vectors }, grid);
    expect(surface.nonFinite).toBe(4 * 3);
    expect(surface.loss[2]).toBe(Number.POSITIVE_INFINITY);
    expect(surface.loss[6]).toBeNaN();
    expect(surface.warnings.map(({ code }) => code)).toEqual(["non-finite-loss"]);
  });

  it("reports clipping, and warns where it makes a plateau", async () => {
    const clipping = (clippedShare: number, cappedShare: number): LossEvaluator => ({
      ...bowl,
      evaluate: async (theta) => ({
        loss: 1,
        metrics: {},
        clippedShare: (theta[0] as number) > 3 ? clippedShare : 0.01,
        cappedShare: (theta[0] as number) > 3 ? cappedShare : 0,
      }),
    });
    const high = await evaluateSurface(clipping(0.5, 0.25), { center, vectors }, grid);
    expect(high.clippedShare).toBe(0.5);
    expect(high.warnings[0]).toMatchObject({ code: "capped-loss" });
    expect(high.warnings[0]?.message).toContain("25 %");
    const harmless = await evaluateSurface(clipping(0.5, 0), { center, vectors }, grid);
    expect(harmless.warnings).toEqual([]);
  });

  it("stops at an abort", async () => {
    const controller = new AbortController();
    let points = 0;
    const slow = functionEvaluator(() => {
      if (++points === 3) controller.abort();
      return 0;
    }, 4);
    const surface = evaluateSurface(slow, { center, vectors }, grid, { signal: controller.signal });
    await expect(surface).rejects.toThrow(/abort/i);
    expect(points).toBe(3);
  });

  it("refuses what does not fit together", async () => {
    const attempt = (
      directions: { center: Float32Array; vectors: Float32Array[] },
      axes: { alpha: Float64Array; beta: Float64Array } = grid,
    ) => evaluateSurface(bowl, directions, axes);
    await expect(attempt({ center: center.slice(1), vectors })).rejects.toThrow(
      "directions.center: expected 4 numbers, the whole of θ, got 3",
    );
    await expect(attempt({ center, vectors: [vectors[0] as Float32Array] })).rejects.toThrow(
      "directions: expected at least 2 for this grid, got 1",
    );
    const nan = [vectors[0] as Float32Array, Float32Array.of(0, Number.NaN, 0, 0)];
    await expect(attempt({ center, vectors: nan })).rejects.toThrow(InvalidDataError);
    const zero = [vectors[0] as Float32Array, new Float32Array(4)];
    await expect(attempt({ center, vectors: zero })).rejects.toThrow(
      "directions.vectors[1]: expected a direction other than zero, got only zeros",
    );
    const down = { alpha: Float64Array.of(1, 0), beta: grid.beta };
    await expect(attempt({ center, vectors }, down)).rejects.toThrow(InvalidOptionError);
    await expect(attempt({ center, vectors }, { ...grid, beta: new Float64Array(0) })).rejects.toThrow(
      "beta",
    );
  });
});

describe("evaluateLine", () => {
  it("is a surface with beta = [0], and needs one direction", async () => {
    const directions = { center, vectors: [vectors[0] as Float32Array] };
    const line = await evaluateLine(bowl, directions, grid.alpha);
    expect(Array.from(line.beta)).toEqual([0]);
    expect(Array.from(line.loss)).toEqual(Array.from(grid.alpha, (alpha) => bowlAt(alpha, 0)));
  });
});

describe("functionEvaluator", () => {
  it("checks θ and tells functions apart", async () => {
    await expect(bowl.evaluate(new Float32Array(3))).rejects.toThrow("expected 4 weights, got 3");
    expect(functionEvaluator(() => 1, 4).facts.dataDigest).not.toBe(bowl.facts.dataDigest);
    expect(functionEvaluator(() => 1, 4, { id: "one" }).facts.modelDigest).toBe("one");
    bowl.dispose();
  });
});
