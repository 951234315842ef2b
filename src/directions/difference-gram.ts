import { InvalidDataError } from "../errors.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { addGramExactInto, subtractInto } from "../math/row-kernels.js";
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
  const buffer = new Float32Array(n * tileColumns);
  for await (const block of readColumnBlocks(source, blockColumns, signal)) {
    for (let at = 0; at < block.count; at += tileColumns) {
      const tile = sliceBlock(block, at, tileColumns);
      const differences = buffer.subarray(0, n * tile.count);
      subtractRowInto(differences, squaredSteps, tile, row);
      if (isExact) addGramExactInto(gram, differences, n, tile.count);
      else await linearAlgebra.addGramInto(gram, differences, n, tile.count);
    }
    afterBlock?.(block.count);
  }
  assertInRange(gram, n);
  return { gram, squaredSteps, precision: isExact ? "float64" : linearAlgebra.name };
}

function sliceBlock(block: ColumnBlock, at: number, columns: number): ColumnBlock {
  const count = Math.min(columns, block.count - at);
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
  for (let i = 0; i < rows.length; i++) {
    const out = differences.subarray(i * count, (i + 1) * count);
    const square = subtractInto(out, rows[i], rows[row], rows[Math.max(0, i - 1)]);
    if (!Number.isFinite(square)) throw nonFiniteWeight(tile);
    squaredSteps[i] += square;
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
