import { type ExportTable, rowCount, type TableColumn } from "./export-table.js";

/** What spreadsheets take for the beginning of a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/**
 * Encodes a table as CSV (RFC 4180: commas, CRLF, quotes doubled), one header line of "name [unit]".
 *
 * Numbers are written with every digit that it takes to read the same number back; non-finite ones as NaN,
 * Infinity and -Infinity. A text that a spreadsheet would run as a formula gets an apostrophe in front.
 * Columns of lists become one column for each place, "name[0]" and so on.
 */
export function encodeCsv(table: Pick<ExportTable, "columns">): string {
  const columns = table.columns.flatMap(split);
  const lines = [columns.map(({ header }) => textField(header)).join(",")];
  const rows = rowCount(table);
  for (let row = 0; row < rows; row++) lines.push(columns.map(({ cell }) => cell(row)).join(","));
  return `${lines.join("\r\n")}\r\n`;
}

interface Cells {
  readonly header: string;
  readonly cell: (row: number) => string;
}

function split({ name, unit, values, width }: TableColumn): Cells[] {
  const header = (label: string): string => (unit === null ? label : `${label} [${unit}]`);
  const read = (index: number): string => field(values[index] as number | string);
  if (width === undefined) return [{ header: header(name), cell: read }];
  return Array.from({ length: width }, (_, place) => ({
    header: header(`${name}[${place}]`),
    cell: (row: number) => read(row * width + place),
  }));
}

function field(value: number | string): string {
  if (typeof value === "string") return textField(value);
  return Object.is(value, -0) ? "-0" : String(value);
}

function textField(text: string): string {
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
