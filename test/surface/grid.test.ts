import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidOptionError } from "../../src/base/errors.js";
import { createGrid, parseGrid } from "../../src/surface/grid.js";

const coordinate = fc.double({ min: -1e6, max: 1e6, noNaN: true });

/** Checks what holds of every automatic axis. */
function expectAxis(axis: Float64Array, values: readonly number[], margin: number): void {
  const origin = axis.indexOf(0);
  expect(origin).toBeGreaterThanOrEqual(0);
  expect(Object.is(axis[origin], 0)).toBe(true);
  const step = (axis[1] as number) - (axis[0] as number);
  for (const [i, value] of axis.entries()) {
    expect(Math.abs(value - (i - origin) * step)).toBeLessThanOrEqual(1e-9 * Math.abs(step) * axis.length);
  }
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const room = margin * (high - low);
  const slack = 1e-12 * (high - low);
  expect(axis[0]).toBeLessThanOrEqual(low - room + slack);
  expect(axis.at(-1)).toBeGreaterThanOrEqual(high + room - slack);
}

describe("createGrid around a path", () => {
  it("covers path and margin with uniform steps and 0 exactly on the grid", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(coordinate, coordinate), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 3, max: 30 }),
        fc.integer({ min: 3, max: 30 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (path, nx, ny, margin) => {
          const { alpha, beta } = createGrid({ coordinates: path.flat(), size: [nx, ny], margin });
          expect([alpha.length, beta.length]).toEqual([nx, ny]);
          expectAxis(
            alpha,
            path.map(([x]) => x),
            margin,
          );
          expectAxis(
            beta,
            path.map(([, y]) => y),
            margin,
          );
        },
      ),
      { numRuns: 200, examples: [[[[0, -5e-324]], 3, 3, 0]] },
    );
  });

  it("takes the smallest step that covers, whatever side the path is on", () => {
    const { alpha, beta } = createGrid({ coordinates: [-8, 0, 0, 3], size: [7, 4], margin: 0.25 });
    // −10 to 2: five steps of 2 down and one up; −0.75 to 3.75: one step down and two up.
    expect(Array.from(alpha)).toEqual([-10, -8, -6, -4, -2, 0, 2]);
    expect(Array.from(beta)).toEqual([-1.875, 0, 1.875, 3.75]);
  });

  it("refuses more points than memory holds before it makes any", () => {
    for (const points of [100_001, [4096, 1025] as const, [99_999_999_999, 3] as const]) {
      expect(() => createGrid({ coordinates: [0, 0, 1, 1], size: points })).toThrow(
        /size.*: expected .*at most/,
      );
    }
    const axis = { from: 0, to: 1, size: 4096 };
    expect(() => createGrid({ grid: { alpha: axis, beta: axis } })).toThrow("at most 4194304 in all");
    expect(() => parseGrid("0:1:99999999")).toThrow("at most 100000, got 99999999");
  });

  it("has a margin of 0.2 and 21 points by default", () => {
    const { alpha } = createGrid({ coordinates: [-1, -1, 1, 1] });
    expect(alpha.length).toBe(21);
    expect(alpha[0]).toBeCloseTo(-1.4, 12);
    expect(alpha[20]).toBeCloseTo(1.4, 12);
  });

  it("gives a path that does not move along an axis, or along any, ground to stand on", () => {
    const straight = createGrid({ coordinates: [-4, 1e-9, 0, 0], margin: 0, size: 5 });
    expect(Array.from(straight.beta)).toEqual([-2, -1, 0, 1, 2]);
    const constant = createGrid({ coordinates: [0, 0, 0, 0], margin: 0, size: 5 });
    expect(Array.from(constant.alpha)).toEqual([-1, -0.5, 0, 0.5, 1]);
    expect(constant.beta).toEqual(constant.alpha);
  });

  it("makes a line of one-dimensional coordinates", () => {
    const { alpha, beta } = createGrid({ coordinates: [-2, 0, 2], dimensions: 1, margin: 0, size: 5 });
    expect(Array.from(alpha)).toEqual([-2, -1, 0, 1, 2]);
    expect(Array.from(beta)).toEqual([0]);
  });

  it("says what it cannot use", () => {
    const wrong: readonly [Parameters<typeof createGrid>[0], string][] = [
      [{}, "createGrid: expected coordinates of a path, or a grid, got neither"],
      [{ coordinates: [] }, "coordinates: expected N × 2 numbers, got 0 numbers"],
      [{ coordinates: [1, 2, 3] }, "coordinates: expected N × 2 numbers, got 3 numbers"],
      [{ coordinates: [1, 2, Number.NaN, 0] }, "expected finite numbers, got NaN for snapshot 1"],
      [{ coordinates: [1, 2], margin: -0.1 }, "margin: expected a finite number of at least 0, got -0.1"],
      [
        { coordinates: [1, 2], size: 2 },
        "size along alpha: expected a whole number of points, at least 3, got 2",
      ],
      [{ coordinates: [1, 2], size: [5, 4.5] }, "size along beta"],
    ];
    for (const [options, message] of wrong) {
      expect(() => createGrid(options)).toThrow(InvalidOptionError);
      expect(() => createGrid(options)).toThrow(message);
    }
  });
});

describe("parseGrid", () => {
  it("is taken literally, both ends exact, 0 exact where it is stepped on", () => {
    const { alpha, beta } = createGrid({ grid: parseGrid("-0.3:0.3:7, 0.5:2:4") });
    expect([alpha[0], alpha[3], alpha[6]]).toEqual([-0.3, 0, 0.3]);
    expect(Array.from(beta)).toEqual([0.5, 1, 1.5, 2]);
    expect(Array.from(createGrid({ grid: parseGrid("-1e-1:2:2") }).beta)).toEqual([0]);
  });

  it("refuses anything else with the form it expects", () => {
    const malformed = ["", "1:2", "1:2:3,", "1:2:3,4:5:6,7:8:9", "a:b:c", "1:2:3:4", "-1::3"];
    for (const text of malformed) {
      expect(() => parseGrid(text)).toThrow(/grid: expected "x0:x1:nx,y0:y1:ny"/);
    }
    expect(() => parseGrid("1:-1:5")).toThrow(
      "grid along alpha: expected two finite numbers, the smaller first",
    );
    expect(() => parseGrid("-1:1:5,0:0:3")).toThrow("grid along beta");
    expect(() => parseGrid("-1:Infinity:5")).toThrow("finite");
    expect(() => parseGrid("-1:1:1")).toThrow("at least 2, got 1");
    expect(() => parseGrid("-1:1:2.5")).toThrow(InvalidOptionError);
  });
});
