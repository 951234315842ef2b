import { describe, expect, test } from "vitest";
import { functionEvaluator } from "../../../src/loss/local-evaluator.js";
import { approximateSurface } from "../../../src/surface/approximate/approximate-surface.js";
import { leastEvaluations } from "../../../src/surface/approximate/refine.js";
import { evaluateSurface } from "../../../src/surface/evaluate-surface.js";
import { createGrid } from "../../../src/surface/grid.js";
import { coverage, trueErrorOn95 } from "./coverage.js";
import { PLANE } from "./sample-function.js";
import { WHOLE_LANDSCAPES, wholeEvaluator } from "./whole-sets.js";

function square(points: number) {
  const axis = { from: -1, to: 1, size: points };
  return createGrid({ grid: { alpha: axis, beta: axis } });
}

async function both(name: string, size: number, seed: number) {
  const evaluator = wholeEvaluator(WHOLE_LANDSCAPES[name](seed));
  const exact = await evaluateSurface(evaluator, PLANE, square(size));
  const surface = await approximateSurface(evaluator, PLANE, square(size), { seed });
  return { exact, surface, refused: surface.warnings.some(({ code }) => code === "cannot-promise") };
}

describe.each(Object.keys(WHOLE_LANDSCAPES))("%s, evaluated as a whole set", (name) => {
  test("the bound holds on 95 % of the points with ten seeds of ten, and is rarely refused", async () => {
    let refusals = 0;
    for (let seed = 0; seed < 10; seed++) {
      const { exact, surface, refused } = await both(name, 17, seed);
      expect(coverage(surface, exact), `seed ${seed}`).toBeGreaterThanOrEqual(0.95);
      expect(trueErrorOn95(surface, exact)).toBeLessThanOrEqual(surface.approximation?.errorOn95 ?? 0);
      if (refused) refusals++;
    }
    expect(refusals).toBeLessThanOrEqual(name === "paraboloid" ? 0 : 1);
  });

  test("on a larger grid as well", async () => {
    const { exact, surface } = await both(name, 25, 3);
    expect(coverage(surface, exact)).toBeGreaterThanOrEqual(0.95);
  });
});

test("a paraboloid is found to rounding, and the cost is what the promise takes", async () => {
  const { exact, surface } = await both("paraboloid", 25, 1);
  expect(trueErrorOn95(surface, exact)).toBeLessThan(1e-5);
  expect(surface.approximation?.sampleEvaluations).toBeLessThanOrEqual(80);
  expect(leastEvaluations(625)).toBeLessThan(0.21 * 625);
  expect(leastEvaluations(1681)).toBeLessThan(240);
  expect(leastEvaluations(9)).toBeLessThanOrEqual(9);
});

test("where a single gap shows among finite points no bound is promised: every point is evaluated", async () => {
  // The gap is one of the points that are drawn: the 20th that is evaluated.
  let calls = 0;
  let gap = "";
  const evaluator = functionEvaluator((theta) => {
    if (++calls === 20) gap = theta.join();
    return gap === theta.join() ? Number.NaN : (theta[0] as number) ** 2 + (theta[1] as number) ** 2;
  }, 2);
  const surface = await approximateSurface(evaluator, PLANE, square(17));
  expect(surface.warnings.map(({ code }) => code)).toContain("cannot-promise");
  expect(surface.loss).toEqual((await evaluateSurface(evaluator, PLANE, square(17))).loss);
  expect(surface.approximation?.errorOn95).toBe(0);
});
