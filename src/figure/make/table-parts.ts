import { cleanText } from "../../base/clean-text.js";
import { encodeNumber } from "../../base/json.js";
import { formatCount, formatNumber, formatPercent } from "../draw/format-number.js";
import type { TableCell, TableGroup, TableRow } from "../figure.js";

/** A cell without a value. */
export const EMPTY_CELL: TableCell = { text: "–", value: null, range: null };

/** A cell with a number; null and NaN where there is none. */
export function numberCell(
  value: number | null,
  format: (value: number) => string = formatNumber,
): TableCell {
  if (value === null || Number.isNaN(value)) return EMPTY_CELL;
  return { text: format(value), value: encodeNumber(value), range: null };
}

/** A cell with a whole number. */
export function countCell(value: number): TableCell {
  return numberCell(value, formatCount);
}

/** A cell with a share of 1, shown in percent. */
export function shareCell(value: number | null): TableCell {
  return numberCell(value, formatPercent);
}

/** A cell with a number and its bounds: "1.14 [1.02, 1.3]". */
export function rangeCell(value: number, low: number, high: number, prefix = ""): TableCell {
  const cell = numberCell(value, (shown) => `${prefix}${formatNumber(shown, 3)}`);
  if (cell.value === null) return cell;
  const text = `${cell.text} [${formatNumber(low, 3)}, ${formatNumber(high, 3)}]`;
  return { ...cell, text, range: [encodeNumber(low), encodeNumber(high)] };
}

/** A cell with words. */
export function textCell(text: string | null): TableCell {
  return text === null || text === "" ? EMPTY_CELL : { text: cleanText(text), value: null, range: null };
}

/** The definitions of a table, each once, in the order in which its rows ask for them. */
export class Definitions {
  readonly texts: string[] = [];

  /** Position of a definition, which is added where it is new. */
  place(text: string): number {
    const found = this.texts.indexOf(text);
    return found >= 0 ? found : this.texts.push(text) - 1;
  }
}

/** A row; null where no column has a value. */
export function rowOf(
  name: string,
  cells: readonly TableCell[],
  parts: Partial<Pick<TableRow, "unit" | "definition">> = {},
): TableRow | null {
  if (cells.every((cell) => cell === EMPTY_CELL)) return null;
  return { name: cleanText(name), unit: "", definition: null, cells, ...parts };
}

/** A group of the rows that have values, or none if there is no row. */
export function groupOf(title: string, rows: readonly (TableRow | null)[]): TableGroup[] {
  const present = rows.filter((row) => row !== null);
  return present.length === 0 ? [] : [{ title, rows: present }];
}
