import type { ArtifactValues } from "../store/artifact.js";
import type { JsonValue, Provenance } from "../store/provenance.js";

/** What a stored result is. "other" is what later versions or other tools keep beside the known ones. */
export type TableKind = "surface" | "line" | "trajectory" | "weights" | "snapshots" | "other";

/** Every kind of table, in the order of export. */
export const TABLE_KINDS: readonly TableKind[] = [
  "surface",
  "line",
  "trajectory",
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
