import { cleanText } from "../../base/clean-text.js";
import { decodeNumber, encodeNumber } from "../../base/json.js";
import { formatCount, formatNumber, formatPercent } from "../draw/format-number.js";
import type { TableCell, TableColumn, TablePanel, TableRow } from "../figure.js";

/** A row whose definition has no number yet. */
export interface DraftRow extends Omit<TableRow, "definition"> {
  readonly definition: string | null;
}

/** Rows that belong together. */
export interface DraftGroup {
  readonly title: string;
  readonly rows: readonly DraftRow[];
}

/** Rows of a group; null for those that no column has. */
export type Rows = readonly (DraftRow | null)[];

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

/** What a row is beside its name and its cells. */
export interface RowOptions {
  readonly unit?: string | undefined;
  readonly definition?: string | null | undefined;
  /** Which of the values is the best; default none is. */
  readonly best?: "least" | "greatest" | undefined;
}

/** A row; null where no column has a value. */
export function rowOf(
  name: string,
  given: readonly (TableCell | null)[],
  { unit = "", definition = null, best }: RowOptions = {},
): DraftRow | null {
  const cells = given.map((cell) => cell ?? EMPTY_CELL);
  if (cells.every((cell) => cell === EMPTY_CELL)) return null;
  return {
    name: cleanText(name),
    unit,
    definition,
    cells: best === undefined ? cells : withBest(cells, best),
  };
}

/** Marks the best value of a row, and those that read the same; none where all read the same. */
function withBest(cells: readonly TableCell[], best: "least" | "greatest"): TableCell[] {
  const known = cells.filter(({ value }) => Number.isFinite(decodeNumber(value)));
  const sorted = [...known].sort((a, b) => decodeNumber(a.value) - decodeNumber(b.value));
  const text = (best === "least" ? sorted[0] : sorted.at(-1))?.text;
  if (known.every((cell) => cell.text === text)) return [...cells];
  return cells.map((cell) => (known.includes(cell) && cell.text === text ? { ...cell, isBest: true } : cell));
}

/** A group of the rows that have values, or none if there is no row. */
export function groupOf(title: string, rows: Rows): DraftGroup[] {
  const present = rows.filter((row) => row !== null);
  return present.length === 0 ? [] : [{ title, rows: present }];
}

/** Puts a table together: definitions are numbered in the order in which rows ask for them, each once. */
export function tableOf(
  rowTitle: string,
  columns: readonly TableColumn[],
  drafts: readonly DraftGroup[],
  title = "",
): TablePanel {
  const asked = drafts.flatMap(({ rows }) => rows.flatMap(({ definition }) => definition ?? []));
  const definitions = [...new Set(asked)];
  return {
    kind: "table",
    title,
    rowTitle,
    columns,
    groups: drafts.map(({ title: group, rows }) => ({
      title: group,
      rows: rows.map(({ definition, ...row }) => ({
        ...row,
        definition: definition === null ? null : definitions.indexOf(definition),
      })),
    })),
    definitions,
  };
}
