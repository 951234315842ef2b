import { type FileHandle, open } from "node:fs/promises";
import { FormatError } from "../errors.js";

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
 * @throws {@link FormatError} if it is a folder or must not be read.
 */
export async function withFileReader<T>(
  name: string,
  file: string,
  use: (reader: ByteReader) => Promise<T>,
): Promise<T> {
  const handle = await open(file, "r").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EACCES" && cause.code !== "EPERM") throw cause;
    throw unreadable(name, "no permission to read it", cause);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw unreadable(name, stats.isDirectory() ? "a folder" : "no regular file");
    const { size } = stats;
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
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw outside(name, offset, length);
    done += bytesRead;
  }
  return bytes;
}

function unreadable(name: string, got: string, cause?: unknown): FormatError {
  return new FormatError(name, "a file that can be read", got, { cause });
}

function outside(name: string, offset: number, length: number): FormatError {
  return new FormatError(name, `${length} bytes at offset ${offset}`, "a file that ends before");
}
