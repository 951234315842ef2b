import { open, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { RunStateError } from "../errors.js";

const ownerSchema = z.object({ pid: z.int().positive(), host: z.string() });

/** A writer's claim on a run directory. */
export interface RunLock {
  /** @throws {@link RunStateError} if another writer has taken over since. */
  check(): void;
  /** Gives the directory free, unless another writer has it. Idempotent. */
  release(): Promise<void>;
}

/** Claims of this process by directory. */
const claims = new Map<string, symbol>();

/**
 * Claims a run directory, so that two trainings do not write into one run.
 *
 * The claim is a dot file naming process and host. That of a process which ended is void, also after
 * kill -9, and so is one of another host, whose processes cannot be seen from here (containers get new
 * host names). Within a process a new writer takes over: a training that threw never closed its own.
 *
 * @param directory - absolute path of the run.
 * @throws {@link RunStateError} if a living process holds the directory.
 */
export async function lockRun(directory: string): Promise<RunLock> {
  const file = join(directory, ".writer.lock");
  const owner = await readOwner(file);
  if (owner !== null && isAlive(owner)) {
    const hint = `end it, or delete ${file} if it is no training`;
    throw new RunStateError(directory, "a run that nobody writes", `one in use by process ${owner.pid}`, {
      hint,
    });
  }
  const claim = Symbol(directory);
  claims.set(directory, claim);
  await writeOwner(file);
  return {
    check: () => {
      if (claims.get(directory) === claim) return;
      throw new RunStateError(directory, "to be the run's only writer", "a newer one that has taken over");
    },
    release: async () => {
      if (claims.get(directory) !== claim) return;
      claims.delete(directory);
      await rm(file, { force: true });
    },
  };
}

async function readOwner(file: string): Promise<z.infer<typeof ownerSchema> | null> {
  try {
    return ownerSchema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch {
    // No claim, or one cut off while it was written: either way nobody to be asked.
    return null;
  }
}

function isAlive({ pid, host }: z.infer<typeof ownerSchema>): boolean {
  if (host !== hostname() || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function writeOwner(file: string): Promise<void> {
  const handle = await open(file, "w");
  try {
    await handle.writeFile(JSON.stringify({ pid: process.pid, host: hostname() }));
  } finally {
    await handle.close();
  }
}
