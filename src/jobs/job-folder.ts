import { rmSync } from "node:fs";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { isProcess, removal } from "../base/platform.js";
import { sha256 } from "../base/provenance.js";
import { explainingWrites } from "../store/arrow/atomic-file.js";
import { namesInFolder } from "../store/arrow/regular-file.js";

/** Process ids say something on their own host only, and TMPDIR may be shared between hosts. */
const HOST = sha256(hostname()).slice(0, 12);
const PREFIX = `tfjs-landscape-workers-${HOST}-`;

/** A folder for what a process hands to its workers. */
export interface JobFolder {
  readonly path: string;
  /** Path of a file in it. */
  file(name: string): string;
  /** Removes it. Idempotent; the end of the process does so too. */
  remove(): void;
}

/**
 * Makes a folder in the system's place for temporary files (TMPDIR), and removes those that processes of
 * this host which were killed have left there.
 *
 * @throws {@link RunStateError} if it cannot be written to.
 */
export async function createJobFolder(): Promise<JobFolder> {
  await removeAbandoned();
  const prefix = join(tmpdir(), `${PREFIX}${process.pid}-`);
  const path = await explainingWrites(tmpdir(), () => mkdtemp(prefix));
  const remove = (): void => {
    process.removeListener("exit", remove);
    rmSync(path, removal());
  };
  process.on("exit", remove);
  return { path, file: (name) => join(path, name), remove };
}

/** Whether a text is the path of a file that this process hands to its workers. */
export function isJobFile(text: string): boolean {
  return text.startsWith(join(tmpdir(), `${PREFIX}${process.pid}-`));
}

async function removeAbandoned(): Promise<void> {
  for (const name of await namesInFolder(tmpdir())) {
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name);
    if (owner === null || isProcess(Number(owner[1]))) continue;
    // Another user's cannot be removed, nor need it.
    await rm(join(tmpdir(), name), removal()).catch(() => undefined);
  }
}

/** Most bytes for one call: the operating system takes no more than 2 GiB at once. */
const CHUNK = 2 ** 28;

/** Numbers as they lie in memory (little-endian on every machine that Node.js runs on). */
export type RawValues = Float32Array | Int32Array | Uint8Array;

/**
 * Writes the bytes of values at the end of what has been written to an open file of a job folder.
 *
 * @throws {@link RunStateError} if the disk takes no more.
 */
export async function appendRaw(handle: FileHandle, values: RawValues): Promise<void> {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  for (let at = 0; at < bytes.length; at += CHUNK) {
    const part = bytes.subarray(at, at + CHUNK);
    await explainingWrites(tmpdir(), () => handle.writeFile(part));
  }
}

/** Fills `out` with the bytes of an open file from `position` on. */
export async function readRaw(handle: FileHandle, position: number, out: RawValues): Promise<void> {
  const bytes = new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(CHUNK, bytes.length - at);
    const { bytesRead } = await handle.read(bytes, at, length, position + at);
    if (bytesRead === 0) throw new RangeError(`file ends ${bytes.length - at} bytes early`);
    at += bytesRead;
  }
}

/** Writes several arrays one after another into a new file. */
export async function writeRawFile(file: string, parts: readonly RawValues[]): Promise<void> {
  const handle = await open(file, "wx");
  try {
    for (const part of parts) await appendRaw(handle, part);
  } finally {
    await handle.close();
  }
}

/** Reads `count` float32 arrays of `length` each from a file. */
export async function readRawFile(file: string, count: number, length: number): Promise<Float32Array[]> {
  const handle = await open(file, "r");
  try {
    const arrays: Float32Array[] = [];
    for (let i = 0; i < count; i++) {
      const array = new Float32Array(length);
      await readRaw(handle, i * array.byteLength, array);
      arrays.push(array);
    }
    return arrays;
  } finally {
    await handle.close();
  }
}
