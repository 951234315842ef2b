import { InvalidDataError } from "../base/errors.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { addGramExactInto, subtractFourInto, subtractInto } from "../math/row-kernels.js";
import { type ColumnBlock, readColumnBlocks } from "./column-blocks.js";
import type { RowSource } from "./directions.js";

/** Inner products and step lengths of a path. */
export interface DifferenceGram {
  /** G (N, N): products of the differences θ_i − θ_f, float64. */
  readonly gram: Float64Array;
  /** ‖θ_i − θ_{i−1}‖² (N), float64 throughout; [0] = 0. */
  readonly squaredSteps: Float64Array;
  /** How G was computed: "float64", or the port's name. */
  readonly precision: string;
}

/** How the products are taken: float64 loops, the port's float32 blocks summed in float64, or by size. */
export type GramPrecision = "auto" | "float64" | "backend";

/** What `differenceGram` needs beside the rows. */
export interface DifferenceGramOptions {
  /** Index of the row θ_f to subtract. */
  readonly row: number;
  readonly linearAlgebra: LinearAlgebra;
  readonly blockColumns: number;
  /** "auto": float64 for small problems. */
  readonly precision: GramPrecision;
  readonly signal?: AbortSignal | undefined;
  /** Called after each block with its number of columns. */
  readonly afterBlock?: (columns: number) => void;
}

/** Products (rows²·columns/2) up to which float64 loops take about half a second. */
const EXACT_PRODUCTS = 2e8;

/** float32 values of a tile of columns: what is subtracted is multiplied while it is in the second cache. */
const TILE_VALUES = 400_000;
/** Longer float32 sums lose accuracy (3e-7 in an explained variance ratio at 4,000 on WASM), shorter ones time. */
const MAX_TILE_COLUMNS = 2048;
/** Tiles multiplied in one call: fewer calls, and still within the third cache. */
const TILES_PER_PRODUCT = 4;

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
  const { row, linearAlgebra, blockColumns, precision, signal, afterBlock } = options;
  const { rows: n, columns } = source;
  const gram = new Float64Array(n * n);
  const squaredSteps = new Float64Array(n);
  const isSmall = (n * n * columns) / 2 <= EXACT_PRODUCTS;
  const isExact = precision === "float64" || (precision === "auto" && isSmall);
  const tileColumns = Math.max(1, Math.min(blockColumns, MAX_TILE_COLUMNS, Math.floor(TILE_VALUES / n)));
  const buffer = new Float32Array(TILES_PER_PRODUCT * n * tileColumns);
  for await (const block of readColumnBlocks(source, blockColumns, signal)) {
    for (const { start, count, tiles } of tileGroups(block.count, tileColumns)) {
      const differences = buffer.subarray(0, n * count * tiles);
      for (let t = 0; t < tiles; t++) {
        const out = differences.subarray(t * n * count, (t + 1) * n * count);
        subtractRowInto(out, squaredSteps, sliceBlock(block, start + t * count, count), row);
        if (isExact) addGramExactInto(gram, out, n, count);
      }
      if (!isExact) await linearAlgebra.addGramInto(gram, differences, n, count, tiles);
    }
    afterBlock?.(block.count);
  }
  assertInRange(gram, n);
  return { gram, squaredSteps, precision: isExact ? "float64" : linearAlgebra.name };
}

/** Tiles of one width that are multiplied together. */
interface TileGroup {
  readonly start: number;
  /** Columns of each tile. */
  readonly count: number;
  readonly tiles: number;
}

/** Covers a block with groups of whole tiles, and one group for the narrower rest. */
function* tileGroups(columns: number, tileColumns: number): Generator<TileGroup> {
  const whole = Math.floor(columns / tileColumns);
  for (let done = 0; done < whole; done += TILES_PER_PRODUCT) {
    const tiles = Math.min(TILES_PER_PRODUCT, whole - done);
    yield { start: done * tileColumns, count: tileColumns, tiles };
  }
  const rest = columns - whole * tileColumns;
  if (rest > 0) yield { start: whole * tileColumns, count: rest, tiles: 1 };
}

function sliceBlock(block: ColumnBlock, at: number, count: number): ColumnBlock {
  return { start: block.start + at, count, rows: block.rows.map((theta) => theta.subarray(at, at + count)) };
}

/** Every row enters a step, so that a step which is not finite finds any weight which is not. */
function subtractRowInto(
  differences: Float32Array,
  squaredSteps: Float64Array,
  tile: ColumnBlock,
  row: number,
): void {
  const { rows, count } = tile;
  const squares = new Float64Array(rows.length);
  const whole = rows.length - (rows.length % 4);
  for (let i = 0; i < whole; i += 4) {
    const out = differences.subarray(i * count, (i + 4) * count);
    const four = [rows[i], rows[i + 1], rows[i + 2], rows[i + 3]] as const;
    subtractFourInto(out, squares.subarray(i, i + 4), four, rows[row], rows[Math.max(0, i - 1)]);
  }
  for (let i = whole; i < rows.length; i++) {
    const out = differences.subarray(i * count, (i + 1) * count);
    squares[i] = subtractInto(out, rows[i], rows[row], rows[Math.max(0, i - 1)]);
  }
  for (let i = 0; i < rows.length; i++) {
    if (!Number.isFinite(squares[i])) throw nonFiniteWeight(tile);
    squaredSteps[i] += squares[i];
  }
}

function nonFiniteWeight(block: ColumnBlock): InvalidDataError {
  for (const [i, row] of block.rows.entries()) {
    const c = row.findIndex((weight) => !Number.isFinite(weight));
    if (c >= 0) {
      const where = `snapshot ${i}, column ${block.start + c}`;
      return new InvalidDataError(where, "finite weights", String(row[c]), {
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
