import { InvalidOptionError } from "../base/errors.js";
import type { Followed } from "../base/work.js";
import type { ParameterLayout, ParameterRole } from "../model/layout.js";
import type { Directions, RowSource } from "./directions.js";

/** Entries [start, end) of θ. */
export interface ColumnRange {
  readonly start: number;
  readonly end: number;
}

/** Which entries of θ an analysis looks at. */
export interface ColumnSelectionOptions {
  /** "trainable" (default): the weights that training moves; "all": batch-norm statistics too. */
  readonly columns?: "trainable" | "all";
  /** Roles left out as well, e.g. ["bias", "scale", "offset"]. Default none. */
  readonly ignore?: readonly ParameterRole[];
}

/**
 * Returns the chosen entries of θ as ranges in increasing order, touching ones merged.
 *
 * @throws {@link InvalidOptionError} if nothing is left.
 */
export function selectColumns(
  layout: ParameterLayout,
  { columns = "trainable", ignore = [] }: ColumnSelectionOptions = {},
): ColumnRange[] {
  const ranges: { start: number; end: number }[] = [];
  const chosen = layout.parameters
    .filter(
      ({ trainable, role, size }) => size > 0 && (trainable || columns === "all") && !ignore.includes(role),
    )
    .sort((a, b) => a.offset - b.offset);
  for (const { offset, size } of chosen) {
    const last = ranges.at(-1);
    if (last?.end === offset) last.end += size;
    else ranges.push({ start: offset, end: offset + size });
  }
  if (ranges.length === 0) {
    const got = `columns "${columns}" without the roles [${ignore.join(", ")}]`;
    throw new InvalidOptionError("columns", "a selection that leaves at least one weight", got);
  }
  return ranges;
}

/** Returns the number of entries in the ranges. */
export function countColumns(ranges: readonly ColumnRange[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}

/** Returns a vector over the chosen columns as one over all of θ (length), zero elsewhere. */
export function embedVector<V extends Float32Array | Float64Array>(
  vector: V,
  ranges: readonly ColumnRange[],
  length: number,
): V {
  const out = zerosLike(vector, length);
  let at = 0;
  for (const { start, end } of ranges) {
    out.set(vector.subarray(at, at + end - start), start);
    at += end - start;
  }
  return out;
}

function zerosLike<V extends Float32Array | Float64Array>(vector: V, length: number): V {
  return (vector instanceof Float64Array ? new Float64Array(length) : new Float32Array(length)) as V;
}

/** Returns the chosen columns of a vector over all of θ; a view where they are one range. */
export function restrictVector<V extends Float32Array | Float64Array>(
  vector: V,
  ranges: readonly ColumnRange[],
): V {
  if (ranges.length === 1) return vector.subarray(ranges[0].start, ranges[0].end) as V;
  const out = zerosLike(vector, countColumns(ranges));
  let at = 0;
  for (const { start, end } of ranges) {
    out.set(vector.subarray(start, end), at);
    at += end - start;
  }
  return out;
}

/**
 * Returns directions over chosen columns as directions in the full layout of θ: vectors zero elsewhere, the
 * centre the whole of θ*.
 *
 * @param center - θ* with all its entries (parameterCount).
 */
export function embedDirections<T extends Directions>(
  directions: T,
  ranges: readonly ColumnRange[],
  center: Float32Array,
): T {
  assertLengths(directions, countColumns(ranges));
  const vectors = directions.vectors.map((vector) => embedVector(vector, ranges, center.length));
  return { ...directions, center, vectors };
}

/** Returns directions in the full layout of θ as directions over chosen columns. */
export function restrictDirections<T extends Pick<Directions, "center" | "vectors">>(
  directions: T,
  ranges: readonly ColumnRange[],
): T {
  return {
    ...directions,
    center: restrictVector(directions.center, ranges),
    vectors: directions.vectors.map((vector) => restrictVector(vector, ranges)),
  };
}

function assertLengths({ vectors }: Directions, count: number): void {
  const wrong = vectors.find((vector) => vector.length !== count);
  if (wrong === undefined) return;
  throw new InvalidOptionError("directions", `vectors over ${count} columns`, `${wrong.length} entries`);
}

/** How a source of rows is read, block of columns by block of columns; progress counts columns, over all passes. */
export interface ColumnBlockOptions extends Followed {
  /**
   * Columns read at a time. Default: as many as fit a buffer of 32 MiB, of which there are two, at most 262,144; of
   * many rows 8,192, as far as they fit 128 MiB. Never more than fit 1 GiB. Results depend on it only by the order of
   * float64 sums, and by where float32 products are cut.
   */
  readonly blockColumns?: number;
}

/** Columns [start, start + count) of every row of a source. */
export interface ColumnBlock {
  readonly start: number;
  readonly count: number;
  /** N arrays of length `count`; valid until the next block is asked for. */
  readonly rows: readonly Float32Array[];
}

const MAX_BLOCK_COLUMNS = 2 ** 18;
const BUFFER_BYTES = 32 * 2 ** 20;
/** Of each row so much is read at once, if memory allows: shorter reads cost more than they bring. */
const READ_COLUMNS = 8192;
const READ_BUFFER_BYTES = 128 * 2 ** 20;
/** Rows of blocks and tiles begin at multiples of 64 bytes: the system copies to other places more slowly. */
export const ALIGNED_COLUMNS = 16;
/** Two buffers and what else the kernels need stay below the 4 GiB that their memory may have. */
const MAX_BUFFER_BYTES = 2 ** 30;

/** Returns the number of columns per block: the option, checked, or the default, within what memory allows. */
export function resolveBlockColumns(
  source: Pick<RowSource, "rows" | "columns">,
  blockColumns?: number,
): number {
  if (blockColumns !== undefined) {
    if (!Number.isInteger(blockColumns) || blockColumns < 1) {
      throw new InvalidOptionError("blockColumns", "a positive integer", String(blockColumns));
    }
    return Math.max(1, Math.min(blockColumns, affordable(source, MAX_BUFFER_BYTES), source.columns));
  }
  const long = Math.min(READ_COLUMNS, affordable(source, READ_BUFFER_BYTES));
  const columns = Math.min(MAX_BLOCK_COLUMNS, Math.max(long, affordable(source, BUFFER_BYTES)));
  const aligned = columns < ALIGNED_COLUMNS ? columns : columns - (columns % ALIGNED_COLUMNS);
  return Math.max(1, Math.min(aligned, source.columns));
}

function affordable({ rows }: Pick<RowSource, "rows">, bytes: number): number {
  return Math.floor(bytes / (4 * Math.max(1, rows)));
}

/**
 * Reads a source block by block, the next block while the caller works on the present one.
 *
 * Rows that are in memory are not copied. Memory: two buffers of (rows, blockColumns) float32.
 *
 * @param allocate - makes a buffer of so many values; for those who want the rows in a certain memory.
 * @throws what the source throws; the signal's reason if it is aborted.
 */
export async function* readColumnBlocks(
  source: RowSource,
  blockColumns: number,
  signal?: AbortSignal,
  allocate: (length: number) => Float32Array = (length) => new Float32Array(length),
): AsyncGenerator<ColumnBlock> {
  const { views } = source;
  if (views !== undefined) {
    for (let start = 0; start < source.columns; start += blockColumns) {
      signal?.throwIfAborted();
      const count = Math.min(blockColumns, source.columns - start);
      yield { start, count, rows: views.map((row) => row.subarray(start, start + count)) };
    }
    return;
  }
  const buffers = [0, 1].map(() => allocate(source.rows * blockColumns));
  let pending = readAhead(source, 0, blockColumns, buffers[0]);
  try {
    for (let start = 0, turn = 1; start < source.columns; start += blockColumns, turn ^= 1) {
      signal?.throwIfAborted();
      const block = await pending;
      pending = readAhead(source, start + blockColumns, blockColumns, buffers[turn]);
      yield block;
    }
  } finally {
    // A read under way when the caller stops or throws is left to end before the source may be closed.
    await pending.catch(() => undefined);
  }
}

/** Starts a read whose failure is reported when it is awaited, and not before. */
function readAhead(...args: Parameters<typeof readBlock>): Promise<ColumnBlock> {
  const block = readBlock(...args);
  block.catch(() => undefined);
  return block;
}

async function readBlock(
  source: RowSource,
  start: number,
  blockColumns: number,
  buffer: Float32Array,
): Promise<ColumnBlock> {
  const count = Math.max(0, Math.min(blockColumns, source.columns - start));
  if (count > 0) await source.readBlockInto(start, count, buffer.subarray(0, source.rows * count));
  const rows = Array.from({ length: source.rows }, (_, i) => buffer.subarray(i * count, (i + 1) * count));
  return { start, count, rows };
}
