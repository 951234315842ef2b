import { cholesky } from "../math/cholesky.js";
import { addCombinationInto, addTwoCombinationsInto } from "../math/row-kernels.js";
import { readColumnBlocks } from "./column-blocks.js";
import type { RowSource } from "./directions.js";

/** Linear combinations of the rows of a source. */
export interface RowCombinations {
  /** k vectors of length D, float32. */
  readonly vectors: Float32Array[];
  /** Their inner products (k, k), float64, before rounding to float32. */
  readonly gram: Float64Array;
  /** A copy of one row (D), for the centre. */
  readonly row: Float32Array;
}

/** What `combineRows` needs beside the rows. */
export interface CombineRowsOptions {
  /** k arrays of N coefficients. */
  readonly weights: readonly Float64Array[];
  /** Index f of the row subtracted and returned. */
  readonly row: number;
  readonly blockColumns: number;
  readonly signal?: AbortSignal | undefined;
  /** Called after each block with its number of columns. */
  readonly afterBlock?: (columns: number) => void;
}

/** Columns per tile: the float64 sums of a tile stay in the processor's first cache. */
const TILE = 2048;

/**
 * Returns Σ_i weights[m][i]·(θ_i − θ_f) for each of k sets of weights in one pass, summed in float64.
 *
 * In float64 the products of θ itself lose nothing that float32 weights ever held, so θ_f is subtracted as a
 * row like the others, by its weight.
 */
export async function combineRows(source: RowSource, options: CombineRowsOptions): Promise<RowCombinations> {
  const { weights, row, blockColumns, signal, afterBlock } = options;
  const k = weights.length;
  const aboutRow = weights.map((set) => aboutRowWeights(set, row));
  const vectors = weights.map(() => new Float32Array(source.columns));
  const center = new Float32Array(source.columns);
  const gram = new Float64Array(k * k);
  const sums = weights.map(() => new Float64Array(TILE));
  for await (const block of readColumnBlocks(source, blockColumns, signal)) {
    center.set(block.rows[row], block.start);
    for (let at = 0; at < block.count; at += TILE) {
      const rows = block.rows.map((theta) => theta.subarray(at, Math.min(at + TILE, block.count)));
      const tiles = sums.map((tile) => tile.subarray(0, rows[0].length).fill(0));
      addCombinationsInto(tiles, rows, aboutRow);
      tiles.forEach((tile, m) => {
        vectors[m].set(tile, block.start + at);
      });
      addTileGramInto(gram, tiles);
    }
    afterBlock?.(block.count);
  }
  return { vectors, gram, row: center };
}

/** Σ w_i·(θ_i − θ_f) = Σ w_i·θ_i − (Σ w_i)·θ_f. */
function aboutRowWeights(weights: Float64Array, row: number): Float64Array {
  const out = Float64Array.from(weights);
  out[row] -= weights.reduce((sum, weight) => sum + weight, 0);
  return out;
}

function addCombinationsInto(
  tiles: readonly Float64Array[],
  rows: readonly Float32Array[],
  weights: readonly Float64Array[],
): void {
  const paired = tiles.length - (tiles.length % 2);
  for (let m = 0; m < paired; m += 2) {
    addTwoCombinationsInto(tiles[m], tiles[m + 1], rows, weights[m], weights[m + 1]);
  }
  for (let m = paired; m < tiles.length; m++) addCombinationInto(tiles[m], rows, weights[m]);
}

function addTileGramInto(gram: Float64Array, tiles: readonly Float64Array[]): void {
  const k = tiles.length;
  for (let a = 0; a < k; a++) {
    for (let b = 0; b < k; b++) {
      let sum = 0;
      for (let c = 0; c < tiles[a].length; c++) sum += tiles[a][c] * tiles[b][c];
      gram[a * k + b] += sum;
    }
  }
}

/**
 * Makes k nearly orthonormal vectors orthonormal, in place: each loses what it has along those before
 * it and gets length 1 (Gram-Schmidt, by V ← L⁻¹·V with L·Lᵀ their Gram matrix).
 *
 * @param vectors - k vectors of length D, float32.
 * @param gram - their inner products (k, k), float64.
 * @returns L⁻¹ (k, k), row-major, which takes the old vectors to the new ones.
 */
export function orthonormalizeInto(vectors: readonly Float32Array[], gram: Float64Array): Float64Array {
  const k = vectors.length;
  const inverse = invertLower(cholesky(gram, k).lower, k);
  // From the last one backwards: a vector depends only on those before it, which are still the old ones.
  for (let a = k - 1; a >= 0; a--) {
    const target = vectors[a];
    for (let c = 0; c < target.length; c++) {
      let value = 0;
      for (let b = 0; b <= a; b++) value += inverse[a * k + b] * vectors[b][c];
      target[c] = value;
    }
  }
  return inverse;
}

function invertLower(lower: Float64Array, k: number): Float64Array {
  const inverse = new Float64Array(k * k);
  for (let j = 0; j < k; j++) {
    inverse[j * k + j] = 1 / lower[j * k + j];
    for (let i = j + 1; i < k; i++) {
      let value = 0;
      for (let m = j; m < i; m++) value -= lower[i * k + m] * inverse[m * k + j];
      inverse[i * k + j] = value / lower[i * k + i];
    }
  }
  return inverse;
}

/**
 * Returns −1 if the entry of largest magnitude is negative, else 1. Of entries of equal magnitude the
 * first counts.
 */
export function signOfLargestEntry(vector: Float32Array): 1 | -1 {
  let largest = 0;
  let sign: 1 | -1 = 1;
  for (let c = 0; c < vector.length; c++) {
    const magnitude = Math.abs(vector[c]);
    if (magnitude > largest) {
      largest = magnitude;
      sign = vector[c] < 0 ? -1 : 1;
    }
  }
  return sign;
}

/** Changes the sign of every entry, in place. */
export function negateInto(vector: Float32Array): void {
  for (let c = 0; c < vector.length; c++) vector[c] = -vector[c];
}
