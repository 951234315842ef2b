import { arrayBytes, createRowVectors, type RowTile, type RowVectors } from "../math/row-vectors.js";
import { type ColumnBlock, readColumnBlocks } from "./column-selection.js";
import type { RowSource } from "./directions.js";

/** A source whose rows are read into the memory of the kernels that work on them. */
export interface RowTiles {
  readonly vectors: RowVectors;
  /** As `readColumnBlocks`; once: the memory is for two blocks. */
  blocks(signal?: AbortSignal): AsyncGenerator<ColumnBlock>;
  /** Columns [at, at + columns) of a block, until the next tile of it is asked for. */
  tile(block: ColumnBlock, at: number, columns: number): RowTile;
}

/** What `openRowTiles` needs beside the source. */
export interface RowTilesOptions {
  readonly blockColumns: number;
  /** Columns of a tile at most. */
  readonly tileColumns: number;
  /** Bytes of the kernels' memory for arrays of the caller: a sum of `arrayBytes`. */
  readonly bytes: number;
  /** k of `differenceProductsInto`. Default 0. */
  readonly directions?: number;
}

/**
 * Makes room for the rows of a source in the memory of the kernels: for two blocks, or, where the rows are in memory,
 * for one tile, to which they are copied.
 */
export function openRowTiles(source: RowSource, options: RowTilesOptions): RowTiles {
  const { blockColumns, tileColumns, bytes, directions } = options;
  const { rows, views } = source;
  const [copies, width] = views === undefined ? [2, blockColumns] : [1, Math.min(tileColumns, blockColumns)];
  const vectors = createRowVectors(bytes + copies * arrayBytes("float32", rows * width), directions);
  const copy = views === undefined ? null : vectors.float32(rows * width);
  return {
    vectors,
    blocks: (signal) => readColumnBlocks(source, blockColumns, signal, vectors.float32),
    tile(block, at, columns) {
      if (copy === null) {
        const [first = new Float32Array(0)] = block.rows;
        return { values: first.subarray(at), stride: block.count, rows, columns };
      }
      block.rows.forEach((row, i) => {
        copy.set(row.subarray(at, at + columns), i * columns);
      });
      return { values: copy, stride: columns, rows, columns };
    },
  };
}
