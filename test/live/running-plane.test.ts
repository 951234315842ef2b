import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memoryRowSource } from "../../src/directions/directions.js";
import { pcaDirections } from "../../src/directions/pca.js";
import { RunningGram, type RunningPlane, runningPlane } from "../../src/live/running-plane.js";
import { createUniform } from "../../src/math/random.js";
import { expectAllClose, expectAllCloseUpToSign } from "../support/allclose.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";

/** A drifting walk of `count` steps in `size` dimensions. */
function walk(count: number, size: number, seed: number): Float32Array[] {
  const random = createUniform(seed, "walk");
  const rows = [Float32Array.from({ length: size }, () => random() - 0.5)];
  while (rows.length < count) {
    const last = rows[rows.length - 1] as Float32Array;
    rows.push(last.map((value, i) => value + 0.3 * (random() - 0.5) + 0.1 * Math.sin(i)));
  }
  return rows;
}

/** The running planes after each snapshot. */
async function run(rows: readonly Float32Array[], mostRows?: number) {
  const asked: number[] = [];
  const gram = new RunningGram(async (step) => {
    asked.push(step);
    return rows[step] as Float32Array;
  }, mostRows);
  const planes: (RunningPlane | null)[] = [];
  for (const [step, theta] of rows.entries()) {
    await gram.add(step, theta);
    planes.push(runningPlane(gram.rows, planes[planes.length - 1] ?? null));
  }
  return { gram, planes, asked };
}

describe("the running plane", () => {
  test.each([1, 2, 3])(
    "equals the principal plane of all snapshots at every length (seed %i)",
    async (seed) => {
      const rows = walk(14, 40, seed);
      const { planes } = await run(rows);
      expect(planes.slice(0, 2)).toEqual([null, null]);
      for (let n = 3; n <= rows.length; n++) {
        const plane = planes[n - 1] as RunningPlane;
        const options = { linearAlgebra: plainLinearAlgebra, precision: "float64" } as const;
        const batch = await pcaDirections(memoryRowSource(rows.slice(0, n)), options);
        [plane.alpha, plane.beta].forEach((found, m) => {
          const start = batch.coordinates[m] as number;
          const expected = Array.from(
            { length: n },
            (_, i) => (batch.coordinates[2 * i + m] as number) - start,
          );
          expectAllCloseUpToSign(found, expected, { absolute: 1e-6 });
        });
        expectAllClose(plane.explainedVarianceRatio, batch.explainedVarianceRatio, { absolute: 1e-6 });
        expectAllClose(plane.randomWalkBaseline, batch.randomWalkBaseline, { absolute: 1e-6 });
      }
    },
  );

  test("costs one product with each row that is there", async () => {
    const { asked } = await run(walk(10, 3, 1));
    expect(asked.length).toBe((10 * 9) / 2);
  });

  test("never flips: each plane agrees in sign with the one before", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1e6 }), async (seed) => {
        const { planes } = await run(walk(20, 12, seed));
        for (const [i, plane] of planes.entries()) {
          const before = planes[i - 1];
          if (plane === null || before == null) continue;
          for (const axis of ["alpha", "beta"] as const) {
            const agreement = before[axis].reduce((sum, value, k) => sum + value * (plane[axis][k] ?? 0), 0);
            expect(agreement).toBeGreaterThanOrEqual(0);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test("the first plane points forward, and the start is the origin", async () => {
    const { planes } = await run(walk(5, 6, 4));
    for (const plane of planes.slice(2)) expect([plane?.alpha[0], plane?.beta[0]]).toEqual([0, 0]);
    expect(planes[2]?.alpha.at(-1)).toBeGreaterThan(0);
  });

  test("on a line the second coordinate is 0; without movement both are", async () => {
    const line = await run([0, 1, 3].map((t) => Float32Array.of(t, 2 * t)));
    expectAllClose(line.planes[2]?.alpha ?? [], [0, Math.sqrt(5), 3 * Math.sqrt(5)], { absolute: 1e-12 });
    expect(line.planes[2]?.beta).toEqual([0, 0, 0]);
    const still = await run([1, 1, 1].map((t) => Float32Array.of(t)));
    expect(still.planes[2]).toMatchObject({ alpha: [0, 0, 0], beta: [0, 0, 0] });
  });

  test("of a long path every n-th snapshot stays, and the newest", async () => {
    const rows = walk(40, 4, 9);
    const { gram, planes } = await run(rows, 8);
    expect(gram.stride).toBe(8);
    expect(planes.at(-1)?.steps).toEqual([0, 8, 16, 24, 32, 39]);
    for (const { step, products } of gram.rows) {
      const kept = gram.rows.filter((row) => row.step <= step).map((row) => rows[row.step] as Float32Array);
      const first = rows[0] as Float32Array;
      const expected = kept.map((row) =>
        row.reduce(
          (sum, v, i) =>
            sum + (v - (first[i] as number)) * ((rows[step]?.[i] as number) - (first[i] as number)),
          0,
        ),
      );
      expectAllClose(products, expected, { absolute: 1e-9 });
    }
  });

  test("weights that are not finite are left out", async () => {
    const gram = new RunningGram(async () => Float32Array.of(1));
    expect(await gram.add(0, Float32Array.of(1))).toBe(true);
    expect(await gram.add(1, Float32Array.of(Number.NaN))).toBe(false);
    expect(await gram.add(2, Float32Array.of(Number.POSITIVE_INFINITY))).toBe(false);
    expect(gram.rows.map(({ step }) => step)).toEqual([0]);
  });
});
