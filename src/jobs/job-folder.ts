import { rmSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "../base/digest.js";

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
 */
export async function createJobFolder(): Promise<JobFolder> {
  await removeAbandoned();
  const path = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const remove = (): void => {
    process.removeListener("exit", remove);
    rmSync(path, { recursive: true, force: true });
  };
  process.on("exit", remove);
  return { path, file: (name) => join(path, name), remove };
}

async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name);
    if (owner === null || isAlive(Number(owner[1]))) continue;
    // Another user's cannot be removed, nor need it.
    await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
