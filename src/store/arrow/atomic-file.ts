import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { RunStateError } from "../../base/errors.js";
import { flushFolder, isProcess, removal, renameOver } from "../../base/platform.js";
import { sha256 } from "../../base/provenance.js";

const EXPLANATIONS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EFBIG: "a file larger than the system allows",
  EACCES: "no permission to write",
  EPERM: "no permission to write",
  EROFS: "the file system is read-only",
  ENOENT: "a folder on the way is gone",
  ENOTDIR: "a part of the path is a file",
  EEXIST: "a part of the path is a file",
  EISDIR: "it is a folder",
  ELOOP: "links on the way lead in a circle",
  ENAMETOOLONG: "a name is too long",
  ENXIO: "it is no regular file",
  EMFILE: "too many open files",
};

/** Returns in words what an operating system's error code ("ENOSPC") says of a write, or undefined. */
export function explainWriteCode(code: unknown): string | undefined {
  return typeof code === "string" && Object.hasOwn(EXPLANATIONS, code) ? EXPLANATIONS[code] : undefined;
}

let counter = 0;

/** Eight hex digits for this machine: processes of others that write into one folder cannot be seen from here. */
const HOST = sha256(hostname()).slice(0, 8);
/** Leftovers of other machines go after a day. */
const FOREIGN_AGE = 24 * 60 * 60 * 1000;
const cleaned = new Set<string>();

/** At its first write into a folder a process removes what killed ones have left there. */
async function removeStaleOnce(folder: string): Promise<void> {
  if (cleaned.has(folder)) return;
  cleaned.add(folder);
  const stale = (await readdir(folder)).filter((name) => isLeftover(name));
  await Promise.all(
    stale.map(async (name) => {
      const file = join(folder, name);
      if (await isAbandoned(file, name)) await rm(file, removal());
    }),
  );
}

/** Names of older versions carry no machine. */
async function isAbandoned(file: string, name: string): Promise<boolean> {
  const [, host = HOST, pid] = /\.(?:([0-9a-f]{8})-)?(\d+)-\d+\.tmp$/.exec(name) ?? [];
  if (pid === undefined) return false;
  if (host === HOST) return !isProcess(Number(pid));
  const stats = await stat(file).catch(() => null);
  return stats !== null && Date.now() - stats.mtimeMs > FOREIGN_AGE;
}

type FileContent = Uint8Array | readonly Uint8Array[];

/**
 * Writes a file so that it is either there in full or not at all: into a file beside it whose name
 * begins with a dot, flushed to the disk, then renamed. Folders on the way are made.
 *
 * A reader never sees the unfinished file under its final name; a failed write takes its leftover away.
 *
 * @param content - all bytes, or parts of them in order.
 * @throws {@link RunStateError} if the place cannot be written to: no permission, no space, no folder.
 */
export async function writeFileAtomic(file: string, content: FileContent): Promise<void> {
  await explainingWrites(file, () => writeThroughTemporary(file, content));
}

/**
 * Does work that writes, and says in words what the operating system refuses.
 *
 * @param where - what is written, for error messages.
 * @throws {@link RunStateError} if the place cannot be written to: no permission, no space, no folder.
 */
export async function explainingWrites<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const explanation = explainWriteCode((cause as NodeJS.ErrnoException).code);
    if (explanation === undefined || cause instanceof RunStateError) throw cause;
    throw new RunStateError(where, "a place that can be written to", explanation, { cause });
  }
}

async function writeThroughTemporary(file: string, content: FileContent): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true });
  await removeStaleOnce(folder);
  const temporary = join(folder, `.${basename(file)}.${HOST}-${process.pid}-${counter++}.tmp`);
  try {
    await writeFlushed(temporary, content);
    await renameOver(temporary, file);
  } catch (error) {
    await rm(temporary, removal());
    throw error;
  }
  await flushFolder(folder);
}

/** Says whether a file name is that of a write which did not finish. */
export function isLeftover(name: string): boolean {
  return name.startsWith(".") && name.endsWith(".tmp");
}

/** Removes what interrupted writes left in a folder. */
export async function removeLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder);
  await Promise.all(names.filter(isLeftover).map((name) => rm(join(folder, name), removal())));
}

async function writeFlushed(file: string, content: FileContent): Promise<void> {
  const handle = await open(file, "w");
  try {
    // Each goes on where the one before it ended.
    for (const part of content instanceof Uint8Array ? [content] : content) await handle.writeFile(part);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
