import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ticksOf } from "../../src/figure/draw/figure-frame.js";
import {
  checkContourScale,
  createContourScale,
  niceTicks,
  scaleOfKind,
} from "../../src/figure/draw/scales.js";

describe("createContourScale", () => {
  test("takes a logarithmic scale where the range asks for it", () => {
    expect(createContourScale([[0.001, 0.5, 30]])).toEqual({
      kind: "log",
      levels: [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    });
    expect(createContourScale([[1, 9.9]]).kind).toBe("linear");
    expect(createContourScale([[1, 10]]).kind).toBe("log");
    expect(createContourScale([[-1, 1000]]).kind).toBe("linear");
  });

  test("takes round linear levels inside the range", () => {
    expect(createContourScale([[0.3, 1.32]], { kind: "linear" }).levels).toEqual([
      0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3,
    ]);
  });

  test("leaves non-finite values out and lets zeros lie below the lowest level", () => {
    const scale = createContourScale([[0, 0.02, 3, Number.NaN, Number.POSITIVE_INFINITY]]);
    expect(scale.kind).toBe("log");
    expect(Math.min(...scale.levels)).toBeGreaterThan(0.02);
    expect(Math.max(...scale.levels)).toBeLessThan(3);
  });

  test("gives one scale for several surfaces, and none of a constant one", () => {
    expect(createContourScale([[0.1, 0.2], [40]])).toEqual(createContourScale([[0.1, 0.2, 40]]));
    expect(createContourScale([[2.3, 2.3]])).toEqual({ kind: "linear", levels: [] });
    expect(createContourScale([[Number.NaN]])).toEqual({ kind: "linear", levels: [] });
  });

  test("has at most the asked number of logarithmic levels, increasing and inside, over any range", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -12, max: 12, noNaN: true }),
        fc.double({ min: 1, max: 20, noNaN: true }),
        (low, decades) => {
          const [min, max] = [10 ** low, 10 ** (low + decades)];
          const { kind, levels } = createContourScale([[min, max]], { kind: "log" });
          expect(kind).toBe("log");
          expect(levels.length).toBeGreaterThanOrEqual(3);
          expect(levels.length).toBeLessThanOrEqual(12);
          checkContourScale({ kind, levels });
          expect(levels[0]).toBeGreaterThan(min);
          expect(levels.at(-1)).toBeLessThan(max);
        },
      ),
    );
  });

  test("refuses what cannot be drawn, by name", () => {
    expect(() => createContourScale([[-1, 1]], { kind: "log" })).toThrow(/kind: expected values ≥ 0/);
    expect(() => createContourScale([[1, 2]], { count: 1 })).toThrow(
      /count: expected a number of at least 2, got 1/,
    );
    expect(() => checkContourScale({ kind: "linear", levels: [1, 1] })).toThrow(
      /scale\.levels\[1\]: expected a finite level above 1/,
    );
    expect(() => checkContourScale({ kind: "log", levels: [0] })).toThrow(/scale\.levels\[0\]/);
  });
});

describe("scaleOfKind", () => {
  test("has levels within a power of ten, too", () => {
    expect(createContourScale([[2, 2.1]], { kind: "log" }).levels).toEqual([]);
    for (const kind of ["log", "symlog"] as const) {
      const scale = scaleOfKind([[2, 2.1]], kind);
      expect(scale.kind).toBe(kind);
      expect(scale.levels).toEqual([2.01, 2.02, 2.03, 2.04, 2.05, 2.06, 2.07, 2.08, 2.09]);
    }
  });

  test("has those of its kind where there are some, or few are asked for", () => {
    const wide = [[0.001, 0.5, 30]];
    expect(scaleOfKind(wide, "log")).toEqual(createContourScale(wide));
    expect(scaleOfKind([[1e-9, 1e9]], "log", 2).levels).toEqual([1]);
    expect(scaleOfKind([[2, 2]], "log").levels).toEqual([]);
  });
});

test("an axis has two ticks at least: one is no scale", () => {
  const valuesOf = (axis: readonly number[], count: number) => ticksOf(axis, count).map(({ value }) => value);
  expect(valuesOf([-4.2, 3.1], 2)).toEqual([-4, -2, 0, 2]);
  expect(valuesOf([0, 10], 2)).toEqual([0, 5, 10]);
  expect(valuesOf([3, 3], 2)).toEqual([3]);
});

describe("niceTicks", () => {
  test("gives clean multiples, zero included", () => {
    expect(niceTicks(-0.35, 0.35, 7)).toEqual([-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]);
    expect(niceTicks(-4, 12, 8)).toEqual([-4, -2, 0, 2, 4, 6, 8, 10, 12]);
    expect(niceTicks(3, 3, 5)).toEqual([3]);
  });

  test("stays inside any range", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
        (min, span) => {
          const ticks = niceTicks(min, min + span, 6);
          expect(ticks.length).toBeGreaterThan(1);
          expect(ticks.length).toBeLessThan(14);
          for (const tick of ticks)
            expect(tick >= min - span * 1e-6 && tick <= min + span * (1 + 1e-6)).toBe(true);
        },
      ),
    );
  });
});
