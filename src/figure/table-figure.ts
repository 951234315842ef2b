import { decodeNumber, type JsonNumber } from "../base/json.js";

/** A column of a table: what its cells belong to. */
export interface TableColumn {
  readonly title: string;
  /** Place in the palette of runs, shown beside the title; null for none. */
  readonly color: number | null;
}

/** One value of a table. */
export interface TableCell {
  /** As it is shown. */
  readonly text: string;
  /** The number behind it, with all its digits; null where there is none. */
  readonly value: JsonNumber | null;
  /** Quartiles or other bounds that the text shows beside the value; null for none. */
  readonly range: readonly [low: JsonNumber, high: JsonNumber] | null;
}

/** One quantity, for every column. */
export interface TableRow {
  readonly name: string;
  /** Unit of the numbers behind the cells; empty for none. */
  readonly unit: string;
  /** Position of its definition in the figure's list, or null where the name says it all. */
  readonly definition: number | null;
  /** One for each column. */
  readonly cells: readonly TableCell[];
}

/** Rows that belong together. */
export interface TableGroup {
  readonly title: string;
  readonly rows: readonly TableRow[];
}

/**
 * A table of numbers, as plain JSON data: quantities down, runs across.
 *
 * Non-finite numbers are spelled out. Every text is cleaned of control characters, but not escaped.
 */
export interface TableFigure {
  readonly kind: "table";
  /** Version of this form; raised when it changes. */
  readonly version: 1;
  readonly title: string;
  /** What the rows are: the head of the first column. */
  readonly rowTitle: string;
  readonly columns: readonly TableColumn[];
  readonly groups: readonly TableGroup[];
  /** What the quantities are, exactly; numbered from 1 where they are shown. */
  readonly definitions: readonly string[];
  readonly caption: string;
  readonly provenance: string;
  readonly notes: readonly string[];
  readonly description: string;
}

/** Beginnings of a text that spreadsheets take for a formula. */
const FORMULA = /^[\s]*[=+\-@\t\r|]/;

/**
 * Returns a table as CSV text (RFC 4180): group, quantity, unit, then a column for each run, with two more for
 * the bounds where a run has any. Numbers have all their digits.
 *
 * A text that a spreadsheet would take for a formula is preceded by an apostrophe.
 */
export function tableCsv(figure: TableFigure): string {
  const rows = figure.groups.flatMap(({ title, rows: inGroup }) =>
    inGroup.map((row) => ({ ...row, group: title })),
  );
  const hasRange = figure.columns.map((_, c) => rows.some(({ cells }) => (cells[c]?.range ?? null) !== null));
  const head = figure.columns.flatMap(({ title }, c) => [
    text(title),
    ...(hasRange[c] ? [text(`${title}: lower bound`), text(`${title}: upper bound`)] : []),
  ]);
  const lines = rows.map(({ group, name, unit, cells }) => [
    text(group),
    text(name),
    text(unit),
    ...cells.flatMap((cell, c) => [value(cell), ...(hasRange[c] ? bounds(cell) : [])]),
  ]);
  return [["group", "quantity", "unit", ...head], ...lines].map((line) => `${line.join(",")}\r\n`).join("");
}

function value({ value: number, text: shown }: TableCell): string {
  return number === null ? text(shown === "–" ? "" : shown) : digits(number);
}

function bounds({ range }: TableCell): string[] {
  return range === null ? ["", ""] : range.map(digits);
}

function digits(value: JsonNumber): string {
  return String(decodeNumber(value));
}

function text(value: string): string {
  const safe = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}
