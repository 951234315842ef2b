import { cleanText } from "../../base/clean-text.js";
import { escapeHtml } from "../draw/html-text.js";

/** A named array of a VTK data set. */
export interface VtkArray {
  readonly name: string;
  readonly values: Float64Array | Int32Array | Uint8Array;
  /** Values for each point; default 1. */
  readonly components?: number;
  /** Values in all, where the array belongs to the whole data set. */
  readonly tuples?: number;
}

const TYPES = [
  [Float64Array, "Float64"],
  [Int32Array, "Int32"],
  [Uint8Array, "UInt8"],
] as const;

/**
 * Returns a complete VTK XML document around a data set.
 *
 * @see The VTK XML file formats, version 1.0 with 64-bit headers, in VTK's documentation.
 */
export function vtkDocument(type: "StructuredGrid" | "PolyData", attributes: string, body: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<VTKFile type="${type}" version="1.0" byte_order="LittleEndian" header_type="UInt64">
<${type}${attributes}>
${body}
</${type}>
</VTKFile>
`;
}

/** Returns an element with arrays in it. */
export function vtkElement(tag: string, arrays: readonly VtkArray[], attributes = ""): string {
  return `<${tag}${attributes}>\n${arrays.map(vtkArray).join("\n")}\n</${tag}>`;
}

/** Returns an array in base64: its length in bytes (uint64), then its values, little-endian. */
function vtkArray({ name, values, components = 1, tuples }: VtkArray): string {
  const [, type] = TYPES.find(([kind]) => values instanceof kind) ?? TYPES[0];
  const label = escapeHtml(cleanText(name));
  const count = tuples === undefined ? "" : ` NumberOfTuples="${tuples}"`;
  const per = components === 1 ? "" : ` NumberOfComponents="${components}"`;
  return `<DataArray type="${type}" Name="${label}"${per}${count} format="binary">${base64(values)}</DataArray>`;
}

function base64(values: VtkArray["values"]): string {
  const size = values.BYTES_PER_ELEMENT;
  const bytes = new Uint8Array(8 + values.length * size);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(values.length * size), true);
  for (let i = 0; i < values.length; i++) {
    const at = 8 + i * size;
    if (values instanceof Float64Array) view.setFloat64(at, values[i] as number, true);
    else if (values instanceof Int32Array) view.setInt32(at, values[i] as number, true);
    else view.setUint8(at, values[i] as number);
  }
  return Buffer.from(bytes.buffer).toString("base64");
}

/** Facts of a height scale, as arrays that belong to the whole data set. */
export function fieldData(facts: Readonly<Record<string, number>>): string {
  const arrays = Object.entries(facts).map(([name, value]) => ({
    name,
    values: Float64Array.of(value),
    tuples: 1,
  }));
  return vtkElement("FieldData", arrays);
}
