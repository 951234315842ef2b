import { InvalidOptionError } from "../base/errors.js";
import type { ParameterLayout, ParameterRole } from "../model/layout.js";
import type { Directions } from "./directions.js";

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
export function embedVector(
  vector: Float32Array,
  ranges: readonly ColumnRange[],
  length: number,
): Float32Array {
  const out = new Float32Array(length);
  let at = 0;
  for (const { start, end } of ranges) {
    out.set(vector.subarray(at, at + end - start), start);
    at += end - start;
  }
  return out;
}

/** Returns the chosen columns of a vector over all of θ; a view where they are one range. */
export function restrictVector(vector: Float32Array, ranges: readonly ColumnRange[]): Float32Array {
  if (ranges.length === 1) return vector.subarray(ranges[0].start, ranges[0].end);
  const out = new Float32Array(countColumns(ranges));
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
