import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidDataError } from "../../src/base/errors.js";
import { memoryRowSource } from "../../src/directions/directions.js";
import { pcaDirections } from "../../src/directions/pca.js";
import { randomWalkBaseline } from "../../src/directions/random-walk.js";
import { expectAllClose } from "../support/allclose.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";

const options = { linearAlgebra: plainLinearAlgebra };

/** A path whose steps are orthogonal: step i has length `lengths[i]` along axis i. */
function orthogonalWalk(lengths: readonly number[]): Float32Array[] {
  const theta = new Float32Array(lengths.length);
  return lengths.map((length, i) => {
    theta[i] = length;
    return theta.slice();
  });
}

describe("randomWalkBaseline", () => {
  it("has the limits of many equal steps: 6/π²k² about the mean, 8/π²(2k−1)² about the final point", () => {
    const steps = new Float64Array(300).fill(1);
    const mean = randomWalkBaseline(steps, { centering: "mean" });
    const final = randomWalkBaseline(steps, { centering: "final" });
    for (const k of [1, 2, 3]) {
      expect(mean[k - 1]).toBeCloseTo(6 / (Math.PI * k) ** 2, 3);
      expect(final[k - 1]).toBeCloseTo(8 / (Math.PI * (2 * k - 1)) ** 2, 3);
    }
    expect([mean[0], mean[1]].map((share) => Math.round(share * 100))).toEqual([61, 15]);
    expect([final[0], final[1]].map((share) => Math.round(share * 1000))).toEqual([811, 90]);
  });

  it.each(["mean", "final"] as const)(
    "is what a walk of orthogonal steps explains (centering %s)",
    async (center) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.double({ min: 0.5, max: 4, noNaN: true }), { minLength: 4, maxLength: 9 }),
          async (lengths) => {
            const path = memoryRowSource(orthogonalWalk([0, ...lengths]));
            const pca = await pcaDirections(path, { ...options, centering: center });
            expectAllClose(pca.randomWalkBaseline, pca.explainedVarianceRatio, { absolute: 1e-6 });
          },
        ),
        { numRuns: 30 },
      );
    },
  );

  it.each(["mean", "final"] as const)("is what independent runs explain (centering %s)", async (center) => {
    // Two walks with axes of their own; the second starts one more orthogonal step away.
    const first = [2, 1, 1.5].map((length, i) => ({ axis: i, length }));
    const second = [1, 3, 0.5, 0.7].map((length, i) => ({ axis: 3 + i, length }));
    const start = new Float32Array(8);
    const other = start.slice();
    other[7] = 2.5;
    const walk = (from: Float32Array, steps: typeof first) => {
      const theta = from.slice();
      return [
        from.slice(),
        ...steps.map(({ axis, length }) => {
          theta[axis] += length;
          return theta.slice();
        }),
      ];
    };
    for (const from of [start, other]) {
      const rows = memoryRowSource([...walk(start, first), ...walk(from, second)], [4, 5]);
      const pca = await pcaDirections(rows, { ...options, centering: center, components: [0, 1, 2] });
      expect(pca.finalRow).toBe(3);
      expectAllClose(pca.randomWalkBaseline, pca.explainedVarianceRatio, { absolute: 1e-6 });
    }
  });

  it("about the final point is K_ij = Σ_{k > max(i,j)} s_k²", () => {
    const shares = randomWalkBaseline([0, 4, 1], { centering: "final" });
    // K = [[5, 1], [1, 1]] (and the zero row of the final point).
    const root = Math.sqrt(4 ** 2 + 4) / 2;
    expectAllClose(shares, [(3 + root) / 6, (3 - root) / 6, 0], { absolute: 1e-12 });
  });

  it("is all zero for a path that stands still", () => {
    expectAllClose(randomWalkBaseline([0, 0, 0]), [0, 0, 0]);
  });

  it("refuses lengths that cannot be", () => {
    expect(() => randomWalkBaseline([0, -1])).toThrow(InvalidDataError);
    expect(() => randomWalkBaseline([0, Number.NaN])).toThrow(
      "step 1: expected a finite squared length, got NaN",
    );
    expect(() => randomWalkBaseline([0, 1], { runLengths: [3] })).toThrow(
      "expected run lengths that add up to 2",
    );
  });
});
