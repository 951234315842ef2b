import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidOptionError } from "../../src/base/errors.js";
import { memoryRowSource, type RowSource } from "../../src/directions/directions.js";
import { pcaDirections } from "../../src/directions/pca.js";
import { projectTrajectory } from "../../src/directions/project.js";
import { expectAllClose } from "../support/allclose.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";

const coefficient = fc.integer({ min: -64, max: 64 }).map((value) => value / 8);

/** Exactly representable oblique directions in 12 dimensions, and a normal to both. */
const center = Float32Array.from({ length: 12 }, (_, c) => c / 4 - 1);
const d0 = Float32Array.from({ length: 12 }, (_, c) => (c < 6 ? 2 : 0));
const d1 = Float32Array.from({ length: 12 }, (_, c) => (c < 9 ? 1 : 0));
const normal = Float32Array.from({ length: 12 }, (_, c) => (c === 10 ? 3 : c === 11 ? 4 : 0));

function point(a: number, b: number, out = 0): Float32Array {
  return center.map((value, c) => value + a * d0[c] + b * d1[c] + out * normal[c]);
}

function stream(source: RowSource): RowSource {
  return { rows: source.rows, columns: source.columns, readBlockInto: source.readBlockInto };
}

describe("projectTrajectory", () => {
  it("returns the coefficients that made the points, and their height over the plane", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(coefficient, coefficient, coefficient), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 13 }),
        async (chosen, blockColumns) => {
          const source = memoryRowSource(chosen.map(([a, b, out]) => point(a, b, out)));
          const directions = { center, vectors: [d0, d1] };
          for (const rows of [source, stream(source)]) {
            const trajectory = await projectTrajectory(rows, directions, { blockColumns });
            expectAllClose(
              trajectory.coordinates,
              chosen.flatMap((point) => point.slice(0, 2)),
              { absolute: 1e-12 },
            );
            expectAllClose(
              trajectory.distance,
              chosen.map(([, , out]) => Math.abs(5 * out)),
              { absolute: 1e-7 },
            );
            chosen.forEach(([a, b, out], i) => {
              const inside = 24 * a * a + 9 * b * b + 24 * a * b;
              const share = inside + 25 * out * out === 0 ? 1 : inside / (inside + 25 * out * out);
              expect(trajectory.inPlaneShare[i]).toBeCloseTo(share, 10);
            });
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it("takes memory by the columns that there are, and rows that there are not", async () => {
    // As many rows of a whole tile would exceed what WebAssembly can hold.
    const count = 540_000;
    const values = Float32Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? i / 2 : 3));
    const rows = Array.from({ length: count }, (_, i) => values.subarray(2 * i, 2 * i + 2));
    const directions = { center: new Float32Array(2), vectors: [Float32Array.of(1, 0)] };
    const { coordinates } = await projectTrajectory(memoryRowSource(rows), directions);
    expect(coordinates.findIndex((value, i) => value !== i)).toBe(-1);
    const none: RowSource = { rows: 0, columns: 2, readBlockInto: async () => undefined };
    expect((await projectTrajectory(none, directions)).coordinates).toHaveLength(0);
  });

  it("keeps the digits of a distance that is tiny beside the path", async () => {
    const row = point(1000, -500);
    row[11] += 2 ** -12;
    const offset = row[11] - point(1000, -500)[11];
    const { distance, inPlaneShare } = await projectTrajectory(memoryRowSource([row]), {
      center,
      vectors: [d0, d1],
    });
    expect(offset).toBeGreaterThan(0);
    expect(distance[0] / offset).toBeCloseTo(1, 6);
    expect(inPlaneShare[0]).toBeLessThanOrEqual(1);
  });

  it("counts θ* itself as in the plane", async () => {
    const { inPlaneShare, distance, coordinates } = await projectTrajectory(memoryRowSource([center]), {
      center,
      vectors: [d0],
    });
    expect([inPlaneShare[0], distance[0], coordinates[0]]).toEqual([1, 0, 0]);
  });

  it("in one, two and three dimensions the share never falls", async () => {
    const rows = memoryRowSource([point(1, 2, 3), point(-1, 0, 2), point(0, 0, 1)]);
    const shares = [];
    for (const k of [1, 2, 3]) {
      const vectors = [d0, d1, normal].slice(0, k);
      shares.push((await projectTrajectory(rows, { center, vectors })).inPlaneShare);
    }
    for (let i = 0; i < 3; i++) {
      expect(shares[0][i]).toBeLessThanOrEqual(shares[1][i] + 1e-12);
      expect(shares[1][i]).toBeLessThanOrEqual(shares[2][i] + 1e-12);
      expect(shares[2][i]).toBeCloseTo(1, 12);
    }
  });

  it("agrees with the coordinates of the principal components", async () => {
    const rows = [point(1, 2, 3), point(-1, 0.5, 2), point(0, 3, 1), point(2, 2, 0), point(0, 0, 0)];
    const source = memoryRowSource(rows);
    const pca = await pcaDirections(source, { linearAlgebra: plainLinearAlgebra });
    const trajectory = await projectTrajectory(source, pca);
    expectAllClose(trajectory.coordinates, pca.coordinates, { absolute: 1e-5 });
  });

  it.each([
    [
      "collinear directions",
      [d0, d0.map((v) => -3 * v)],
      "direction 1: expected an angle of at least 0.0001 radians to direction 0, got 0",
    ],
    [
      "a third one in the plane",
      [d0, d1, d0.map((v, c) => v + d1[c])],
      "to the span of the directions before it",
    ],
    ["a direction of zeros", [d0, d0.map(() => 0)], "direction 1: expected a finite vector other than zero"],
    ["no direction", [], "directions: expected at least one direction, got none"],
    [
      "another length",
      [new Float32Array(3)],
      "expected vectors over the 12 columns of the snapshots, got 3 entries",
    ],
  ])("refuses %s", async (_, vectors, message) => {
    const error = await projectTrajectory(memoryRowSource([point(1, 1)]), { center, vectors }).catch(
      (e) => e,
    );
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error.message).toContain(message);
  });

  it("names a snapshot with weights that are not finite", async () => {
    const bad = point(1, 1);
    bad[3] = Number.NaN;
    const rows = memoryRowSource([point(0, 1), bad]);
    await expect(projectTrajectory(rows, { center, vectors: [d0, d1] })).rejects.toThrow(
      "snapshot 1: expected finite",
    );
  });
});
