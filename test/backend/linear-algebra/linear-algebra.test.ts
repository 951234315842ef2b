import * as tf from "@tensorflow/tfjs";
import fc from "fast-check";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createLinearAlgebra } from "../../../src/backend/linear-algebra/create-linear-algebra.js";
import {
  singularValuesByGolubKahan,
  symmetricEigenByQl,
} from "../../../src/backend/linear-algebra/decompositions.js";
import { jsLinearAlgebra } from "../../../src/backend/linear-algebra/js-linear-algebra.js";
import { openOnnxGram } from "../../../src/backend/linear-algebra/onnx-gram.js";
import { createTensorLinearAlgebra } from "../../../src/backend/linear-algebra/tensor-linear-algebra.js";
import { selectBackend } from "../../../src/backend/select-backend.js";
import { type LinearAlgebra, openGram } from "../../../src/math/linear-algebra.js";
import { useTestBackend } from "../../support/backend.js";
import { expectClose } from "../expect-close.js";

let active: LinearAlgebra;
let backend: string;
beforeAll(async () => {
  backend = await useTestBackend();
  active = createLinearAlgebra();
});

let before = 0;
beforeEach(() => {
  before = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(before);
});

/** Deterministic values in [−1, 1). */
function values(size: number, seed: number): Float32Array {
  let state = (seed + 1) * 2654435761;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** X·Xᵀ by definition, in float64. */
function naiveGram(x: Float32Array, rows: number, columns: number): Float64Array {
  const gram = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < rows; j++) {
      for (let c = 0; c < columns; c++) gram[i * rows + j] += x[i * columns + c] * x[j * columns + c];
    }
  }
  return gram;
}

/** A·B by definition, in float64. */
function naiveProduct(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      for (let k = 0; k < inner; k++) out[i * columns + j] += a[i * inner + k] * b[k * columns + j];
    }
  }
  return out;
}

const CASES = [
  ["of the active backend", () => active, 1e-5],
  ["in plain JavaScript", () => jsLinearAlgebra, 1e-12],
  // Chunks of 3 columns and panels of 2 rows: every seam is met by small matrices.
  [
    "in small chunks and panels",
    () => createTensorLinearAlgebra("x", { chunkValues: 12, panelRows: 2, batch: 1 }),
    1e-5,
  ],
  [
    "in small chunks, three at a time",
    () => createTensorLinearAlgebra("x", { chunkValues: 12, panelRows: 100, batch: 3 }),
    1e-5,
  ],
] as const;

describe("Gram products of many rows", () => {
  it.each([
    [64, 50, 1],
    [131, 20, 3],
    [310, 7, 2],
    // More rows than panels of one call have; columns that are cut into chunks.
    [600, 9, 1],
    [70, 6000, 1],
  ])("(%i, %i), %i blocks: both triangles are added to what is there", async (rows, columns, count) => {
    const size = rows * columns;
    const blocks = values(count * size, rows);
    const gram = Float64Array.from(values(rows * rows, 3));
    const expected = gram.slice();
    for (let b = 0; b < count; b++) {
      const product = new Float64Array(rows * rows);
      await jsLinearAlgebra.addGramInto(product, blocks.subarray(b * size, (b + 1) * size), rows, columns);
      for (let i = 0; i < expected.length; i++) expected[i] += product[i];
    }
    const kept = blocks.slice();
    await active.addGramInto(gram, blocks, rows, columns, count);
    expectClose(gram, expected, { absolute: 1e-7 * columns, relative: 1e-6 });
    expect(blocks).toEqual(kept);
  });

  it("go through ONNX Runtime where it is installed", async () => {
    const [rows, columns] = [200, 33];
    const onnx = await openOnnxGram(rows);
    if (onnx.state !== "open") throw new Error(`expected a session, got ${JSON.stringify(onnx)}`);
    const block = values(rows * columns, 8);
    const [ours, direct] = [new Float64Array(rows * rows), new Float64Array(rows * rows)];
    const adder = await openGram(active, rows);
    expect(adder.name).toBe("onnx");
    await adder.addInto(ours, block, columns);
    await adder.close();
    await onnx.product(direct, block, rows, columns, 1);
    await onnx.close();
    expect(ours).toEqual(direct);
  });

  // Panels end within, at and behind the last row; results of all panels, of one and of one block are held at a time.
  it.each([
    [64, undefined],
    [100, undefined],
    [203, undefined],
    [300, 300 * 60 * 2],
    [300, 1],
  ])("of %i rows, %s results at a time, are added by ONNX Runtime to one triangle", async (rows, results) => {
    const columns = 7;
    const blocks = values(2 * rows * columns, rows);
    const start = Float64Array.from(values(rows * rows, rows + 1));
    const onnx = await openOnnxGram(rows, results);
    if (onnx.state !== "open") throw new Error(`expected a session, got ${JSON.stringify(onnx)}`);
    const gram = start.slice();
    await onnx.product(gram, blocks, rows, columns, 2);
    await onnx.close();
    const [one, other] = [0, 1].map((b) => naiveGram(blocks.subarray(b * rows * columns), rows, columns));
    const isBelow = (i: number) => i % rows <= Math.floor(i / rows);
    const expected = start.map((value, i) => value + (isBelow(i) ? (one?.[i] ?? 0) + (other?.[i] ?? 0) : 0));
    expectClose(gram, expected, { absolute: 1e-5 * columns, relative: 0 });
  });
});

describe.each(CASES)("linear algebra %s", (_name, algebra, precision) => {
  const size = fc.integer({ min: 1, max: 9 });

  it("adds the Gram matrix to what is there, and leaves the block as it is", async () => {
    await fc.assert(
      fc.asyncProperty(size, fc.integer({ min: 1, max: 40 }), fc.nat(), async (rows, columns, seed) => {
        const block = values(rows * columns, seed);
        const copy = block.slice();
        const gram = Float64Array.from(values(rows * rows, seed + 1));
        const expected = naiveGram(block, rows, columns).map((value, i) => value + gram[i]);
        await algebra().addGramInto(gram, block, rows, columns);
        expectClose(gram, expected, { absolute: precision * columns, relative: 0 });
        expect(block).toEqual(copy);
      }),
      { numRuns: 60, seed: 2 },
    );
  });

  it("decomposes matrices of a few hundred rows as small ones, and leaves no tensor", async () => {
    const n = 230;
    const half = values(n * n, 5);
    const matrix = Float64Array.from(half, (_, at) => half[at] + half[(at % n) * n + Math.floor(at / n)]);
    const before = tf.memory().numTensors;
    const { values: lambda, vectors } = await algebra().symmetricEigen(matrix, n);
    const expected = symmetricEigenByQl(matrix, n).values;
    expectClose(lambda, expected, { absolute: 1e-11, relative: 0 });
    for (const i of [0, 1, 100, n - 1]) {
      const vector = vectors.subarray(i * n, (i + 1) * n);
      const image = naiveProduct(matrix, vector, n, n, 1);
      expectClose(
        image,
        vector.map((x) => x * lambda[i]),
        { absolute: 1e-11, relative: 0 },
      );
    }
    const tall = Float64Array.from(values((n + 20) * n, 6));
    const wide = new Float64Array(tall.length);
    for (let i = 0; i < n + 20; i++) for (let j = 0; j < n; j++) wide[j * (n + 20) + i] = tall[i * n + j];
    const singular = singularValuesByGolubKahan(tall, n + 20, n);
    for (const [x, rows, columns] of [
      [tall, n + 20, n],
      [wide, n, n + 20],
    ] as const) {
      expectClose(await algebra().singularValues(x, rows, columns), singular, {
        absolute: 1e-10,
        relative: 0,
      });
    }
    // Of few entries, as a diffusion operator has.
    const sparse = tall.slice(0, n * n).map((value, p) => (p % 17 === 0 ? value : 0));
    expectClose(await algebra().singularValues(sparse, n, n), singularValuesByGolubKahan(sparse, n, n), {
      absolute: 1e-6,
      relative: 0,
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  it("multiplies float64 rows with each other, few zeros or many", async () => {
    for (const [rows, columns] of [
      [5, 9],
      [61, 130],
    ] as const) {
      for (const kept of [1, 0.3, 0.05]) {
        const keep = values(rows * columns, 8);
        const matrix = Float64Array.from(values(rows * columns, 7), (value, at) =>
          (keep[at] + 1) / 2 < kept ? value : 0,
        );
        const copy = matrix.slice();
        const products = await algebra().rowProducts(matrix, rows, columns);
        const transposed = matrix.map((_, at) => matrix[(at % rows) * columns + Math.floor(at / rows)]);
        expectClose(products, naiveProduct(matrix, transposed, rows, columns, rows), {
          absolute: 1e-12,
          relative: 0,
        });
        for (let i = 0; i < rows; i++) {
          for (let j = 0; j < i; j++) expect(products[i * rows + j]).toBe(products[j * rows + i]);
        }
        expect(matrix).toEqual(copy);
      }
    }
  });

  it("adds the products of several blocks", async () => {
    await fc.assert(
      fc.asyncProperty(
        size,
        size,
        fc.integer({ min: 1, max: 8 }),
        fc.nat(),
        async (rows, columns, count, seed) => {
          const blocks = values(count * rows * columns, seed);
          const gram = new Float64Array(rows * rows);
          await algebra().addGramInto(gram, blocks, rows, columns, count);
          const expected = new Float64Array(rows * rows);
          for (let b = 0; b < count; b++) {
            const block = blocks.subarray(b * rows * columns, (b + 1) * rows * columns);
            naiveGram(block, rows, columns).forEach((value, i) => {
              expected[i] += value;
            });
          }
          expectClose(gram, expected, { absolute: precision * columns * count, relative: 0 });
        },
      ),
      { numRuns: 60, seed: 3 },
    );
  });

  it("multiplies float64 by float32", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 12 }),
        size,
        size,
        fc.nat(),
        async (rows, inner, columns, seed) => {
          const a = Float64Array.from(values(rows * inner, seed));
          const b = values(inner * columns, seed + 1);
          const product = await algebra().multiply(a, b, rows, inner, columns);
          expect(product).toBeInstanceOf(Float64Array);
          expectClose(product, naiveProduct(a, b, rows, inner, columns), {
            absolute: precision * inner,
            relative: 0,
          });
        },
      ),
      { numRuns: 60, seed: 3 },
    );
  });

  it("gives eigenpairs: A·v = λ·v, orthonormal, largest first", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.nat(), async (n, seed) => {
        const half = values(n * n, seed);
        const matrix = Float64Array.from(half, (_, at) => half[at] + half[(at % n) * n + Math.floor(at / n)]);
        const { values: lambda, vectors } = await algebra().symmetricEigen(matrix, n);
        expect([...lambda]).toEqual([...lambda].sort((a, b) => b - a));
        for (let i = 0; i < n; i++) {
          const vector = vectors.subarray(i * n, (i + 1) * n);
          const image = naiveProduct(matrix, vector, n, n, 1);
          expectClose(
            image,
            vector.map((x) => x * lambda[i]),
            { absolute: 1e-11, relative: 0 },
          );
          const products = naiveProduct(vectors, vector, n, n, 1);
          expectClose(
            products,
            Array.from({ length: n }, (_, j) => Number(i === j)),
            { absolute: 1e-12, relative: 0 },
          );
        }
      }),
      { numRuns: 40, seed: 4 },
    );
  });

  it("gives the singular values, whose squares are the eigenvalues of A·Aᵀ", async () => {
    await fc.assert(
      fc.asyncProperty(size, size, fc.nat(), async (rows, columns, seed) => {
        const x = values(rows * columns, seed);
        const singular = await algebra().singularValues(Float64Array.from(x), rows, columns);
        expect(singular.length).toBe(Math.min(rows, columns));
        expect([...singular]).toEqual([...singular].sort((a, b) => b - a));
        const { values: lambda } = await algebra().symmetricEigen(naiveGram(x, rows, columns), rows);
        const expected = lambda.subarray(0, singular.length);
        expectClose(
          singular.map((s) => s * s),
          expected,
          { absolute: 1e-11, relative: 1e-11 },
        );
      }),
      { numRuns: 40, seed: 5 },
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("refuses to decompose a matrix with %s", async (value) => {
    const matrix = Float64Array.of(1, 2, value, 3);
    await expect(algebra().symmetricEigen(matrix, 2)).rejects.toThrow(
      `symmetricEigen: expected a matrix of finite numbers, got ${value} in row 1, column 0`,
    );
    await expect(algebra().singularValues(matrix, 2, 2)).rejects.toThrow(
      "singularValues: expected a matrix of finite",
    );
  });
});

describe("the active backend's linear algebra", () => {
  it("is named after the backend", () => {
    expect(active.name).toBe(backend);
  });

  it("keeps float64 sums over many columns", async () => {
    // 1 + 60,000 · 2⁻²⁴: a float32 sum would stay at 1; a chunk of 4,096 may.
    const columns = 60_001;
    const block = new Float32Array(columns).fill(2 ** -12);
    block[0] = 1;
    const gram = new Float64Array(1);
    await active.addGramInto(gram, block, 1, columns);
    expect(gram[0]).toBeCloseTo(1 + 60_000 * 2 ** -24, 3);
  });

  it("carries non-finite products along", async () => {
    const gram = new Float64Array(4);
    await active.addGramInto(gram, Float32Array.of(1, Number.NaN, 2, 3), 2, 2);
    expect([...gram]).toEqual([Number.NaN, Number.NaN, Number.NaN, 13]);
  });

  it("refuses to work when another backend has become active", async () => {
    const made = createTensorLinearAlgebra("x", { chunkValues: 100, panelRows: 2, batch: 1 });
    const was = tf.getBackend();
    const other = await selectBackend({ backend: backend === "js" ? "wasm" : "js" });
    await expect(made.addGramInto(new Float64Array(1), Float32Array.of(1), 1, 1)).rejects.toThrow(
      `the x linear algebra: expected "${was}" active, got "${other.name === "js" ? "cpu" : other.name}"`,
    );
    await useTestBackend();
  });
});
