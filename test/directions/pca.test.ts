import fc from "fast-check";
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { InvalidDataError, InvalidOptionError } from "../../src/base/errors.js";
import { memoryRowSource, type RowSource } from "../../src/directions/directions.js";
import { pcaDirections } from "../../src/directions/pca.js";
import { expectAllClose, expectAllCloseUpToSign } from "../support/allclose.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";

const options = { linearAlgebra: plainLinearAlgebra };

/** N rows of D numbers in [−1, 1) from a sequence without structure. */
function scatteredRows(n: number, d: number, salt = 0): Float32Array[] {
  const next = congruential(salt);
  return Array.from({ length: n }, () => Float32Array.from({ length: d }, next));
}

function congruential(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

function dot64(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += a[c] * b[c];
  return sum;
}

const path = fc
  .tuple(fc.integer({ min: 4, max: 9 }), fc.integer({ min: 5, max: 40 }), fc.integer({ min: 0, max: 1000 }))
  .map(([n, d, salt]) => scatteredRows(n, d, salt));
const center = fc.constantFrom("mean" as const, "final" as const);

describe("pcaDirections, identities", () => {
  it("gives orthonormal components", async () => {
    await fc.assert(
      fc.asyncProperty(path, center, async (rows, about) => {
        const { vectors } = await pcaDirections(memoryRowSource(rows), {
          ...options,
          centering: about,
          components: [0, 1, 2],
        });
        vectors.forEach((a, i) => {
          vectors.forEach((b, j) => {
            expect(Math.abs(dot64(a, b) - (i === j ? 1 : 0))).toBeLessThan(2e-7);
          });
        });
      }),
      { numRuns: 50 },
    );
  });

  it("gives eigenvectors of the covariance: Mᵀ(M·v) = λ·v", async () => {
    await fc.assert(
      fc.asyncProperty(path, center, async (rows, about) => {
        const pca = await pcaDirections(memoryRowSource(rows), { ...options, centering: about });
        const n = rows.length;
        const d = rows[0].length;
        const middle = Float64Array.from({ length: d }, (_, c) =>
          about === "final" ? rows[n - 1][c] : rows.reduce((sum, row) => sum + row[c], 0) / n,
        );
        const m = rows.map((row) => Float64Array.from(row, (value, c) => value - middle[c]));
        pca.vectors.forEach((v, a) => {
          const mv = m.map((row) => dot64(row, v));
          const lambda = pca.singularValues[a] ** 2;
          const product = Float64Array.from({ length: d }, (_, c) =>
            dot64(
              mv,
              m.map((row) => row[c]),
            ),
          );
          expectAllClose(
            product,
            Array.from(v, (value) => lambda * value),
            { absolute: 1e-5 * pca.singularValues[0] ** 2 },
          );
        });
        const total = m.reduce((sum, row) => sum + dot64(row, row), 0);
        expectAllClose(
          pca.singularValues.map(
            (value, i) => (value ** 2 - pca.allExplainedVarianceRatio[i] * total) / total,
          ),
          new Float64Array(n),
          { absolute: 1e-6 },
        );
      }),
      { numRuns: 30 },
    );
  });

  it("does not change when every snapshot is shifted, and keeps directions when scaled", async () => {
    const rows = scatteredRows(7, 30);
    const base = await pcaDirections(memoryRowSource(rows), options);
    // Powers of two and multiples of them: float32 shifts and scales without rounding.
    const coarse = rows.map((row) => row.map((value) => Math.round(value * 1024) / 1024));
    const still = await pcaDirections(memoryRowSource(coarse), options);
    const shifted = await pcaDirections(
      memoryRowSource(coarse.map((row) => row.map((v) => v + 64))),
      options,
    );
    const scaled = await pcaDirections(
      memoryRowSource(rows.map((row) => row.map((v) => v * 2 ** -40))),
      options,
    );
    expect(shifted.vectors).toEqual(still.vectors);
    expect(shifted.allExplainedVarianceRatio).toEqual(still.allExplainedVarianceRatio);
    scaled.vectors.forEach((vector, a) => {
      expectAllClose(vector, base.vectors[a], { absolute: 1e-7 });
    });
    expectAllClose(
      scaled.singularValues.map((value) => value * 2 ** 40),
      base.singularValues,
      { absolute: 1e-9 },
    );
  });

  it("agrees with a float64 singular value decomposition of the matrix itself", async () => {
    const rows = scatteredRows(20, 300);
    const mean = Float64Array.from(
      rows[0],
      (_, c) => rows.reduce((sum, row) => sum + row[c], 0) / rows.length,
    );
    const svd = new SingularValueDecomposition(
      new Matrix(rows.map((row) => Array.from(row, (value, c) => value - mean[c]))),
      { autoTranspose: true },
    );
    for (const precision of ["float64", "backend"] as const) {
      const pca = await pcaDirections(memoryRowSource(rows), {
        ...options,
        precision,
        components: [0, 1, 2],
      });
      expectAllClose(pca.singularValues.slice(0, 3), svd.diagonal.slice(0, 3), { relative: 1e-6 });
      pca.vectors.slice(0, 2).forEach((vector, a) => {
        expectAllCloseUpToSign(vector, svd.rightSingularVectors.getColumn(a), { absolute: 1e-6 });
      });
    }
  });

  it("gives the coordinates about the final point", async () => {
    const rows = scatteredRows(8, 50);
    for (const about of ["mean", "final"] as const) {
      const pca = await pcaDirections(memoryRowSource(rows), { ...options, centering: about });
      rows.forEach((row, i) => {
        const difference = row.map((value, c) => value - pca.center[c]);
        pca.vectors.forEach((vector, a) => {
          expect(pca.coordinates[i * 2 + a]).toBeCloseTo(dot64(difference, vector), 5);
        });
      });
      expect(pca.center).toEqual(rows[7]);
    }
  });

  it("does not depend on the block, nor on whether rows are in memory", async () => {
    const rows = scatteredRows(6, 5003);
    const source = memoryRowSource(rows);
    const streamed: RowSource = { rows: 6, columns: 5003, readBlockInto: source.readBlockInto };
    const whole = await pcaDirections(source, options);
    for (const blockColumns of [97, 1000, 2048, 5003, 10_000]) {
      const parts = await pcaDirections(streamed, { ...options, blockColumns });
      expectAllClose(parts.allExplainedVarianceRatio, whole.allExplainedVarianceRatio, { absolute: 1e-12 });
      parts.vectors.forEach((vector, a) => {
        expectAllClose(vector, whole.vectors[a], { absolute: 1e-7 });
      });
    }
  });
});

describe("pcaDirections, known paths", () => {
  it("finds the plane of a circle, with equal shares and a warning", async () => {
    // 16 points of a circle of radius 3 in a tilted plane of a 50-dimensional space, once around.
    const [e, f] = [0, 1].map((which) =>
      Float64Array.from({ length: 50 }, (_, c) => (c % 2 === which ? 1 / 5 : 0)),
    );
    const rows = Array.from({ length: 16 }, (_, i) => {
      const angle = (2 * Math.PI * i) / 16;
      return Float32Array.from(e, (value, c) => 1 + 3 * (Math.cos(angle) * value + Math.sin(angle) * f[c]));
    });
    const pca = await pcaDirections(memoryRowSource(rows), options);
    expectAllClose(pca.explainedVarianceRatio, [0.5, 0.5], { absolute: 1e-6 });
    expect(pca.warnings.map(({ code }) => code)).toEqual(["equal-components"]);
    for (const vector of pca.vectors) {
      const inside = dot64(vector, e) ** 2 + dot64(vector, f) ** 2;
      expect(inside).toBeCloseTo(1, 6);
    }
  });

  it("selects any components by number", async () => {
    const source = memoryRowSource(
      scatteredRows(9, 40).map((row, i) => row.map((v, c) => v * (c % 3 === i % 3 ? 3 : 1))),
    );
    const leading = await pcaDirections(source, { ...options, components: [0, 1, 2] });
    const chosen = await pcaDirections(source, { ...options, components: [2, 0] });
    expect(chosen.labels).toEqual(["PC 3", "PC 1"]);
    expectAllClose(chosen.vectors[0], leading.vectors[2], { absolute: 1e-6 });
    expectAllClose(chosen.vectors[1], leading.vectors[0], { absolute: 1e-6 });
    expect(chosen.explainedVarianceRatio[0]).toBe(leading.explainedVarianceRatio[2]);
    expect(chosen.randomWalkBaseline[0]).toBe(leading.randomWalkBaseline[2]);
  });

  it("keeps the digits of steps that are small beside their distance from the end", async () => {
    const rows = Array.from({ length: 5 }, (_, i) =>
      Float32Array.from({ length: 200 }, (_, c) => (i === 4 ? 1000 + c : i * 2 ** -10)),
    );
    const pca = await pcaDirections(memoryRowSource(rows), {
      ...options,
      components: [0],
      precision: "backend",
    });
    expectAllClose(pca.squaredSteps.slice(1, 4), new Float64Array(3).fill(200 * 2 ** -20), {
      relative: 1e-12,
      absolute: 0,
    });
  });

  it("warns of repeated snapshots and of components near rounding", async () => {
    const rows = scatteredRows(4, 30);
    const repeated = await pcaDirections(memoryRowSource([...rows, rows[3].slice()]), options);
    expect(repeated.warnings).toEqual([
      { code: "repeated-snapshot", message: "1 snapshot(s) have the weights of the one before: 4" },
    ]);
    const line = Array.from({ length: 6 }, (_, i) =>
      Float32Array.from({ length: 30 }, (_, c) => i * (1 + c) + (i === 2 && c === 3 ? 0.03 : 0)),
    );
    const weak = await pcaDirections(memoryRowSource(line), options);
    expect(weak.warnings.map(({ code }) => code)).toEqual(["weak-component"]);
  });
});

describe("pcaDirections, what it refuses", () => {
  const rows = scatteredRows(5, 20);
  const source = memoryRowSource(rows);

  it.each([
    [{ components: [0, 1, 2, 3] }, "components: expected a list of 1 to 3, such as [0, 1], got [0,1,2,3]"],
    [
      { components: 3 as unknown as number[] },
      "components: expected a list of 1 to 3, such as [0, 1], got 3",
    ],
    [{ components: [0, 0] }, "components: expected different integers from 0 on, got [0,0]"],
    [{ components: [-1, 0] }, "components: expected different integers"],
    [{ components: [] }, "components: expected a list of 1 to 3, such as [0, 1], got []"],
    [{ components: [0, 4] }, "components: expected no more components than the path has (4"],
    [{ finalRow: 5 }, "finalRow: expected an integer from 0 to 4, got 5"],
    [{ centering: "paper" as "mean" }, 'centering: expected "mean" or "final", got "paper"'],
    [{ blockColumns: 0 }, "blockColumns: expected a positive integer, got 0"],
    [{ precision: "half" as "auto" }, 'precision: expected "auto", "float64" or "backend", got "half"'],
  ])("%j", async (bad, message) => {
    const error = await pcaDirections(source, { ...options, ...bad }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect((error as Error).message).toContain(message);
  });

  it("paths without enough rows, or that stand still", async () => {
    await expect(pcaDirections(memoryRowSource(rows.slice(0, 1)), options)).rejects.toThrow(
      "snapshots: expected at least 2 for principal components, got 1",
    );
    await expect(pcaDirections(memoryRowSource([rows[0], rows[0], rows[0]]), options)).rejects.toThrow(
      "snapshots: expected weights that change, got the same weights in all of them",
    );
    await expect(pcaDirections(memoryRowSource(rows.slice(0, 2)), options)).rejects.toThrow(
      "expected no more components than the path has (1",
    );
    const two = await pcaDirections(memoryRowSource(rows.slice(0, 2)), { ...options, components: [0] });
    expect(two.explainedVarianceRatio[0]).toBeCloseTo(1, 12);
  });

  it.each(["float64", "backend"] as const)(
    "a second component of a straight path (%s)",
    async (precision) => {
      const line = Array.from({ length: 6 }, (_, i) =>
        Float32Array.from(rows[0], (value) => value * (i + 0.1)),
      );
      const error = await pcaDirections(memoryRowSource(line), { ...options, precision }).catch(
        (reason) => reason,
      );
      expect(error).toBeInstanceOf(InvalidOptionError);
      expect(error.message).toContain(
        "components: expected components within the rank of the path (1), got component 2",
      );
      const pca = await pcaDirections(memoryRowSource(line), { ...options, precision, components: [0] });
      expect(pca.explainedVarianceRatio[0]).toBeCloseTo(1, 6);
    },
  );

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("weights that are %d", async (value) => {
    for (const row of [0, 2, 4]) {
      const broken = rows.map((theta) => theta.slice());
      broken[row][13] = value;
      const error = await pcaDirections(memoryRowSource(broken), { ...options, blockColumns: 4 }).catch(
        (e) => e,
      );
      expect(error).toBeInstanceOf(InvalidDataError);
      expect(error.message).toContain(`snapshot ${row}, column 13: expected finite weights, got ${value}`);
    }
  });

  it("weights too large for float32 products", async () => {
    const huge = rows.map((row) => row.map((value) => value * 1e25));
    const refused = pcaDirections(memoryRowSource(huge), { ...options, precision: "backend" });
    await expect(refused).rejects.toThrow(/snapshot 0: expected weights whose products float32 can hold/);
  });

  it("to go on when aborted, and reports a failing read", async () => {
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    await expect(pcaDirections(source, { ...options, signal: controller.signal })).rejects.toThrow("enough");
    const failing: RowSource = {
      rows: 5,
      columns: 20,
      async readBlockInto(start, count, out) {
        if (start >= 8) throw new Error("disk gone");
        await source.readBlockInto(start, count, out);
      },
    };
    await expect(pcaDirections(failing, { ...options, blockColumns: 4 })).rejects.toThrow("disk gone");
  });

  it("reports progress over both passes", async () => {
    const seen: number[][] = [];
    await pcaDirections(source, { ...options, blockColumns: 8, onProgress: (...at) => seen.push(at) });
    expect(seen).toEqual([8, 16, 20, 28, 36, 40].map((done) => [done, 40]));
  });
});
