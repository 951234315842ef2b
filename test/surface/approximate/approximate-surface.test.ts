import { describe, expect, test } from "vitest";
import { functionEvaluator } from "../../../src/loss/local-evaluator.js";
import { approximateSurface } from "../../../src/surface/approximate/approximate-surface.js";
import { evaluateSurface } from "../../../src/surface/evaluate-surface.js";
import { createGrid } from "../../../src/surface/grid.js";
import type { Surface } from "../../../src/surface/surface.js";
import { coverage, trueErrorOn95 } from "./coverage.js";
import { LANDSCAPES, SAMPLES } from "./landscapes.js";
import { PLANE, sampleFunction, withGap } from "./sample-function.js";

function square(points: number) {
  const axis = { from: -1, to: 1, size: points };
  return createGrid({ grid: { alpha: axis, beta: axis } });
}

const grid = square(25);

async function both(name: string, seed: number, share = 0.1) {
  const evaluator = sampleFunction(LANDSCAPES[name](seed), SAMPLES);
  const exact = await evaluateSurface(evaluator, PLANE, grid);
  const before = evaluator.evaluated();
  const surface = await approximateSurface(evaluator, PLANE, grid, { seed, share });
  return { exact, surface, evaluated: evaluator.evaluated() - before, about: approximationOf(surface) };
}

function approximationOf({ approximation }: Surface) {
  if (approximation === undefined) throw new Error("expected an approximate surface");
  return approximation;
}

describe.each(Object.keys(LANDSCAPES))("%s", (name) => {
  test.each([0])(
    "the bounds hold at 95 %% of the points or more, and costs are counted (seed %i)",
    async (seed) => {
      const { exact, surface, evaluated, about } = await both(name, seed);
      expect(coverage(surface, exact)).toBeGreaterThanOrEqual(0.95);
      expect(trueErrorOn95(surface, exact)).toBeLessThanOrEqual(about.errorOn95);
      expect(about.sampleEvaluations).toBe(evaluated);
      expect(about.exactSampleEvaluations).toBe(625 * SAMPLES);
      expect(evaluated).toBeLessThanOrEqual(0.1 * 625 * SAMPLES);
      expect(about.method.length).toBe(625);
      surface.loss.forEach((loss, point) => {
        if (about.method[point] !== 2) return;
        expect([loss, about.error[point]]).toEqual([exact.loss[point], 0]);
        expect(surface.metrics.large[point]).toBe(exact.metrics.large[point]);
      });
    },
  );
});

describe("smooth landscapes", () => {
  test.each(["bowl", "hinges"])(
    "%s: within a hundredth of the range by a tenth of the work",
    async (name) => {
      const { surface, about } = await both(name, 5);
      expect(about.errorOn95).toBeLessThanOrEqual(0.01 * about.range);
      expect(about.sampleEvaluations).toBeLessThan(0.1 * about.exactSampleEvaluations);
      expect(surface.warnings.map(({ code }) => code)).not.toContain("tolerance-not-reached");
    },
  );

  test.each([3])("of 10,000 samples 4.5 % of the work is enough (seed %i)", async (seed) => {
    const samples = 10_000;
    const classes = Int32Array.from({ length: samples }, (_, i) => i % 10);
    const loss = (x: number, y: number, i: number) =>
      Math.log1p(Math.exp(2 * x * (1 + Math.sin(i)) + Math.cos(3 * i) * y - 2 + (x * y) / 2));
    const evaluator = sampleFunction(loss, samples, classes);
    const exact = await evaluateSurface(evaluator, PLANE, grid);
    const surface = await approximateSurface(evaluator, PLANE, grid, { seed });
    const { errorOn95, range, sampleEvaluations, exactSampleEvaluations } = approximationOf(surface);
    expect(sampleEvaluations).toBeLessThanOrEqual(0.045 * exactSampleEvaluations);
    expect(errorOn95).toBeLessThanOrEqual(0.01 * range);
    expect(coverage(surface, exact)).toBeGreaterThanOrEqual(0.95);
  });

  test("a constant is found at once", async () => {
    const surface = await approximateSurface(
      sampleFunction(() => 2, SAMPLES),
      PLANE,
      grid,
    );
    expect(new Set(surface.loss.map((loss) => Number(loss.toFixed(9))))).toEqual(new Set([2]));
    expect(approximationOf(surface).errorOn95).toBeLessThan(1e-4);
  });
});

describe("rough landscapes", () => {
  test.each(["commonWaves", "ownWaves", "noise"])(
    "%s: a large error is stated, and warned of",
    async (name) => {
      const { surface, about } = await both(name, 3);
      expect(about.errorOn95).toBeGreaterThan(0.1 * about.range);
      expect(surface.warnings.map(({ code }) => code)).toContain("tolerance-not-reached");
    },
  );

  test("more budget makes the error smaller, until every value is right", async () => {
    const small = await both("commonWaves", 3);
    const large = await both("commonWaves", 3, 0.5);
    expect(large.about.errorOn95).toBeLessThan(0.05 * small.about.errorOn95);
    expect(coverage(large.surface, large.exact)).toBeGreaterThanOrEqual(0.95);
  });

  test("where the loss ends, no finite value is made up", async () => {
    const { exact, surface, about } = await both("cliff", 4);
    const gaps = exact.loss.filter((loss) => !Number.isFinite(loss)).length;
    expect(gaps).toBeGreaterThan(50);
    const invented = surface.loss.filter(
      (loss, i) =>
        Number.isFinite(loss) && Number.isFinite(about.error[i]) && !Number.isFinite(exact.loss[i]),
    );
    expect(invented.length).toBeLessThan(0.03 * 625);
    expect(surface.loss.every((loss, i) => Number.isFinite(loss) || !Number.isFinite(exact.loss[i]))).toBe(
      true,
    );
  });
});

describe.each(["noise", "commonWaves", "heavyTail"])("%s: the share", (name) => {
  test.each([0.04, 0.05, 0.075, 0.15])("of %d is not exceeded", async (share) => {
    const { evaluated, about } = await both(name, 1, share);
    expect(about.sampleEvaluations).toBe(evaluated);
    expect(evaluated).toBeLessThanOrEqual(share * 625 * SAMPLES);
  });
});

test("the same seed gives the same surface bit for bit, another one another subsample", async () => {
  const [a, b, c] = await Promise.all(
    [0, 0, 1].map((seed) =>
      approximateSurface(sampleFunction(LANDSCAPES.hinges(2), SAMPLES), PLANE, grid, { seed }),
    ),
  );
  expect(a).toEqual(b);
  expect(a.loss).not.toEqual(c.loss);
});

test("classes are strata, and spare the pass over all samples that strata of the loss take", async () => {
  const classes = Int32Array.from({ length: SAMPLES }, (_, i) => i % 10);
  const loss = (x: number, y: number, i: number) => (1 + (i % 10)) * (x * x + y * y);
  const byClass = approximationOf(
    await approximateSurface(sampleFunction(loss, SAMPLES, classes), PLANE, grid),
  );
  const byLoss = approximationOf(await approximateSurface(sampleFunction(loss, SAMPLES), PLANE, grid));
  expect(byLoss.sampleEvaluations - byClass.sampleEvaluations).toBe(SAMPLES);
});

test("an evaluator of whole sets is interpolated between exact points", async () => {
  const evaluator = functionEvaluator(([x, y]) => Math.exp(-x * x) + x * y ** 3, 2);
  const surface = await approximateSurface(evaluator, PLANE, square(41));
  const exact = await evaluateSurface(evaluator, PLANE, square(41));
  const about = approximationOf(surface);
  expect(about.subsample).toBe(0);
  expect(new Set(about.method)).toEqual(new Set([0, 2]));
  expect(coverage(surface, exact)).toBeGreaterThanOrEqual(0.95);
  expect(about.sampleEvaluations).toBeLessThanOrEqual(0.1 * 41 * 41);
});

test("a line is approximated too, and the centre is exact where the grid leaves it off", async () => {
  const alpha = Float64Array.from({ length: 201 }, (_, i) => -1 + i / 100.03);
  const line = { alpha, beta: Float64Array.of(0) };
  const evaluator = sampleFunction(LANDSCAPES.hinges(1), SAMPLES);
  const exact = await evaluateSurface(evaluator, PLANE, line);
  const surface = await approximateSurface(evaluator, PLANE, line, { share: 0.2 });
  expect(surface.center).toEqual(exact.center);
  expect(approximationOf(surface).exactSampleEvaluations).toBe(202 * SAMPLES);
  expect(coverage(surface, exact)).toBeGreaterThanOrEqual(0.95);
});

test("a grid of few points is exact where its budget buys all of them", async () => {
  const evaluator = sampleFunction(LANDSCAPES.noise(1), SAMPLES);
  const surface = await approximateSurface(evaluator, PLANE, square(3), { share: 1 });
  expect(surface.loss).toEqual((await evaluateSurface(evaluator, PLANE, square(3))).loss);
  expect(approximationOf(surface).errorOn95).toBe(0);
});

test("a policy without a loss at a point makes a gap there", async () => {
  const evaluator = withGap(sampleFunction(LANDSCAPES.bowl(1), SAMPLES), (theta) => theta[0] > 0.6);
  const surface = await approximateSurface(evaluator, PLANE, grid);
  const exact = await evaluateSurface(evaluator, PLANE, grid);
  expect(coverage(surface, exact)).toBeGreaterThanOrEqual(0.95);
  expect(surface.warnings.map(({ code }) => code)).toContain("negative-variance");
});

test("progress never goes beyond the whole, and a signal stops the work", async () => {
  const evaluator = sampleFunction(LANDSCAPES.bowl(1), SAMPLES);
  const seen: number[] = [];
  const controller = new AbortController();
  const onProgress = (spent: number, budget: number) => {
    seen.push(spent);
    expect(spent).toBeLessThanOrEqual(budget);
    if (seen.length === 10) controller.abort(new Error("enough"));
  };
  const work = approximateSurface(evaluator, PLANE, grid, { onProgress, signal: controller.signal });
  await expect(work).rejects.toThrow("enough");
  expect(seen.length).toBe(10);
});

test.each([
  [{ tolerance: 0 }, "tolerance: expected a finite share of the loss range above 0, got 0"],
  [{ share: 1.5 }, "share: expected a number above 0 and at most 1, got 1.5"],
  [{ subsample: 1 }, "subsample: expected 0, or from 2 to 1200 samples, got 1"],
  [{ seed: 0.5 }, "seed: expected a safe integer, got 0.5"],
])("refuses %o", async (options, message) => {
  const evaluator = sampleFunction(LANDSCAPES.bowl(1), SAMPLES);
  await expect(approximateSurface(evaluator, PLANE, grid, options)).rejects.toThrow(message);
  expect(evaluator.evaluated()).toBe(0);
});

test("refuses a subsample of an evaluator of whole sets", async () => {
  const evaluator = functionEvaluator(([x]) => x, 2);
  const work = approximateSurface(evaluator, PLANE, grid, { subsample: 1 });
  await expect(work).rejects.toThrow("subsample: expected");
});
