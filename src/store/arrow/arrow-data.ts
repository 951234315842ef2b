import {
  type Data,
  Field,
  FixedSizeList,
  Float16,
  Float32,
  Float64,
  Int32,
  Map_,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  Schema,
  Struct,
  Utf8,
} from "apache-arrow";
import { Message } from "apache-arrow/ipc/metadata/message";

/** A column to be written: its field's name and its data. */
export interface NamedData {
  readonly name: string;
  readonly data: Data;
}

/** int32 column. */
export function int32Data(values: Int32Array): Data<Int32> {
  return makeData({ type: new Int32(), length: values.length, nullCount: 0, data: values });
}

/** float64 column. */
export function float64Data(values: Float64Array): Data<Float64> {
  return makeData({ type: new Float64(), length: values.length, nullCount: 0, data: values });
}

/** float32 column. */
export function float32Data(values: Float32Array): Data<Float32> {
  return makeData({ type: new Float32(), length: values.length, nullCount: 0, data: values });
}

/** float16 column from its bit patterns. */
export function float16Data(bits: Uint16Array): Data<Float16> {
  return makeData({ type: new Float16(), length: bits.length, nullCount: 0, data: bits });
}

/** utf8 column. */
export function utf8Data(values: readonly string[]): Data<Utf8> {
  const encoder = new TextEncoder();
  const chunks = values.map((value) => encoder.encode(value));
  const valueOffsets = new Int32Array(values.length + 1);
  for (const [i, chunk] of chunks.entries()) valueOffsets[i + 1] = (valueOffsets[i] ?? 0) + chunk.length;
  const data = new Uint8Array(valueOffsets[values.length] ?? 0);
  for (const [i, chunk] of chunks.entries()) data.set(chunk, valueOffsets[i]);
  return makeData({ type: new Utf8(), length: values.length, nullCount: 0, valueOffsets, data });
}

/** Column of lists of `width` numbers each, its values flat and row-major. */
export function fixedSizeListData(
  child: Data<Float16> | Data<Float32> | Data<Float64>,
  width: number,
): Data<FixedSizeList> {
  const type = new FixedSizeList(width, new Field("item", child.type, false));
  return makeData({ type, length: child.length / width, nullCount: 0, child });
}

/** One row of map<utf8, float64>. */
export function mapRowData(entries: Readonly<Record<string, number>>): Data<Map_<Utf8, Float64>> {
  const children = [utf8Data(Object.keys(entries)), float64Data(Float64Array.from(Object.values(entries)))];
  const length = children[0]?.length ?? 0;
  const entryType = new Struct<{ key: Utf8; value: Float64 }>([
    new Field("key", new Utf8(), false),
    new Field("value", new Float64(), true),
  ]);
  const child = makeData({ type: entryType, length, nullCount: 0, children });
  const type = new Map_<Utf8, Float64>(new Field("entries", entryType, false));
  return makeData({ type, length: 1, nullCount: 0, valueOffsets: Int32Array.of(0, length), child });
}

/** Parts of at most so many bytes are joined, so that a file is not written by many small writes. */
const SMALL_PART = 2 ** 16;

/**
 * Arrow's file format is its stream format between two marks, schema message included. apache-arrow
 * leaves that message out, and readers that skip the mark and read the stream then fail.
 *
 * What is written is gathered in parts: the values of large columns are never copied.
 */
class CompleteFileWriter extends RecordBatchFileWriter {
  readonly parts: Uint8Array[] = [];
  #small: Uint8Array[] = [];

  protected override _writeSchema(schema: Schema): this {
    return this._writeMagic()._writePadding(2)._writeMessage(Message.from(schema));
  }

  protected override _write(chunk: ArrayBufferView): this {
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this._position += bytes.length;
    if (bytes.length > SMALL_PART) {
      this.endSmall();
      this.parts.push(bytes);
    } else if (bytes.length > 0) {
      this.#small.push(bytes);
    }
    return this;
  }

  /** Joins the small parts since the last large one. */
  endSmall(): void {
    if (this.#small.length > 0) this.parts.push(joinParts(this.#small));
    this.#small = [];
  }
}

/** The content of a file, in parts that follow one another. */
export type FileParts = readonly Uint8Array[];

/** Returns a file's content in one piece. */
export function joinParts(parts: FileParts): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * Encodes columns of equal length as an Arrow IPC file with one record batch. The values of large columns are parts of
 * their own, views of the arrays given.
 */
export function encodeArrowFile(
  columns: readonly NamedData[],
  metadata: ReadonlyMap<string, string>,
): FileParts {
  const fields = columns.map(({ name, data }) => new Field(name, data.type, false));
  const schema = new Schema(fields, new Map(metadata));
  const length = columns[0]?.data.length ?? 0;
  const children = columns.map(({ data }) => data);
  const struct = makeData({ type: new Struct(fields), length, nullCount: 0, children });
  const writer = new CompleteFileWriter();
  writer.write(new RecordBatch(schema, struct));
  writer.finish();
  writer.endSmall();
  return writer.parts;
}
