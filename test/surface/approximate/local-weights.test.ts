import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createUniform } from "../../../src/math/random.js";
import { createStencils, localWeights } from "../../../src/surface/approximate/stencils.js";

/** Distinct places of a 30 × 30 grid. */
const places = fc
  .uniqueArray(fc.integer({ min: 0, max: 899 }), { minLength: 12, maxLength: 24 })
  .map((points) => ({
    x: points.map((point) => point % 30),
    y: points.map((point) => Math.floor(point / 30)),
  }));

function interpolate(
  weights: Float64Array,
  { x, y }: { x: readonly number[]; y: readonly number[] },
  f: (x: number, y: number) => number,
): number {
  return weights.reduce((sum, weight, i) => sum + weight * f(x[i], y[i]), 0);
}

describe("localWeights", () => {
  test("add up to 1, and are 1 at a neighbour that is the place itself", () => {
    fc.assert(
      fc.property(places, (around) => {
        const weights = localWeights(14.3, 15.2, around);
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 8);
        const own = localWeights(around.x[3], around.y[3], around);
        expect(own[3]).toBeCloseTo(1, 6);
      }),
    );
  });

  test("are exact for quadratics on a lattice, also without the middle", () => {
    const x = [0, 3, 6, 9, 0, 3, 6, 9, 0, 3, 6, 9, 0, 3, 6, 9];
    const y = [0, 0, 0, 0, 3, 3, 3, 3, 6, 6, 6, 6, 9, 9, 9, 9];
    const quadratic = (a: number, b: number) => 2 + a - 3 * b + 0.5 * a * a - a * b + 0.25 * b * b;
    expect(interpolate(localWeights(4, 5, { x, y }), { x, y }, quadratic)).toBeCloseTo(quadratic(4, 5), 8);
  });

  test("are exact for quadratics on a line, which has no second coordinate", () => {
    const x = [0, 2, 5, 9, 11, 14, 17, 20, 24, 30];
    const y = x.map(() => 0);
    const quadratic = (a: number) => 1 - a + 0.1 * a * a;
    expect(interpolate(localWeights(7, 0, { x, y }), { x, y }, quadratic)).toBeCloseTo(quadratic(7), 8);
  });

  test("neighbours on one oblique line, or few, still give a mean of theirs", () => {
    const x = Array.from({ length: 12 }, (_, i) => i);
    const oblique = { x, y: x.map((value) => 2 * value) };
    for (const around of [oblique, { x: [1, 4], y: [2, 7] }]) {
      const weights = localWeights(3, 9, around);
      expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 6);
      expect(weights.every(Number.isFinite)).toBe(true);
    }
  });
});

describe("createStencils", () => {
  test("finds the nearest points in any order of the others, and leaves the point itself out", () => {
    const random = createUniform(4, "points");
    const among = [...new Set(Array.from({ length: 150 }, () => Math.floor(random() * 400)))];
    const stencils = createStencils(20);
    for (const point of [0, 19, 210, among[0]]) {
      const expected = among
        .filter((other) => other !== point)
        .sort((a, b) => stencils.distance(point, a) - stencils.distance(point, b) || a - b)
        .slice(0, 9);
      expect([...stencils.nearest(point, among, 9)]).toEqual(expected);
      expect([...stencils.nearest(point, among.toReversed(), 9)]).toEqual(expected);
    }
  });

  test("coarse stencils leave out what is less than twice as far as the nearest", () => {
    const stencils = createStencils(20);
    const among = Array.from({ length: 400 }, (_, i) => i).filter((point) => point % 2 === 0);
    const fine = stencils.of(211, among)?.distance ?? 0;
    expect(stencils.coarse(211, among)?.distance).toBeGreaterThanOrEqual(2 * fine);
    expect(stencils.of(5, [])).toBeNull();
    expect(stencils.of(5, [5])).toBeNull();
  });
});
