import { close, read } from "node:fs";
import { promisify } from "node:util";
import { openRegularDescriptor, readable } from "./regular-file.js";

const closeFile = promisify(close);

interface OpenFile {
  readonly descriptor: Promise<number>;
  users: number;
}

/** Reads pieces of many files, keeping a bounded number of them open. */
export interface FilePool {
  /**
   * Reads bytes of a file at `offset` until `out` is full or the file ends.
   *
   * @returns the number of bytes read.
   * @throws `FormatError` if the file is gone, no regular file or cannot be read.
   */
  readInto(file: string, offset: number, out: Uint8Array): Promise<number>;

  /** Closes the files that are open; the next read opens them again. */
  close(): Promise<void>;
}

/**
 * Returns a pool that keeps at most `limit` files open, the most recently used ones, and more only
 * while more are read at the same time.
 */
export function createFilePool(limit: number): FilePool {
  // A Map iterates in order of insertion: the least recently used file comes first.
  const files = new Map<string, OpenFile>();

  const acquire = (file: string): OpenFile => {
    const entry = files.get(file) ?? { descriptor: openRegularDescriptor(file), users: 0 };
    // What could not be opened is not kept; whoever reads gets the rejection.
    entry.descriptor.catch(() => files.delete(file));
    entry.users++;
    files.delete(file);
    files.set(file, entry);
    return entry;
  };
  const evict = async (keep: number): Promise<void> => {
    const closing: Promise<void>[] = [];
    for (const [file, entry] of files) {
      if (files.size <= keep) break;
      if (entry.users > 0) continue;
      files.delete(file);
      closing.push(entry.descriptor.then(closeFile));
    }
    await Promise.all(closing);
  };

  return {
    readInto: async (file, offset, out) => {
      const entry = acquire(file);
      try {
        const descriptor = await entry.descriptor;
        return await readable(file, () => readFully(descriptor, offset, out));
      } finally {
        entry.users--;
        if (files.size > limit) await evict(limit);
      }
    },
    close: () => evict(0),
  };
}

async function readFully(descriptor: number, offset: number, out: Uint8Array): Promise<number> {
  let done = 0;
  while (done < out.length) {
    const count = await readOnce(descriptor, out.subarray(done), offset + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

function readOnce(descriptor: number, out: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(descriptor, out, 0, out.length, position, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}
