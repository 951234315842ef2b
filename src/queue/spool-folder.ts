import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InvalidOptionError } from "../base/errors.js";
import { ALIVE_SECONDS, tilesName, UnreadableTile } from "./tile-queue.js";

/** A queue in a folder that all machines see. */
export interface SpoolPlace {
  readonly spool: string;
  readonly queue: string;
}

/** Milliseconds between two looks into the folder, after something was found and where nothing is. */
export const [LEAST_PAUSE, MOST_PAUSE]: readonly [number, number] = [50, 1000];
/** Bytes of one message. */
const MOST_BYTES = 2 ** 26;
/** What nobody has touched for so long is of somebody who is gone. */
export const OLD_SECONDS = 600;
export const SUBMISSION = /^[0-9a-f]{16}$/;
/** Priority, submission and number: names in their order are tiles in theirs. */
export const TILE = /^\d{2}\.[0-9a-f]{16}-\d{1,9}$/;
export const LEASE = /^(\d{2}\.[0-9a-f]{16}-\d{1,9})\.(\d{1,6})$/;

/** The folders of a submission. */
export type SubmissionFolders = Readonly<Record<"tiles" | "leases" | "answers", string>>;

/** The folders of a queue. */
export function foldersOf({ spool, queue }: SpoolPlace) {
  const root = join(spool, queue);
  return {
    root,
    workers: join(root, "workers"),
    alive: join(root, "alive"),
    line: (kind: string | undefined) => join(root, tilesName(kind)),
    ofSubmission: (folder: string) => ({
      tiles: join(folder, "tiles"),
      leases: join(folder, "leases"),
      answers: join(folder, "answers"),
    }),
  };
}

/** Names in a folder; none where it is gone. */
export async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

/**
 * Reads a message; null where it is gone.
 *
 * @throws {@link UnreadableTile} if it is too long; the system's error if it is there and cannot be read now.
 */
export async function textOf(file: string): Promise<string | null> {
  try {
    if ((await stat(file)).size > MOST_BYTES)
      throw new UnreadableTile(`a message of more than ${MOST_BYTES} bytes`);
    return await readFile(file, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
}

/** Writes a file that is complete when it can be seen. Its folder must be there. */
export async function writeWhole(folder: string, name: string, text: string): Promise<void> {
  const temporary = join(folder, `.${randomBytes(8).toString("hex")}.tmp`);
  try {
    await writeFile(temporary, text, { flag: "wx" });
    await rename(temporary, join(folder, name));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/**
 * Tells the living from the dead by files that the living write again and again. Only the observer's own clock counts, and
 * only how long a text stays the same: clocks of machines need not agree.
 */
export function createObserver() {
  const seen = new Map<string, { text: string; since: number; asked: number }>();
  return {
    /**
     * Seconds for which a text has been the same, as far as was observed.
     *
     * @param before - seconds for which it has been so when it is seen for the first time. Default 0.
     */
    unchanged(name: string, text: string, before = 0): number {
      const now = performance.now();
      const known = seen.get(name);
      if (known?.text === text) {
        known.asked = now;
        return (now - known.since) / 1000;
      }
      const age = known === undefined ? before : 0;
      seen.set(name, { text, since: now - 1000 * age, asked: now });
      return age;
    },
    isNew: (name: string): boolean => !seen.has(name),
    forget: (name: string): void => void seen.delete(name),
    /** Forgets what nobody has asked for lately: a worker that runs for weeks sees millions of leases. */
    prune(): void {
      const old = performance.now() - 2000 * OLD_SECONDS;
      for (const [name, { asked }] of seen) if (asked < old) seen.delete(name);
    },
  };
}
type Observer = ReturnType<typeof createObserver>;

/**
 * Whether who writes a file lives: it has changed lately, or is seen for the first time and not old. What looks old may
 * come from another clock: once it changes, it lives.
 */
export async function isBeating(file: string, observer: Observer): Promise<boolean> {
  const text = await textOf(file).catch(() => null);
  if (text === null) return false;
  let before = 0;
  if (observer.isNew(file)) {
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: 0 }));
    if (Date.now() - mtimeMs > 1000 * OLD_SECONDS) before = OLD_SECONDS;
  }
  return observer.unchanged(file, text, before) < ALIVE_SECONDS;
}

export async function makeFolders(place: SpoolPlace): Promise<ReturnType<typeof foldersOf>> {
  const folders = foldersOf(place);
  try {
    for (const folder of [folders.workers, folders.alive]) await mkdir(folder, { recursive: true });
  } catch (cause) {
    const got = (cause as Error).message;
    throw new InvalidOptionError(`spool ${place.spool}`, "a folder that all machines see", got, { cause });
  }
  return folders;
}
