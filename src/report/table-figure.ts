import type { JsonNumber } from "./json-number.js";

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
