import { randomUUID } from "node:crypto";
import { link, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { RunStateError } from "../../base/errors.js";
import { isProcess, startOfProcess } from "../../base/platform.js";
import { isMissing, readRegularFile } from "../arrow/regular-file.js";

const ownerSchema = z.object({
  pid: z.int().positive(),
  host: z.string(),
  /** When the process began, as its system counts; null or absent where that cannot be known. */
  started: z.string().nullish(),
});

const LOCK_FILE = ".writer.lock";

/** A writer's claim on a run directory. */
export interface RunLock {
  /** @throws {@link RunStateError} if another writer has taken over since. */
  check(): void;
  /** Gives the directory free, unless another writer has it. Idempotent. */
  release(): Promise<void>;
}

/** Claims of this process by directory: the text of the newest one's file. */
const claims = new Map<string, string>();

/** Claims of this process are made one after another, so that the newest is that of the last call. */
let lastAttempt: Promise<unknown> = Promise.resolve();

/**
 * Claims a run directory, so that two trainings do not write into one run.
 *
 * The claim is a dot file naming process and host. That of a process which ended is void, also after
 * kill -9, and where another process has its number since (Linux tells when a process began), and so is one of
 * another host, whose processes cannot be seen from here (containers get new
 * host names). Within a process a new writer takes over: a training that threw never closed its own. Of
 * processes that start together only one gets the directory.
 *
 * @param directory - absolute path of the run.
 * @throws {@link RunStateError} if a living process holds the directory.
 */
export function lockRun(directory: string): Promise<RunLock> {
  const attempt = lastAttempt.then(() => claim(directory));
  lastAttempt = attempt.catch(() => undefined);
  return attempt;
}

/** Says whether a living process of this machine writes a run: this one or another. */
export async function isRunInUse(directory: string): Promise<boolean> {
  const text = await readIfThere(join(directory, LOCK_FILE));
  const owner = text === null ? null : parseOwner(text);
  return (
    owner !== null && ((await isAlive(owner)) || (owner.pid === process.pid && owner.host === hostname()))
  );
}

async function claim(directory: string): Promise<RunLock> {
  const file = join(directory, LOCK_FILE);
  const text = JSON.stringify({
    pid: process.pid,
    host: hostname(),
    started: await startOfProcess(process.pid),
    id: randomUUID(),
  });
  const holder = await take(file, text);
  if (holder !== null) {
    const hint = `end it, or delete ${file} if it is no training`;
    throw new RunStateError(directory, "a run that nobody writes", `one in use by process ${holder}`, {
      hint,
    });
  }
  claims.set(directory, text);
  return {
    check: () => {
      if (claims.get(directory) === text) return;
      throw new RunStateError(directory, "to be the run's only writer", "a newer one that has taken over");
    },
    release: async () => {
      if (claims.get(directory) !== text) return;
      claims.delete(directory);
      if ((await readIfThere(file)) === text) await rm(file, { force: true });
    },
  };
}

/** Makes a lock file unless a living process holds it; returns that process's number, or null. */
async function take(file: string, text: string): Promise<number | null> {
  while (!(await createWhole(file, text))) {
    const found = await readIfThere(file);
    if (found === null) continue;
    const owner = parseOwner(found);
    if (owner !== null && (await isAlive(owner))) return owner.pid;
    // Unreadable: cut off by a crash, or about to be completed where files cannot be made whole at once.
    if (owner === null) await sleep(100);
    const remover = await removeVoid(file, found, text);
    if (remover !== null) return remover;
  }
  return null;
}

/**
 * Removes a stale lock. A second lock guards the removal, since compare-and-delete is not atomic.
 * Returns the pid of the process that is already doing it, or null.
 */
async function removeVoid(file: string, found: string, text: string): Promise<number | null> {
  const guard = `${file}.removal`;
  const holder = await take(guard, text);
  if (holder !== null) return holder;
  try {
    if ((await readIfThere(file)) === found) await rm(file, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
  return null;
}

/** Makes a file that is complete as soon as it can be seen; false if there is one already. */
async function createWhole(file: string, text: string): Promise<boolean> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, text, { flag: "wx" });
    // Not every file system has links.
    await link(temporary, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") throw error;
      return writeFile(file, text, { flag: "wx" });
    });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return new TextDecoder().decode(await readRegularFile(file));
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function parseOwner(text: string): z.infer<typeof ownerSchema> | null {
  try {
    return ownerSchema.parse(JSON.parse(text));
  } catch {
    // Cut off while it was written: nobody to be asked.
    return null;
  }
}

async function isAlive({ pid, host, started }: z.infer<typeof ownerSchema>): Promise<boolean> {
  if (host !== hostname() || pid === process.pid || !isProcess(pid)) return false;
  if (started === null || started === undefined) return true;
  // The number may have gone to another process since.
  const now = await startOfProcess(pid);
  return now === null || now === started;
}
