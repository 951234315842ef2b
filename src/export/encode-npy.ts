import { InvalidDataError } from "../errors.js";
import type { ArtifactValues } from "../store/artifact.js";

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

function encodeValues(values: ArtifactValues): { descriptor: string; bytes: Uint8Array } {
  if (values instanceof Float64Array) {
    return littleEndian("<f8", values.length, 8, (view, i) =>
      view.setFloat64(8 * i, values[i] as number, true),
    );
  }
  if (values instanceof Float32Array) {
    return littleEndian("<f4", values.length, 4, (view, i) =>
      view.setFloat32(4 * i, values[i] as number, true),
    );
  }
  if (values instanceof Int32Array) {
    return littleEndian("<i4", values.length, 4, (view, i) =>
      view.setInt32(4 * i, values[i] as number, true),
    );
  }
  return encodeTexts(values);
}

function littleEndian(
  descriptor: string,
  length: number,
  size: number,
  write: (view: DataView, index: number) => void,
): { descriptor: string; bytes: Uint8Array } {
  const bytes = new Uint8Array(length * size);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < length; i++) write(view, i);
  return { descriptor, bytes };
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
