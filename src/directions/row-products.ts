import { CholeskyDecomposition, Matrix } from "ml-matrix";
import { InvalidDataError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Stoppable } from "../base/work.js";
import {
  type GramAdder,
  gramBlocksPerCall,
  type LinearAlgebra,
  leastGramColumns,
  openGram,
  plainGramAdder,
} from "../math/linear-algebra.js";
import { addGramExactInto, mirrorLowerInto } from "../math/row-kernels.js";
import { arrayBytes } from "../math/row-vectors.js";
import { ALIGNED_COLUMNS, type ColumnBlock } from "./column-selection.js";
import type { RowSource } from "./directions.js";
import { openRowTiles } from "./row-tiles.js";

/** Inner products and step lengths of a path. */
export interface DifferenceGram {
  /** G (N, N): products of the differences θ_i − θ_f, float64. */
  readonly gram: Float64Array;
  /** ‖θ_i − θ_{i−1}‖² (N), float64 throughout; [0] = 0. */
  readonly squaredSteps: Float64Array;
  /** How G was computed: "float64", or the name of what multiplied float32 blocks. */
  readonly precision: string;
  /** Why something slower multiplied than is installed. */
  readonly warnings: readonly LandscapeWarning[];
}

/** How the products are taken: float64 loops, the port's float32 blocks summed in float64, or by size. */
export type GramPrecision = "auto" | "float64" | "backend";

/** What `differenceGram` needs beside the rows. */
export interface DifferenceGramOptions extends Stoppable {
  /** Index of the row θ_f to subtract. */
  readonly row: number;
  readonly linearAlgebra: LinearAlgebra;
  readonly blockColumns: number;
  /** "auto": float64 for small problems. */
  readonly precision: GramPrecision;
  /** Called after each block with its number of columns. */
  readonly afterBlock?: (columns: number) => void;
}

/** Products (rows²·columns/2) up to which float64 loops take about half a second. */
const EXACT_PRODUCTS = 2e8;

/** float32 values of a tile of columns: what is subtracted is multiplied while it is in the second cache. */
const TILE_VALUES = 400_000;
/** Longer float32 sums lose accuracy (3e-7 in an explained variance ratio at 4,000 on WASM), shorter ones time. */
const MAX_TILE_COLUMNS = 2048;

/**
 * Returns the Gram matrix of a path about one of its rows, and the squared lengths of its steps, in one
 * pass.
 *
 * The row is subtracted before multiplying, for G_ij from products of θ alone cancels. Step lengths do not come
 * from G either, where a small step is a small difference of large numbers, but are summed on their own.
 * Small problems are multiplied in float64, others by the port, in float32 blocks summed in float64.
 *
 * @throws {@link InvalidDataError} naming row and column of a weight that is not finite.
 */
export async function differenceGram(
  source: RowSource,
  options: DifferenceGramOptions,
): Promise<DifferenceGram> {
  const n = source.rows;
  const sums = { gram: new Float64Array(n * n), squaredSteps: new Float64Array(n) };
  const adder = isExact(source, options) ? exactGram(n) : await openGram(options.linearAlgebra, n);
  try {
    await addDifferencesInto(sums, adder, source, options);
  } finally {
    await adder.close();
  }
  mirrorLowerInto(sums.gram, n);
  assertInRange(sums.gram, n);
  return { ...sums, precision: adder.name, warnings: adder.warnings };
}

function isExact({ rows, columns }: RowSource, { precision }: DifferenceGramOptions): boolean {
  return precision === "float64" || (precision === "auto" && (rows * rows * columns) / 2 <= EXACT_PRODUCTS);
}

/** Products in float64 loops. */
function exactGram(rows: number): GramAdder {
  return plainGramAdder("float64", async (gram, blocks, columns, count = 1) => {
    const size = rows * columns;
    for (let b = 0; b < count; b++) {
      addGramExactInto(gram, blocks.subarray(b * size, (b + 1) * size), rows, columns);
    }
  });
}

async function addDifferencesInto(
  { gram, squaredSteps }: Pick<DifferenceGram, "gram" | "squaredSteps">,
  adder: GramAdder,
  source: RowSource,
  { row, blockColumns, signal, afterBlock }: DifferenceGramOptions,
): Promise<void> {
  const n = source.rows;
  const affordable = ALIGNED_COLUMNS * Math.floor(TILE_VALUES / n / ALIGNED_COLUMNS);
  const tileColumns = Math.min(blockColumns, MAX_TILE_COLUMNS, Math.max(leastGramColumns(n), affordable));
  const together = gramBlocksPerCall(n, tileColumns);
  const buffered = together * n * tileColumns;
  const reader = openRowTiles(source, {
    ...{ blockColumns, tileColumns },
    bytes: arrayBytes("float32", buffered) + arrayBytes("float64", n),
  });
  const buffer = reader.vectors.float32(buffered);
  const squares = reader.vectors.float64(n);
  for await (const block of reader.blocks(signal)) {
    for (const { start, count, tiles } of tileGroups(block.count, tileColumns, together)) {
      const differences = buffer.subarray(0, n * count * tiles);
      for (let t = 0; t < tiles; t++) {
        const at = start + t * count;
        const out = differences.subarray(t * n * count, (t + 1) * n * count);
        reader.vectors.subtractRowInto(out, squares, reader.tile(block, at, count), row);
        // Every row enters a step, so that a step which is not finite finds any weight which is not.
        if (!squares.every(Number.isFinite)) throw nonFiniteWeight(block, at, count);
        for (let i = 0; i < n; i++) squaredSteps[i] += squares[i];
      }
      await adder.addInto(gram, differences, count, tiles);
    }
    afterBlock?.(block.count);
  }
}

/** Tiles of one width that are multiplied together. */
interface TileGroup {
  readonly start: number;
  /** Columns of each tile. */
  readonly count: number;
  readonly tiles: number;
}

/** Covers a block with groups of tiles of one width, and one group for the narrower rest. */
function* tileGroups(columns: number, mostColumns: number, together: number): Generator<TileGroup> {
  const even = Math.ceil(columns / Math.ceil(columns / mostColumns) / ALIGNED_COLUMNS) * ALIGNED_COLUMNS;
  const tileColumns = Math.min(mostColumns, even);
  const whole = Math.floor(columns / tileColumns);
  for (let done = 0; done < whole; done += together) {
    const tiles = Math.min(together, whole - done);
    yield { start: done * tileColumns, count: tileColumns, tiles };
  }
  const rest = columns - whole * tileColumns;
  if (rest > 0) yield { start: whole * tileColumns, count: rest, tiles: 1 };
}

/** Names the first weight of some columns of a block that is not finite. */
function nonFiniteWeight(block: ColumnBlock, at: number, count: number): InvalidDataError {
  for (const [i, row] of block.rows.entries()) {
    const c = row.subarray(at, at + count).findIndex((weight) => !Number.isFinite(weight));
    if (c >= 0) {
      const where = `snapshot ${i}, column ${block.start + at + c}`;
      return new InvalidDataError(where, "finite weights", String(row[at + c]), {
        hint: "leave out the snapshots after training diverged",
      });
    }
  }
  return new InvalidDataError("snapshots", "finite differences", "an overflow");
}

function assertInRange(gram: Float64Array, n: number): void {
  for (let i = 0; i < n * n; i++) {
    if (Number.isFinite(gram[i])) continue;
    const where = `snapshot ${Math.floor(i / n)}`;
    throw new InvalidDataError(where, "weights whose products float32 can hold", "an overflow");
  }
}

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
export interface CombineRowsOptions extends Stoppable {
  /** k arrays of N coefficients. */
  readonly weights: readonly Float64Array[];
  /** Index f of the row subtracted and returned. */
  readonly row: number;
  readonly blockColumns: number;
  /** Called after each block with its number of columns. */
  readonly afterBlock?: (columns: number) => void;
}

/** Columns per tile: the float64 sums of a tile stay in the processor's first cache. */
const COMBINED_TILE = 2048;

/**
 * Returns Σ_i weights[m][i]·(θ_i − θ_f) for each of k sets of weights in one pass, summed in float64.
 *
 * In float64 the products of θ itself lose nothing that float32 weights ever held, so θ_f is subtracted as a
 * row like the others, by its weight.
 */
export async function combineRows(source: RowSource, options: CombineRowsOptions): Promise<RowCombinations> {
  const { weights, row, blockColumns, signal, afterBlock } = options;
  const k = weights.length;
  const n = source.rows;
  const vectors = weights.map(() => new Float32Array(source.columns));
  const center = new Float32Array(source.columns);
  const gram = new Float64Array(k * k);
  const reader = openRowTiles(source, {
    ...{ blockColumns, tileColumns: COMBINED_TILE },
    bytes: k * (arrayBytes("float64", n) + arrayBytes("float64", COMBINED_TILE + 1)),
  });
  const aboutRow = weights.map((own) => {
    const copy = reader.vectors.float64(n);
    copy.set(aboutRowWeights(own, row));
    return copy;
  });
  const sums = weights.map(() => reader.vectors.float64(COMBINED_TILE + 1));
  for await (const block of reader.blocks(signal)) {
    center.set(block.rows[row], block.start);
    for (let at = 0; at < block.count; at += COMBINED_TILE) {
      const columns = Math.min(COMBINED_TILE, block.count - at);
      for (const sum of sums) sum.fill(0);
      reader.vectors.addCombinationsInto(sums, reader.tile(block, at, columns), aboutRow);
      const tiles = sums.map((sum) => sum.subarray(0, columns));
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
 * Makes combinations orthonormal, and the entry of largest magnitude of each positive, in place.
 *
 * @returns the matrix (k, k), row-major, that takes the old vectors to the new ones.
 */
export function finishVectorsInto(raw: RowCombinations): Float64Array {
  const k = raw.vectors.length;
  const transform = orthonormalizeInto(raw.vectors, raw.gram);
  raw.vectors.forEach((vector, a) => {
    if (signOfLargestEntry(vector) > 0) return;
    negateInto(vector);
    for (let b = 0; b < k; b++) transform[a * k + b] = -transform[a * k + b];
  });
  return transform;
}

/**
 * Makes k nearly orthonormal vectors orthonormal, in place: each loses what it has along those before
 * it and gets length 1 (Gram-Schmidt, by V ← L⁻¹·V with L·Lᵀ their Gram matrix).
 *
 * @param vectors - k vectors of length D, float32.
 * @param gram - their inner products (k, k), float64.
 * @returns L⁻¹ (k, k), row-major, which takes the old vectors to the new ones.
 */
function orthonormalizeInto(vectors: readonly Float32Array[], gram: Float64Array): Float64Array {
  const k = vectors.length;
  const inverse = invertLower(lowerFactor(gram, k), k);
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

/** L (k, k), row-major, with L·Lᵀ the matrix. */
function lowerFactor(matrix: Float64Array, k: number): number[] {
  return new CholeskyDecomposition(Matrix.from1DArray(k, k, matrix)).lowerTriangularMatrix.to1DArray();
}

function invertLower(lower: readonly number[], k: number): Float64Array {
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
function signOfLargestEntry(vector: Float32Array): 1 | -1 {
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
function negateInto(vector: Float32Array): void {
  for (let c = 0; c < vector.length; c++) vector[c] = -vector[c];
}
