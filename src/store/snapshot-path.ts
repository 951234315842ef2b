import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { FormatError } from "../errors.js";

/** Folder of a run's snapshots. */
export function snapshotFolder(directory: string): string {
  return join(directory, "snapshots");
}

/** Path of a snapshot's file: `snapshots/NNNNNN.arrow`. */
export function snapshotPath(directory: string, step: number): string {
  return join(snapshotFolder(directory), snapshotFileName(step));
}

function snapshotFileName(step: number): string {
  return `${String(step).padStart(6, "0")}.arrow`;
}

/**
 * Counts the snapshot files of a run, whose names must be 000000.arrow, 000001.arrow and so on. Files
 * whose names begin with a dot do not count.
 *
 * @throws {@link FormatError} naming the first file that is missing or should not be there.
 */
export async function countSnapshotFiles(directory: string): Promise<number> {
  const folder = snapshotFolder(directory);
  const names = (await readNames(folder)).filter((name) => !name.startsWith("."));
  const steps = names.map((name) => {
    const step = /^\d+\.arrow$/.test(name) ? Number.parseInt(name, 10) : -1;
    if (step >= 0 && snapshotFileName(step) === name) return step;
    throw new FormatError(join(folder, name), "only files named NNNNNN.arrow in this folder", `"${name}"`);
  });
  const present = new Set(steps);
  for (let step = 0; step < steps.length; step++) {
    if (present.has(step)) continue;
    const got = `a gap before ${snapshotFileName(Math.min(...steps.filter((other) => other > step)))}`;
    throw new FormatError(snapshotPath(directory, step), "a snapshot", got);
  }
  return steps.length;
}

/** Names in a folder; none where there is no folder (a run killed before its first snapshot). */
async function readNames(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    if (code === "ENOTDIR") throw new FormatError(folder, "a folder", "a file", { cause: error });
    throw error;
  }
}
