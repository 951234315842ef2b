import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { functionEvaluator } from "../../src/loss/local-evaluator.js";
import type { ThetaEvaluation } from "../../src/loss/loss-evaluator.js";
import { coarseToFine, fillPartial } from "../../src/surface/coarse-to-fine.js";
import { evaluateLine, evaluateSurface } from "../../src/surface/evaluate-surface.js";
import { CENTER_INDEX, type EvaluatedPoint, type Surface } from "../../src/surface/surface.js";

/** Largest distance, along the worse axis and as a share of it, from any grid point to the nearest of some. */
function largestGap(points: readonly number[], width: number, height: number): number {
  let worst = 0;
  for (let index = 0; index < width * height; index++) {
    let nearest = Number.POSITIVE_INFINITY;
    for (const other of points) {
      const across = Math.abs((other % width) - (index % width)) / (width - 1);
      const up = Math.abs(Math.floor(other / width) - Math.floor(index / width)) / (height - 1);
      nearest = Math.min(nearest, Math.max(across, up));
    }
    worst = Math.max(worst, nearest);
  }
  return worst;
}

describe("coarseToFine", () => {
  test("has every point once, corners first, then the middle", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), (width, height) => {
        const order = coarseToFine(width, height);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from(order.keys()));
      }),
      { numRuns: 40 },
    );
    const order = coarseToFine(21, 15);
    const corners = [0, 20, 14 * 21, 14 * 21 + 20];
    expect(order.slice(0, 4).sort((a, b) => a - b)).toEqual(corners);
    expect(order[4]).toBe(7 * 21 + 10);
    expect(coarseToFine(9, 1)).toEqual([0, 8, 4, 2, 6, 1, 5, 3, 7]);
  });

  test.each([
    [33, 33],
    [21, 21],
    [30, 17],
  ])("every beginning of a %i × %i grid leaves no large gap", (width, height) => {
    const order = coarseToFine(width, height);
    for (const count of [5, 9, 13, 25, 40, 81, 120, 200]) {
      // A regular lattice of so many points leaves gaps of 1 / (2 (√n − 1)); half-way to the next, twice that.
      const lattice = 1 / (2 * (Math.sqrt(count) - 1));
      expect(largestGap(order.slice(0, count), width, height)).toBeLessThan(2.5 * lattice);
    }
  });
});

const center = Float32Array.of(0, 0);
const vectors = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
const axis = (points: number) => Float64Array.from({ length: points }, (_, i) => i - (points >> 1));
const grid = { alpha: axis(9), beta: axis(7) };
const plain = functionEvaluator(([a, b]) => 2 * (a as number) - 3 * (b as number) + 1, 2);

describe("a budget", () => {
  test("of points leaves the coarse picture, says so, and tells what is not evaluated from what is NaN", async () => {
    const gap = functionEvaluator(([a]) => (a === 0 ? Number.NaN : 1), 2);
    const surface = await evaluateSurface(gap, { center, vectors }, grid, { budget: { points: 10 } });
    const { evaluated, budget } = surface.partial as NonNullable<Surface["partial"]>;
    expect(budget).toBe("10 points");
    expect(evaluated.reduce((sum, one) => sum + one, 0)).toBe(10);
    for (const corner of [0, 8, 54, 62, 31]) expect(evaluated[corner]).toBe(1);
    const known = Array.from(evaluated.keys()).filter((index) => evaluated[index] === 1);
    expect(surface.nonFinite).toBe(known.filter((index) => index % 9 === 4).length);
    expect(surface.warnings.map(({ code }) => code)).toContain("partial-surface");
  });

  test("of seconds or samples likewise; of nothing at all it is refused", async () => {
    const slow = { ...plain, facts: { ...plain.facts, samples: 10 } };
    const bySamples = await evaluateSurface(slow, { center, vectors }, grid, { budget: { samples: 59 } });
    expect(bySamples.partial?.evaluated.reduce((sum, one) => sum + one, 0)).toBe(5);
    const bySeconds = await evaluateSurface(plain, { center, vectors }, grid, { budget: { seconds: 1e-9 } });
    expect(bySeconds.partial?.budget).toBe("1e-9 seconds");
    expect(bySeconds.center.loss).toBe(1);
    for (const budget of [{ points: 0 }, { samples: 9 }, { seconds: 0 }]) {
      await expect(evaluateSurface(slow, { center, vectors }, grid, { budget })).rejects.toThrow("budget.");
    }
    const enough = await evaluateSurface(plain, { center, vectors }, grid, { budget: { points: 63 } });
    expect(enough.partial).toBeUndefined();
  });

  test("the picture of a plane is exact from any beginning of the order", async () => {
    const whole = await evaluateSurface(plain, { center, vectors }, grid);
    for (const points of [5, 7, 12, 30, 50]) {
      const surface = await evaluateSurface(plain, { center, vectors }, grid, { budget: { points } });
      const filled = fillPartial(surface);
      for (const [i, value] of filled.loss.entries()) expect(value).toBeCloseTo(whole.loss[i] as number, 12);
      expect(filled.partial).toEqual(surface.partial);
    }
    expect(fillPartial(whole)).toBe(whole);
    const line = await evaluateLine(plain, { center, vectors }, axis(9), { budget: { points: 4 } });
    for (const [i, value] of fillPartial(line).loss.entries()) expect(value).toBeCloseTo(2 * (i - 4) + 1, 12);
  });
});

describe("points known from before", () => {
  test("are not evaluated again, and the surface is the same in every bit", async () => {
    const whole = await evaluateSurface(plain, { center, vectors }, grid);
    const known: EvaluatedPoint[] = [];
    const onPoint = (point: EvaluatedPoint) => void known.push(point);
    await evaluateSurface(plain, { center, vectors }, grid, { onPoint, budget: { points: 20 } });
    expect(known[0]?.index).toBe(CENTER_INDEX);
    let calls = 0;
    const counted = {
      ...plain,
      evaluate(theta: Float32Array) {
        calls++;
        return plain.evaluate(theta);
      },
    };
    const seen: number[] = [];
    const rest = await evaluateSurface(counted, { center, vectors }, grid, {
      known,
      onProgress: (done, total) => {
        expect(total).toBe(63);
        seen.push(done);
      },
    });
    expect(rest).toEqual(whole);
    expect([calls, seen[0], seen.at(-1)]).toEqual([43, 21, 63]);
  });

  test("an evaluator that takes several at a time gives the same, and stops at the first failure", async () => {
    const whole = await evaluateSurface(plain, { center, vectors }, grid);
    let running = 0;
    let most = 0;
    const many = {
      ...plain,
      concurrency: 3,
      async evaluate(theta: Float32Array) {
        most = Math.max(most, ++running);
        await new Promise((done) => setTimeout(done, (theta[0] as number) > 0 ? 2 : 1));
        running--;
        return plain.evaluate(theta);
      },
    };
    expect(await evaluateSurface(many, { center, vectors }, grid)).toEqual(whole);
    expect(most).toBe(3);
    let calls = 0;
    const failing = {
      ...many,
      evaluate: async (theta: Float32Array, { signal, name }: ThetaEvaluation = {}) => {
        calls++;
        signal?.throwIfAborted();
        if (theta[0] === 4 && theta[1] === 3) throw new Error(`no loss at ${name}`);
        return many.evaluate(theta);
      },
    };
    await expect(evaluateSurface(failing, { center, vectors }, grid)).rejects.toThrow(
      "no loss at grid point 62 (column 8, row 6: α = 4, β = 3)",
    );
    expect(calls).toBeLessThan(20);
  });
});

test("251 × 251 points, and 401 points of ten lines", async () => {
  const large = { alpha: axis(251), beta: axis(251) };
  const { loss, partial } = await evaluateSurface(plain, { center, vectors }, large);
  expect(loss.length).toBe(63_001);
  expect(partial).toBeUndefined();
  expect(loss[250 * 251 + 3]).toBe(2 * (3 - 125) - 3 * 125 + 1);
  for (let seed = 0; seed < 10; seed++) {
    const direction = [Float32Array.of(seed + 1, 0)];
    const line = await evaluateLine(plain, { center, vectors: direction }, axis(401));
    expect(line.loss[400]).toBe(2 * 200 * (seed + 1) + 1);
  }
});
