import { addGramBy, type GramAdder, type LinearAlgebra, plainGramAdder } from "../../math/linear-algebra.js";
import { rowGram } from "../../math/row-kernels.js";
import { singularValuesInJs, symmetricEigenByQl } from "./decompositions.js";

/** Columns per tile: two rows of float32 and their partners stay in the processor's first cache. */
const TILE = 1024;

/**
 * Linear algebra in plain JavaScript: every product and sum in float64, nothing but this thread.
 *
 * The Gram matrix of (100, 1,000,000) takes some 3 s.
 */
export const jsLinearAlgebra: LinearAlgebra = {
  name: "js",
  addGramInto: (gram, blocks, rows, columns, count) =>
    addGramBy(lowerGram(rows), gram, blocks, rows, columns, count),
  openGram: async (rows) => lowerGram(rows),
  async multiply(a, b, rows, inner, columns) {
    return multiplyInFloat64(a, b, rows, inner, columns);
  },
  async rowProducts(matrix, rows, columns) {
    return rowGram(matrix, rows, columns);
  },
  async symmetricEigen(matrix, n) {
    return symmetricEigenByQl(matrix, n);
  },
  async singularValues(matrix, rows, columns) {
    return singularValuesInJs(matrix, rows, columns);
  },
};

function lowerGram(rows: number): GramAdder {
  return plainGramAdder("js", async (gram, blocks, columns, count = 1) => {
    for (let b = 0; b < count; b++) {
      const block = blocks.subarray(b * rows * columns, (b + 1) * rows * columns);
      for (let from = 0; from < columns; from += TILE) {
        addTileGramInto(gram, block, rows, columns, from, Math.min(columns, from + TILE));
      }
    }
  });
}

/**
 * Adds columns [from, to) of X to the lower triangle of X·Xᵀ, in squares of two rows by two, so that each value read is
 * used twice.
 */
function addTileGramInto(
  gram: Float64Array,
  x: Float32Array,
  rows: number,
  columns: number,
  from: number,
  to: number,
): void {
  const add = (i: number, j: number, value: number) => {
    if (i < rows && j <= i) gram[i * rows + j] += value;
  };
  for (let i = 0; i < rows; i += 2) {
    const i0 = i * columns;
    const i1 = i + 1 < rows ? i0 + columns : i0;
    for (let j = 0; j <= i; j += 2) {
      const j0 = j * columns;
      const j1 = j + 1 < rows ? j0 + columns : j0;
      let s00 = 0;
      let s01 = 0;
      let s10 = 0;
      let s11 = 0;
      for (let c = from; c < to; c++) {
        const a0 = x[i0 + c];
        const a1 = x[i1 + c];
        const b0 = x[j0 + c];
        const b1 = x[j1 + c];
        s00 += a0 * b0;
        s01 += a0 * b1;
        s10 += a1 * b0;
        s11 += a1 * b1;
      }
      add(i, j, s00);
      add(i, j + 1, s01);
      add(i + 1, j, s10);
      add(i + 1, j + 1, s11);
    }
  }
}

/**
 * Returns A·B in float64, four rows of B at a time.
 *
 * @param a - A (rows, inner).
 * @param b - B (inner, columns).
 */
export function multiplyInFloat64(
  a: Float64Array,
  b: Float32Array,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let from = 0; from < columns; from += TILE) {
    const to = Math.min(columns, from + TILE);
    for (let i = 0; i < rows; i++) {
      const tile = out.subarray(i * columns + from, i * columns + to);
      let k = 0;
      for (; k + 3 < inner; k += 4) {
        const at = i * inner + k;
        addFourRowsInto(tile, b, k * columns + from, columns, a[at], a[at + 1], a[at + 2], a[at + 3]);
      }
      for (; k < inner; k++) addFourRowsInto(tile, b, k * columns + from, 0, a[i * inner + k], 0, 0, 0);
    }
  }
  return out;
}

/** tile += w0·b₀ + w1·b₁ + w2·b₂ + w3·b₃, the rows of b starting at `at`, `stride` apart. */
function addFourRowsInto(
  tile: Float64Array,
  b: Float32Array,
  at: number,
  stride: number,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
): void {
  const b1 = at + stride;
  const b2 = b1 + stride;
  const b3 = b2 + stride;
  for (let c = 0; c < tile.length; c++) {
    tile[c] += w0 * b[at + c] + w1 * b[b1 + c] + w2 * b[b2 + c] + w3 * b[b3 + c];
  }
}
