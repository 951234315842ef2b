import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type GridPoint,
  type GridValues,
  refineGrid,
  surfaceContours,
  unknownCells,
} from "../../src/figure/draw/contours.js";
import { uniform } from "./sample-figures.js";

function grid(width: number, height: number, loss: (alpha: number, beta: number) => number): GridValues {
  const alpha = uniform(-1, 3, width);
  const beta = uniform(-2, 0.5, height);
  return { alpha, beta, loss: Array.from(beta).flatMap((b) => Array.from(alpha, (a) => loss(a, b))) };
}

/** Twice the signed area of a ring. */
function area(ring: readonly GridPoint[]): number {
  return ring.reduce((sum, [x, y], i) => {
    const [x1, y1] = ring[(i + 1) % ring.length] as GridPoint;
    return sum + (x * y1 - x1 * y) / 2;
  }, 0);
}

describe("surfaceContours", () => {
  test("runs exactly where an inclined plane has the level, on grids of any shape, to both borders", () => {
    const slopes = fc.double({ min: -2, max: 2, noNaN: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 9 }),
        fc.integer({ min: 2, max: 9 }),
        slopes,
        slopes,
        (w, h, p, q) => {
          fc.pre(Math.abs(p) + Math.abs(q) > 0.05);
          const plane = (a: number, b: number): number => 0.3 + p * a + q * b;
          const level = plane(0.731, -0.613);
          for (const interpolation of ["linear", "cubic"] as const) {
            const [contour] = surfaceContours(
              grid(w, h, plane),
              { kind: "linear", levels: [level] },
              interpolation,
            );
            const points = contour?.lines.flat() ?? [];
            expect(points.length).toBeGreaterThan(1);
            for (const [a, b] of points) expect(Math.abs(plane(a, b) - level)).toBeLessThan(1e-9);
            expect(contour?.lines.length).toBe(1);
            for (const [a, b] of [points[0], points.at(-1)] as GridPoint[]) {
              const toBorder = Math.min(a + 1, 3 - a, b + 2, 0.5 - b);
              expect(Math.abs(toBorder)).toBeLessThan(1e-9);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("keeps rows over beta: an asymmetric surface is neither turned nor mirrored", () => {
    const [contour] = surfaceContours(
      grid(7, 4, (a) => a),
      { kind: "linear", levels: [2] },
    );
    const region = contour?.rings[0] ?? [];
    expect(Math.min(...region.map(([a]) => a))).toBeCloseTo(2, 12);
    expect(Math.max(...region.map(([a]) => a))).toBe(3);
    expect(Math.min(...region.map(([, b]) => b))).toBe(-2);
    expect(Math.max(...region.map(([, b]) => b))).toBe(0.5);
    expect(Math.abs(area(region))).toBeCloseTo(1 * 2.5, 12);
  });

  test("is linear in the logarithm on a logarithmic scale", () => {
    const surface = grid(5, 6, (a, b) => 10 ** (a - b));
    const [contour] = surfaceContours(surface, { kind: "log", levels: [30] });
    for (const [a, b] of contour?.lines.flat() ?? []) expect(a - b).toBeCloseTo(Math.log10(30), 9);
    expect(contour?.lines.flat().length).toBeGreaterThan(2);
  });

  test("draws a bowl's contour as a closed circle of the right radius, its outside with a hole", () => {
    const alpha = uniform(-2, 2, 41);
    const loss = Array.from(alpha).flatMap((b) => Array.from(alpha, (a) => a * a + b * b));
    const [contour] = surfaceContours(
      { alpha, beta: alpha, loss },
      { kind: "linear", levels: [1.21] },
      "cubic",
    );
    expect(contour?.lines.length).toBe(1);
    const circle = contour?.lines[0] ?? [];
    expect(circle[0]).toEqual(circle.at(-1));
    for (const [a, b] of circle) expect(Math.hypot(a, b)).toBeCloseTo(1.1, 2);
    const areas = (contour?.rings ?? []).map(area);
    expect(areas.length).toBe(2);
    expect(Math.sign(areas[0] as number)).toBe(-Math.sign(areas[1] as number));
    expect(Math.abs(areas.reduce((sum, value) => sum + value, 0))).toBeCloseTo(16 - Math.PI * 1.21, 1);
  });

  test("names the cells that touch a value that is not finite, and still closes the rest", () => {
    const surface = grid(5, 4, (a, b) => (a > 2.5 && b < -1 ? Number.NaN : a + b));
    const cells = unknownCells(surface);
    expect(cells.every(({ alpha }) => alpha[0] === 2 && alpha[1] === 3)).toBe(true);
    expect(cells.length).toBe(2);
    const [contour] = surfaceContours(surface, { kind: "linear", levels: [0] });
    for (const [a, b] of contour?.lines.flat() ?? []) {
      if (a < 2) expect(a + b).toBeCloseTo(0, 9);
    }
    expect(contour?.lines.flat().every((point) => point.every(Number.isFinite))).toBe(true);
  });

  test("draws nothing where no value is finite", () => {
    expect(
      surfaceContours(
        grid(3, 3, () => Number.NaN),
        { kind: "linear", levels: [1] },
      ),
    ).toEqual([]);
  });
});

describe("refineGrid", () => {
  test("keeps every value, reproduces planes and stays inside the range", () => {
    const values = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(values, (given) => {
        const fine = refineGrid(given, 5, 4, 6);
        expect([fine.width, fine.height]).toEqual([25, 19]);
        for (let j = 0; j < 4; j++) {
          for (let i = 0; i < 5; i++) expect(fine.values[j * 6 * 25 + i * 6]).toBe(given[j * 5 + i]);
        }
        expect(Math.min(...fine.values)).toBe(Math.min(...given));
        expect(Math.max(...fine.values)).toBe(Math.max(...given));
      }),
    );
    const plane = Array.from({ length: 20 }, (_, k) => 2 * (k % 5) - 3 * Math.floor(k / 5));
    refineGrid(plane, 5, 4, 6).values.forEach((value, k) => {
      expect(value).toBeCloseTo((2 * (k % 25)) / 6 - (3 * Math.floor(k / 25)) / 6, 12);
    });
  });

  test("makes no ripple beside a cliff", () => {
    const step = Array.from({ length: 40 }, (_, k) => (k % 10 < 5 ? 0 : 1));
    for (const [k, value] of refineGrid(step, 10, 4, 8).values.entries()) {
      const i = (k % 73) / 8;
      if (i <= 4) expect(value).toBe(0);
      if (i >= 5) expect(value).toBe(1);
    }
  });

  test("leaves cells with a corner that is not finite as NaN, and no others", () => {
    const given = Array.from({ length: 16 }, (_, k) => (k === 5 ? Number.POSITIVE_INFINITY : k));
    const fine = refineGrid(given, 4, 4, 4);
    fine.values.forEach((value, k) => {
      const [i, j] = [(k % 13) / 4, Math.floor(k / 13) / 4];
      const isCut = i > 0 && i < 2 && j > 0 && j < 2 && !(i === 1 && j === 1);
      expect(Number.isFinite(value)).toBe(!isCut && !(i === 1 && j === 1));
    });
  });
});
