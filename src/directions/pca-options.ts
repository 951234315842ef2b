import { InvalidDataError, InvalidOptionError } from "../errors.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { type ColumnBlockOptions, resolveBlockColumns } from "./column-blocks.js";
import type { GramPrecision } from "./difference-gram.js";
import type { RowSource } from "./directions.js";

/** What the rows of a path are centred about before their principal components are taken. */
export type PcaCenter = "mean" | "final";

/** Options of `pcaDirections`. */
export interface PcaOptions extends ColumnBlockOptions {
  /**
   * "mean" (default): the rows minus their mean, as the code published with Li et al. 2018 does; "final": the
   * differences from the final weights, nothing more subtracted, as the paper's text says.
   */
  readonly center?: PcaCenter;
  /** Number of leading components, 1 to 3. Default 2. */
  readonly components?: number;
  /** Which components instead, counted from 0, in the order of the axes: [0, 2] is the first and third. */
  readonly select?: readonly number[];
  /** Row of the final weights θ*. Default the last row of the (first) run. */
  readonly finalRow?: number;
  /**
   * "backend" multiplies float32 blocks through `linearAlgebra` and sums them in float64; "float64" multiplies
   * in float64 loops, some 10 times slower; "auto" (default) takes float64 where it costs less than about
   * half a second.
   */
  readonly precision?: GramPrecision;
  /** What multiplies: see `createLinearAlgebra`. */
  readonly linearAlgebra: LinearAlgebra;
}

/** The options with defaults filled in and checked against the source. */
export interface ResolvedPcaOptions {
  readonly center: PcaCenter;
  readonly select: readonly number[];
  readonly finalRow: number;
  readonly blockColumns: number;
  readonly runLengths: readonly number[];
  readonly precision: GramPrecision;
}

/**
 * Returns the options with defaults filled in.
 *
 * @throws {@link InvalidOptionError} for an option that cannot hold; {@link InvalidDataError} for fewer than two
 * rows or no columns.
 */
export function resolvePcaOptions(source: RowSource, options: PcaOptions): ResolvedPcaOptions {
  const { rows, columns, runLengths = [rows] } = source;
  if (rows < 2) throw new InvalidDataError("snapshots", "at least 2 for principal components", String(rows));
  if (columns < 1) throw new InvalidDataError("columns", "at least 1 weight", String(columns));
  const total = runLengths.reduce((sum, length) => sum + length, 0);
  if (total !== rows) throw new InvalidDataError("runLengths", `a sum of ${rows} rows`, String(total));
  const { center = "mean", finalRow = runLengths[0] - 1 } = options;
  if (center !== "mean" && center !== "final") {
    throw new InvalidOptionError("center", `"mean" or "final"`, JSON.stringify(center));
  }
  if (!Number.isInteger(finalRow) || finalRow < 0 || finalRow >= rows) {
    throw new InvalidOptionError("finalRow", `an integer from 0 to ${rows - 1}`, String(finalRow));
  }
  return {
    center,
    select: resolveSelect(options, Math.min(rows - 1, columns)),
    finalRow,
    blockColumns: resolveBlockColumns(source, options),
    runLengths,
    precision: resolvePrecision(options),
  };
}

function resolveSelect(options: PcaOptions, available: number): readonly number[] {
  const { components, select } = options;
  if (components !== undefined && (!Number.isInteger(components) || components < 1 || components > 3)) {
    throw new InvalidOptionError("components", "1, 2 or 3", String(components));
  }
  const chosen = select ?? Array.from({ length: components ?? 2 }, (_, i) => i);
  const got = `[${chosen.join(", ")}]`;
  if (chosen.length < 1 || chosen.length > 3 || chosen.length !== (components ?? chosen.length)) {
    throw new InvalidOptionError("select", `${components ?? "1 to 3"} components`, got);
  }
  if (new Set(chosen).size < chosen.length || chosen.some((index) => !Number.isInteger(index) || index < 0)) {
    throw new InvalidOptionError("select", "different integers from 0 on", got);
  }
  if (Math.max(...chosen) >= available) {
    throw new InvalidOptionError(
      select === undefined ? "components" : "select",
      `no more components than the path has (${available}: one less than snapshots, at most the number of weights)`,
      select === undefined ? String(chosen.length) : got,
    );
  }
  return chosen;
}

function resolvePrecision({ precision = "auto" }: PcaOptions): GramPrecision {
  if (["auto", "float64", "backend"].includes(precision)) return precision;
  throw new InvalidOptionError("precision", `"auto", "float64" or "backend"`, JSON.stringify(precision));
}
