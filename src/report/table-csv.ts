import { decodeNumber, type JsonNumber } from "./json-number.js";
import type { TableCell, TableFigure } from "./table-figure.js";

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
