import { type Zippable, zipSync } from "fflate";
import { encodeNpy, type ShapedArray } from "./encode-npy.js";
import { type ExportTable, rowCount, type TableColumn } from "./export-table.js";

/** The earliest time that a zip file can hold: equal arrays give equal bytes. */
const NO_TIME = new Date(1980, 0, 1);

/**
 * Encodes a table as .npz: one array a column under the column's name, and `provenance.json` with where the
 * numbers come from.
 *
 * Surfaces have their grid's shape: `alpha` (W), `beta` (H), everything else (H, W). Columns of lists are
 * (rows, width). In names, what could lead out of a folder where the archive is unpacked becomes "_".
 */
export function encodeNpz(table: ExportTable): Uint8Array {
  const files: Zippable = {};
  const add = (name: string, bytes: Uint8Array): void => {
    files[name] = [bytes, { level: 6, mtime: NO_TIME }];
  };
  for (const column of table.columns) {
    add(uniqueMember(column.name, files), encodeNpy(shaped(column, table)));
  }
  const { kind, source, provenance, details } = table;
  add("provenance.json", new TextEncoder().encode(JSON.stringify({ kind, source, provenance, details })));
  return zipSync(files);
}

function shaped({ name, values, width }: TableColumn, table: ExportTable): ShapedArray {
  const { grid } = table;
  if (width !== undefined) return { values, shape: [rowCount(table), width] };
  if (grid === null) return { values, shape: [values.length] };
  const isCoordinate = values instanceof Float64Array;
  if (name === "alpha" && isCoordinate) return { values: values.slice(0, grid.width), shape: [grid.width] };
  if (name === "beta" && isCoordinate) {
    const rows = Float64Array.from({ length: grid.height }, (_, j) => values[j * grid.width] as number);
    return { values: rows, shape: [grid.height] };
  }
  return { values, shape: [grid.height, grid.width] };
}

function uniqueMember(column: string, taken: Zippable): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not stand in a name
  const base = column.replace(/[\\/\u0000-\u001f\u007f]/g, "_").replace(/^\.+/, "_") || "_";
  let name = `${base}.npy`;
  for (let i = 2; Object.hasOwn(taken, name); i++) name = `${base}-${i}.npy`;
  return name;
}
