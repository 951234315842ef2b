import { closeSync, fstatSync, open as openCallback, read, type Stats } from "node:fs";
import { type FileHandle, open, readdir } from "node:fs/promises";
import { promisify } from "node:util";
import { FormatError, messageOf, systemCode } from "../../base/errors.js";
import { readingFlags } from "../../base/platform.js";

const EXPLANATIONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  ENOTDIR: "a path of which a part is a file",
  EISDIR: "a folder",
  ELOOP: "links that lead in a circle",
  ENAMETOOLONG: "a name that is too long",
  EACCES: "no permission to read it",
  EPERM: "no permission to read it",
  EMFILE: "too many open files",
  ENFILE: "too many open files",
  ENXIO: "no regular file",
  EIO: "a disk that does not answer",
  ESTALE: "a file that is gone from the server",
};

const WITHOUT_WAITING = readingFlags();

/**
 * Opens a regular file for reading: the one way in which this package opens what others may have put in place.
 *
 * A pipe or a device by that name does not make the caller wait, it is refused.
 *
 * @throws {@link FormatError} if there is none, it is no regular file or must not be read; {@link isMissing} tells
 *   the first from the others.
 */
export async function openRegularFile(file: string): Promise<FileHandle> {
  const handle = await readable(file, () => open(file, WITHOUT_WAITING));
  try {
    checkRegular(file, await handle.stat());
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

const openFile = promisify(openCallback);

/**
 * Opens a regular file as a bare descriptor, for pools of files that nobody may ever close: Node.js warns of handles
 * that it has to close itself.
 *
 * What is open is looked at, and closed, at once: a call that waits for a thread of Node.js takes some 25 µs, five
 * times as long.
 *
 * @throws as {@link openRegularFile}.
 */
async function openDescriptor(file: string): Promise<number> {
  const descriptor = await readable(file, () => openFile(file, WITHOUT_WAITING));
  try {
    checkRegular(file, fstatSync(descriptor));
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function checkRegular(file: string, stats: Stats): void {
  if (stats.isFile()) return;
  const got = stats.isDirectory() ? "a folder" : "no regular file";
  throw new FormatError(file, "a file that can be read", got);
}

/** Reads a whole regular file. @throws as {@link openRegularFile}. */
export async function readRegularFile(file: string): Promise<Uint8Array> {
  const handle = await openRegularFile(file);
  try {
    return await readable(file, () => handle.readFile());
  } finally {
    await handle.close();
  }
}

/** Names in a folder; none where there is no folder. @throws {@link FormatError} if it cannot be listed. */
export async function namesInFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    const code = systemCode(cause);
    if (code === "ENOENT") return [];
    const got = code === "ENOTDIR" ? "a file" : explainReadError(cause);
    throw new FormatError(folder, "a folder", got, { cause });
  }
}

/** Says whether a file could not be opened because there is none: also where a part of its path is a file. */
export function isMissing(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Does work that reads a file, and says in words what the operating system refuses. */
export async function readable<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(file, "a file that can be read", explainReadError(cause), { cause });
  }
}

function explainReadError(cause: unknown): string {
  const code = systemCode(cause);
  if (code === null) return messageOf(cause);
  return Object.hasOwn(EXPLANATIONS, code) ? `${EXPLANATIONS[code]} (${code})` : code;
}

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
    const entry = files.get(file) ?? { descriptor: openDescriptor(file), users: 0 };
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
      closing.push(entry.descriptor.then(closeSync));
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
