import type { FileHandle } from "node:fs/promises";
import { FormatError } from "../../base/errors.js";
import {
  byteField,
  type FileSchema,
  type FlatTable,
  int64At,
  int64Field,
  readFileSchema,
  rootTable,
  tableField,
  vectorField,
} from "./flat-table.js";
import { openRegularFile, readable } from "./regular-file.js";

/** Bytes of a file (or of memory), read in pieces. */
export interface ByteReader {
  /** What is read, for error messages: a path. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /** Reads exactly `length` bytes at `offset`. */
  readAt(offset: number, length: number): Promise<Uint8Array>;
}

/** Reads from bytes in memory; `readAt` returns views. */
export function memoryReader(name: string, bytes: Uint8Array): ByteReader {
  return {
    name,
    size: bytes.length,
    readAt: async (offset, length) => {
      if (offset < 0 || length < 0 || offset + length > bytes.length) throw outside(name, offset, length);
      return bytes.subarray(offset, offset + length);
    },
  };
}

/**
 * Opens a file for the duration of `use`.
 *
 * @throws {@link FormatError} if there is none, it is no regular file or must not be read.
 */
export async function withFileReader<T>(
  name: string,
  file: string,
  use: (reader: ByteReader) => Promise<T>,
): Promise<T> {
  const handle = await openRegularFile(file);
  try {
    const { size } = await handle.stat();
    return await use({ name, size, readAt: (offset, length) => readHandle(handle, name, offset, length) });
  } finally {
    await handle.close();
  }
}

async function readHandle(
  handle: FileHandle,
  name: string,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  if (offset < 0 || length < 0) throw outside(name, offset, length);
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await readable(name, () => handle.read(bytes, done, length - done, offset + done));
    if (bytesRead === 0) throw outside(name, offset, length);
    done += bytesRead;
  }
  return bytes;
}

function outside(name: string, offset: number, length: number): FormatError {
  return new FormatError(name, `${length} bytes at offset ${offset}`, "a file that ends before");
}

/** A range of bytes in a file. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Where things lie in an Arrow IPC file of one record batch. */
export interface ArrowLayout extends FileSchema {
  /** Rows of the batch. */
  readonly rows: number;
  /** The buffers' places in the file, in Arrow's depth-first order. */
  readonly buffers: readonly ByteRange[];
}

const magic = "ARROW1";
const trailerLength = 4 + magic.length;
const endOfStreamLength = 8;
/** Continuation marker and length before every message. */
const prefixLength = 8;
/** Larger than the footer of most files, so that one read finds it. */
const firstTailLength = 8192;

/** Numbers of the tables' fields in Arrow's File.fbs and Message.fbs. */
const footerAt = { schema: 1, dictionaries: 2, recordBatches: 3 } as const;
const messageAt = { headerType: 1, header: 2 } as const;
const batchAt = { length: 0, nodes: 1, buffers: 2, compression: 3 } as const;
const recordBatchHeader = 3;
/** Sizes of Arrow's structs: block (offset, metadata length, body length), pairs of int64. */
const blockSize = 24;
const pairSize = 16;

/**
 * Finds the schema and the buffers of an Arrow IPC file from its footer, without reading the body.
 * Every length is checked against the file's, so that a truncated file never passes.
 *
 * @throws {@link FormatError} if the file is not a complete, uncompressed Arrow file of one batch
 *   without nulls.
 */
export async function readArrowLayout(reader: ByteReader): Promise<ArrowLayout> {
  const { name } = reader;
  const footerBytes = await readFooterBytes(reader);
  const { schema, block } = guarded(name, "footer", () => parseFooter(name, footerBytes));
  const { offset, metadataLength, bodyLength } = block;
  const bodyStart = offset + metadataLength;
  const size = bodyStart + bodyLength + endOfStreamLength + footerBytes.length + trailerLength;
  if (size !== reader.size) {
    throw new FormatError(name, `${size} bytes, as its footer says`, String(reader.size));
  }
  const message = await readMessage(reader, offset, metadataLength);
  const { rows, buffers } = guarded(name, "record batch", () => parseBatch(name, message));
  if (buffers.some((buffer) => buffer.offset + buffer.length > bodyLength)) {
    throw new FormatError(name, "buffers inside the record batch", "a buffer outside of it");
  }
  const placed = buffers.map((buffer) => ({ offset: bodyStart + buffer.offset, length: buffer.length }));
  return { ...schema, rows, buffers: placed };
}

async function readFooterBytes(reader: ByteReader): Promise<Uint8Array> {
  const { name, size } = reader;
  if (size < prefixLength + trailerLength) throw notArrow(name, `${size} bytes`);
  if (text(await reader.readAt(0, magic.length)) !== magic) throw notArrow(name, "another kind of file");
  const tailLength = Math.min(size, firstTailLength);
  const tail = await reader.readAt(size - tailLength, tailLength);
  if (text(tail.subarray(-magic.length)) !== magic) throw notArrow(name, "one cut off before its end");
  const footerEnd = tail.length - trailerLength;
  const length = int32At(tail, footerEnd);
  if (length <= 0 || length > size - trailerLength)
    throw new FormatError(name, "a footer", `${length} bytes`);
  if (length <= footerEnd) return tail.subarray(footerEnd - length, footerEnd);
  return reader.readAt(size - trailerLength - length, length);
}

interface Block {
  readonly offset: number;
  readonly metadataLength: number;
  readonly bodyLength: number;
}

function parseFooter(name: string, bytes: Uint8Array): { schema: FileSchema; block: Block } {
  const footer = rootTable(bytes);
  const schema = tableField(footer, footerAt.schema);
  if (schema === null) throw new FormatError(name, "a schema", "none");
  const dictionaries = vectorField(footer, footerAt.dictionaries, blockSize);
  const { view, start, length } = vectorField(footer, footerAt.recordBatches, blockSize);
  if (length !== 1 || dictionaries.length !== 0) {
    const got = `${length} batches and ${dictionaries.length} dictionaries`;
    throw new FormatError(name, "one record batch without dictionaries", got);
  }
  const block = {
    offset: int64At(view, start),
    metadataLength: view.getUint32(start + 8, true),
    bodyLength: int64At(view, start + 16),
  };
  return { schema: readFileSchema(schema), block };
}

/** The record batch's metadata, without the marker and length before it. */
async function readMessage(reader: ByteReader, offset: number, length: number): Promise<Uint8Array> {
  const bytes = await reader.readAt(offset, length);
  if (length < prefixLength || int32At(bytes, 0) !== -1 || int32At(bytes, 4) !== length - prefixLength) {
    throw new FormatError(reader.name, "a record batch where the footer says", "other bytes");
  }
  return bytes.subarray(prefixLength);
}

function parseBatch(name: string, bytes: Uint8Array): { rows: number; buffers: ByteRange[] } {
  const message = rootTable(bytes);
  const batch = tableField(message, messageAt.header);
  if (batch === null || byteField(message, messageAt.headerType) !== recordBatchHeader) {
    throw new FormatError(name, "a record batch", "another message");
  }
  if (tableField(batch, batchAt.compression) !== null) {
    throw new FormatError(name, "uncompressed columns", "compressed ones");
  }
  if (pairs(batch, batchAt.nodes).some(([, nulls]) => nulls !== 0)) {
    throw new FormatError(name, "columns without nulls", "a null");
  }
  const buffers = pairs(batch, batchAt.buffers).map(([offset, length]) => ({ offset, length }));
  return { rows: int64Field(batch, batchAt.length), buffers };
}

function pairs(table: FlatTable, index: number): [number, number][] {
  const { view, start, length } = vectorField(table, index, pairSize);
  return Array.from({ length }, (_, i) => {
    const at = start + pairSize * i;
    return [int64At(view, at), int64At(view, at + 8)];
  });
}

function guarded<T>(name: string, part: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(name, `a readable ${part}`, "one that cannot be decoded", { cause });
  }
}

function notArrow(name: string, got: string): FormatError {
  return new FormatError(name, "a complete Arrow IPC file", got);
}

function int32At(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt32(offset, true);
}

function text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
