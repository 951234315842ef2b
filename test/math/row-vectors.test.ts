import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arrayBytes, createRowVectors, type RowTile } from "../../src/math/row-vectors.js";

/** Deterministic values in [−1, 1). */
function noise(length: number, seed: number): Float32Array {
  let state = (seed + 1) * 2654435761;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const K = 3;
const shapes = fc.record({
  rows: fc.integer({ min: 1, max: 11 }),
  columns: fc.integer({ min: 1, max: 21 }),
  at: fc.integer({ min: 0, max: 5 }),
  seed: fc.nat(1000),
});
type Shape = typeof shapes extends fc.Arbitrary<infer T> ? T : never;

/** A tile within wider rows, kernels, and the tile's rows as arrays of their own. */
function open({ rows, columns, at, seed }: Shape, directions = K) {
  const stride = at + columns + (seed % 4);
  const vectors = createRowVectors(
    2 * arrayBytes("float32", rows * stride) +
      arrayBytes("float32", (K + 1) * columns) +
      2 * K * arrayBytes("float64", rows * (K + 1) + columns + 1),
    directions,
  );
  const block = vectors.float32(rows * stride);
  block.set(noise(rows * stride, seed));
  const tile: RowTile = { values: block.subarray(at), stride, rows, columns };
  const own = Array.from({ length: rows }, (_, i) => block.slice(i * stride + at, i * stride + at + columns));
  return { vectors, tile, own, block };
}

/** Σ_c f(c) as four sums of every fourth column each. */
function sumByFours(columns: number, f: (c: number) => number): number {
  const sums = [0, 0, 0, 0];
  const whole = columns - (columns % 4);
  for (let c = 0; c < columns; c++) sums[c < whole ? c % 4 : 0] += f(c);
  return sums[0] + sums[1] + (sums[2] + sums[3]);
}

describe("kernels of rows have the bits of plain loops in float64", () => {
  it("differences from a row, and squared steps", () => {
    fc.assert(
      fc.property(shapes, fc.nat(100), (shape, which) => {
        const { vectors, tile, own, block } = open(shape);
        const { rows, columns } = shape;
        const row = which % rows;
        const kept = block.slice();
        const out = vectors.float32(rows * columns);
        const squares = vectors.float64(rows);
        vectors.subtractRowInto(out, squares, tile, row);
        const differences = own.flatMap((theta) => [...theta].map((x, c) => Math.fround(x - own[row][c])));
        expect([...out]).toEqual(differences);
        const steps = own.map((theta, i) => {
          const previous = own[Math.max(0, i - 1)];
          return sumByFours(columns, (c) => (theta[c] - previous[c]) ** 2);
        });
        expect([...squares]).toEqual(steps);
        expect(block).toEqual(kept);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it("combinations: two of them four rows at a time, a single one row by row", () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 1, max: K }), (shape, count) => {
        const { vectors, tile, own } = open(shape);
        const { rows, columns, seed } = shape;
        const factors = Array.from({ length: count }, (_, m) => Float64Array.from(noise(rows, seed + m + 7)));
        const weights = factors.map((factor) => {
          const copy = vectors.float64(rows);
          copy.set(factor);
          return copy;
        });
        const before = factors.map((_, m) => Float64Array.from(noise(columns, seed + m + 70)));
        const sums = before.map((values) => {
          const copy = vectors.float64(columns + 1);
          copy.set(values);
          return copy;
        });
        vectors.addCombinationsInto(sums, tile, weights);
        sums.forEach((sum, m) => {
          const isPaired = m < count - (count % 2);
          const expected = Array.from({ length: columns }, (_, c) => {
            const p = own.map((theta, i) => factors[m][i] * theta[c]);
            let total = before[m][c];
            let i = 0;
            for (; isPaired && i + 3 < rows; i += 4) total += p[i] + p[i + 1] + (p[i + 2] + p[i + 3]);
            for (; i < rows; i++) total += p[i];
            return total;
          });
          expect([...sum.subarray(0, columns)]).toEqual(expected);
        });
      }),
      { numRuns: 200, seed: 2 },
    );
  });

  it.each([0, 1, 2, 3, 5])("products with %i directions about a centre", (k) => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const { vectors, tile, own } = open(shape, k);
        const { rows, columns, seed } = shape;
        const about = createAbout(vectors, k, columns, seed);
        const out = vectors.float64(rows * (1 + k));
        vectors.differenceProductsInto(out, tile, about);
        const [center, ...directions] = Array.from({ length: 1 + k }, (_, a) =>
          about.subarray(a * columns, (a + 1) * columns),
        );
        const expected = own.flatMap((theta) => [
          sumByFours(columns, (c) => (theta[c] - center[c]) ** 2),
          ...directions.map((d) => sumByFours(columns, (c) => (theta[c] - center[c]) * d[c])),
        ]);
        expect([...out]).toEqual(expected);
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  it("a value that is not finite reaches the step that it ends and the one that it begins, and no other", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const column of [0, 3, 8]) {
        const { vectors, tile, block } = open({ rows: 7, columns: 9, at: 2, seed: 4 });
        block[3 * tile.stride + 2 + column] = bad;
        const squares = vectors.float64(7);
        vectors.subtractRowInto(vectors.float32(63), squares, tile, 6);
        const found = [...squares.keys()].filter((i) => !Number.isFinite(squares[i]));
        expect(found).toEqual([3, 4]);
      }
    }
  });
});

function createAbout(
  vectors: ReturnType<typeof createRowVectors>,
  k: number,
  columns: number,
  seed: number,
): Float32Array {
  const about = vectors.float32((1 + k) * columns);
  about.set(noise((1 + k) * columns, seed + 50));
  return about;
}

it("refuses arrays that its memory does not hold", () => {
  const vectors = createRowVectors(arrayBytes("float32", 10));
  expect(vectors.float32(10).length).toBe(10);
  expect(() => vectors.float64(10_000)).toThrow(RangeError);
});

it("memory that cannot be had is an error that says what helps", () => {
  expect(() => createRowVectors(2 ** 33)).toThrow(
    /^kernels of rows: expected 8192\.\d+ MiB of WebAssembly memory, got RangeError: .*--disable-wasm-trap-handler/s,
  );
});
