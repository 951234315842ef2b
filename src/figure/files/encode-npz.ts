import { type Zippable, zipSync } from "fflate";
import { InvalidDataError } from "../../base/errors.js";
import type { ArtifactValues } from "../../store/results/artifact.js";
import { type ExportTable, littleEndian, rowCount, type TableColumn, unitsOf } from "./export-table.js";

/** An array with a shape, C order. */
export interface ShapedArray {
  readonly values: ArtifactValues;
  readonly shape: readonly number[];
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** Data begin at a multiple of this. */
const ALIGNMENT = 64;

/**
 * Encodes an array as a .npy file: float64, float32, int32 or text of fixed width, little-endian, C order.
 *
 * @throws {@link InvalidDataError} if the shape does not hold as many values as there are.
 * @see The .npy format, version 1.0, in NumPy's documentation (numpy.lib.format).
 */
export function encodeNpy({ values, shape }: ShapedArray): Uint8Array {
  const size = shape.reduce((product, length) => product * length, 1);
  if (size !== values.length) {
    throw new InvalidDataError("npy", `${size} values for shape (${shape.join(", ")})`, `${values.length}`);
  }
  const { descriptor, bytes } = encodeValues(values);
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const dictionary = `{'descr': '${descriptor}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const unpadded = MAGIC.length + 4 + dictionary.length + 1;
  const header = `${dictionary}${" ".repeat((ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT)}\n`;
  const start = MAGIC.length + 4 + header.length;
  const out = new Uint8Array(start + bytes.length);
  out.set([...MAGIC, 1, 0, header.length & 0xff, header.length >> 8]);
  out.set(new TextEncoder().encode(header), MAGIC.length + 4);
  out.set(bytes, start);
  return out;
}

const TYPES = [
  [Float64Array, "<f8"],
  [Float32Array, "<f4"],
  [Int32Array, "<i4"],
] as const;

function encodeValues(values: ArtifactValues): { readonly descriptor: string; readonly bytes: Uint8Array } {
  if (!ArrayBuffer.isView(values)) return encodeTexts(values);
  const [, descriptor] = TYPES.find(([kind]) => values instanceof kind) ?? TYPES[0];
  return { descriptor, bytes: littleEndian(values) };
}

/** UTF-32, every text as long as the longest, filled up with zeros. */
function encodeTexts(texts: readonly string[]): { descriptor: string; bytes: Uint8Array } {
  const points = texts.map((text) => Array.from(text, (character) => character.codePointAt(0) as number));
  const width = points.reduce((longest, { length }) => Math.max(longest, length), 1);
  const bytes = new Uint8Array(texts.length * width * 4);
  const view = new DataView(bytes.buffer);
  points.forEach((row, i) => {
    row.forEach((point, j) => {
      view.setUint32(4 * (i * width + j), point, true);
    });
  });
  return { descriptor: `<U${width}`, bytes };
}

/** The earliest time that a zip file can hold: equal arrays give equal bytes. */
const NO_TIME = new Date(1980, 0, 1);

/**
 * Encodes a table as .npz: one array a column under the column's name, and `provenance`, an array of one text: JSON
 * with where the numbers come from, and the units of the columns. Every entry is an array.
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
  const text = JSON.stringify({
    kind,
    source,
    provenance,
    details,
    units: unitsOf([table])[table.name] ?? {},
  });
  add(uniqueMember("provenance", files), encodeNpy({ values: [text], shape: [1] }));
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
