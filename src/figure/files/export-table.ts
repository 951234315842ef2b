import { endianness } from "node:os";
import { decodeNumber } from "../../base/json.js";
import { isDeviceName } from "../../base/platform.js";
import type { JsonValue, Provenance } from "../../base/provenance.js";
import type { ArtifactValues } from "../../store/results/artifact.js";
import { matrixTable } from "../draw/matrix-panel.js";
import type { Figure, TableCell, TablePanel } from "../figure.js";

/** What a stored result is. "other" is what later versions or other tools keep beside the known ones. */
export type TableKind = "surface" | "line" | "trajectory" | "curvature" | "weights" | "snapshots" | "other";

/** Every kind of table, in the order of export. */
export const TABLE_KINDS: readonly TableKind[] = [
  "surface",
  "line",
  "trajectory",
  "curvature",
  "weights",
  "snapshots",
  "other",
];

/** A named column with its unit. */
export interface TableColumn {
  /** Name as in the stored file. */
  readonly name: string;
  /** Unit or meaning in a few words; null where the name says all. */
  readonly unit: string | null;
  /** One value, or `width` values, a row. */
  readonly values: ArtifactValues;
  /** Length of each row's list; absent for one value a row. */
  readonly width?: number;
}

/** A stored result on its way to another format: columns of equal length. */
export interface ExportTable {
  readonly kind: TableKind;
  /** Name of its files, without extension; safe as a file name. */
  readonly name: string;
  /** The file it comes from, relative to the run directory. */
  readonly source: string;
  readonly columns: readonly TableColumn[];
  /** Rows are the points of a grid with H rows over beta and W columns over alpha; null if they are not. */
  readonly grid: { readonly height: number; readonly width: number } | null;
  readonly details: JsonValue;
  /** Null for the snapshots, which nothing was computed from. */
  readonly provenance: Provenance | null;
}

/** Number of rows of a table. */
export function rowCount({ columns }: Pick<ExportTable, "columns">): number {
  const [first] = columns;
  return first === undefined ? 0 : first.values.length / (first.width ?? 1);
}

/** Units of known columns. Losses are means over the samples of the evaluation set. */
const UNITS: Readonly<Record<string, string>> = {
  step: "ordinal of the snapshot",
  epoch: "completed epochs",
  iteration: "optimizer updates",
  time: "ms since 1970-01-01 UTC",
  alpha: "coefficient of direction 1",
  beta: "coefficient of direction 2",
  gamma: "coefficient of direction 3",
  loss: "mean per sample",
  trueLoss: "mean per sample",
  planeLoss: "mean per sample",
  recalibratedLoss: "mean per sample",
  evaluated: "1 computed; 0 not known yet",
  inPlaneShare: "share of squared distance to the centre",
  distance: "L2 norm in weight space",
  norm: "L2 norm in weight space",
  stepLength: "L2 norm in weight space",
  pathLength: "L2 norm in weight space",
  degrees: "degrees from the steepest descent in the plane",
  error: "degrees, from a grid twice as coarse",
  inPlaneStep: "L2 norm in weight space",
  gradientNorm: "loss per unit of weight space",
  eigenvalue: "loss per squared unit of weight space",
  residual: "loss per squared unit of weight space",
  trace: "loss per squared unit of weight space",
  standardError: "loss per squared unit of weight space",
  products: "Hessian-vector products",
};

/** Returns the unit of a column, or null where its name says all that is known. */
export function unitOf(name: string): string | null {
  if (Object.hasOwn(UNITS, name)) return UNITS[name] as string;
  return /^(norm|filters:(mean|least|largest)):/.test(name) ? "L2 norm in weight space" : null;
}

/** Returns the bytes of numbers, little-endian whatever the machine is. */
export function littleEndian(values: NodeJS.TypedArray): Uint8Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();
  const size = values.BYTES_PER_ELEMENT;
  if (endianness() === "BE")
    for (let i = 0; i < bytes.length; i += size) bytes.subarray(i, i + size).reverse();
  return bytes;
}

/** Beginnings of a text that spreadsheets take for a formula. */
const FORMULA = /^[\s]*[=+\-@\t\r|]/;

/**
 * Encodes a table as CSV (RFC 4180: commas, CRLF, quotes doubled), one header line of the columns' names. Their units stand beside it: see
 * `unitsOf`.
 *
 * Numbers are written with every digit that it takes to read the same number back; non-finite ones as NaN,
 * Infinity and -Infinity. A text that a spreadsheet would run as a formula gets an apostrophe in front.
 * Columns of lists become one column for each place, "name[0]" and so on.
 */
export function encodeCsv(table: Pick<ExportTable, "columns">): string {
  const columns = table.columns.flatMap(split);
  const rows = Array.from({ length: rowCount(table) }, (_, row) => columns.map(({ cell }) => cell(row)));
  return csvText([columns.map(({ header }) => header), ...rows]);
}

/** Returns the units of columns by table and column; what has none is left out. */
export function unitsOf(
  tables: readonly Pick<ExportTable, "name" | "columns">[],
): Readonly<Record<string, Readonly<Record<string, string>>>> {
  return Object.fromEntries(
    tables.flatMap(({ name, columns }) => {
      const units = columns.flatMap((column) => (column.unit === null ? [] : [[column.name, column.unit]]));
      return units.length === 0 ? [] : [[name, Object.fromEntries(units) as Record<string, string>]];
    }),
  );
}

interface Cells {
  readonly header: string;
  readonly cell: (row: number) => number | string;
}

function split({ name, values, width }: TableColumn): Cells[] {
  const read = (index: number): number | string => values[index] as number | string;
  if (width === undefined) return [{ header: name, cell: read }];
  return Array.from({ length: width }, (_, place) => ({
    header: `${name}[${place}]`,
    cell: (row: number) => read(row * width + place),
  }));
}

/** Lines of fields; numbers have all their digits, and an empty field is nothing. */
function csvText(lines: readonly (readonly (number | string)[])[]): string {
  return lines.map((line) => `${line.map(csvField).join(",")}\r\n`).join("");
}

function csvField(value: number | string): string {
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  const safe = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * Returns a table as CSV text (RFC 4180): group, quantity, unit, then a column for each run, with two more for
 * the bounds where a run has any. Numbers have all their digits.
 *
 * A text that a spreadsheet would take for a formula is preceded by an apostrophe.
 *
 * @example
 * const panel = figure.panels.find((panel) => panel.kind === "table");
 * if (panel !== undefined) writeFileSync("table.csv", tableCsv(panel));
 */
export function tableCsv({ columns, groups }: TablePanel): string {
  const rows = groups.flatMap(({ title, rows: inGroup }) => inGroup.map((row) => ({ ...row, group: title })));
  const hasRange = columns.map((_, c) => rows.some(({ cells }) => (cells[c]?.range ?? null) !== null));
  const head = columns.flatMap(({ title }, c) =>
    hasRange[c] ? [title, `${title}: lower bound`, `${title}: upper bound`] : [title],
  );
  const lines = rows.map(({ group, name, unit, cells }) => [
    ...[group, name, unit],
    ...cells.flatMap((cell, c) => [cellValue(cell), ...(hasRange[c] ? cellBounds(cell) : [])]),
  ]);
  return csvText([["group", "quantity", "unit", ...head], ...lines]);
}

/**
 * Returns the first table of a figure, with the rows of those that have the same columns, such as the values of heat maps,
 * at its end; null where there is none. Definitions are those of the first.
 */
export function tableOfFigure({ panels }: Figure): TablePanel | null {
  const tables = panels.flatMap((panel) =>
    panel.kind === "table" ? [panel] : panel.kind === "matrix" ? [matrixTable(panel)] : [],
  );
  const [first] = tables;
  if (first === undefined) return null;
  const headsOf = ({ columns }: TablePanel) => JSON.stringify(columns.map(({ title }) => title));
  const alike = tables.filter((table) => headsOf(table) === headsOf(first));
  return { ...first, groups: alike.flatMap(({ groups }) => groups) };
}

function cellValue({ value, text }: TableCell): number | string {
  if (value !== null) return decodeNumber(value);
  return text === "–" ? "" : text;
}

function cellBounds({ range }: TableCell): (number | string)[] {
  return range === null ? ["", ""] : range.map(decodeNumber);
}

/** Letters, digits, "_" and "-" of any text, and dots that are neither first nor doubled. */
function plain(text: string): string {
  return text
    .replace(/[^\w.-]+/g, "-")
    .replace(/\.{2,}/g, ".")
    .replace(/^[.-]+/, "")
    .slice(0, 80);
}

/**
 * Returns a function that makes file names out of any texts: no separators, no leading dot, nothing that
 * leaves the folder, and none twice, whatever the case of letters.
 */
export function createFileNamer(): (text: string) => string {
  const taken = new Set<string>();
  return (text) => {
    const known = plain(text);
    const base = known === "" || isDeviceName(known) ? `_${known}` : known;
    let name = base;
    for (let i = 2; taken.has(name.toLowerCase()); i++) name = `${base}-${i}`;
    taken.add(name.toLowerCase());
    return name;
  };
}
