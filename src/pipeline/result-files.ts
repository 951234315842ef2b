import { join } from "node:path";
import { InvalidOptionError } from "../errors.js";
import type { Run } from "../store/run.js";
import { fileName } from "./slice-options.js";

/** Where the results of an analysis of a plane lie. */
export interface ResultFiles {
  readonly directions: string;
  /** Coordinates of each run's path, in the order of the runs. */
  readonly trajectories: readonly string[];
  /** The same with true and plane losses. */
  readonly fidelity: readonly string[];
  readonly surface: string;
  /** A second place to read from, where the first has nothing up to date; nothing is written there. */
  readonly elsewhere?: ResultFiles;
}

/** Reads a result from the first of its places that has it up to date. */
export async function readFirst<T>(
  files: ResultFiles,
  place: (files: ResultFiles) => string | undefined,
  read: (file: string) => Promise<T | null>,
): Promise<T | null> {
  for (const from of [files, files.elsewhere]) {
    const file = from === undefined ? undefined : place(from);
    const found = file === undefined ? null : await read(file);
    if (found !== null) return found;
  }
  return null;
}

/**
 * Returns the files of the PCA plane of one run (in its own directory) or several (in `directory`).
 *
 * @throws {InvalidOptionError} if several runs have no directory for what they share.
 */
export function resultFiles(runs: readonly Run[], directory?: string): ResultFiles {
  const folder = directory ?? onlyDirectory(runs);
  const names = runs.length === 1 ? ["pca"] : runs.map((_, index) => `pca-${index}`);
  return {
    directions: join(folder, "directions", "pca.arrow"),
    trajectories: names.map((name) => join(folder, "trajectories", `${name}.arrow`)),
    fidelity: names.map((name) => join(folder, "fidelity", `${name}.arrow`)),
    surface: join(folder, "surfaces", "pca.arrow"),
  };
}

function onlyDirectory(runs: readonly Run[]): string {
  const [first, second] = runs;
  if (first === undefined || second !== undefined) {
    throw new InvalidOptionError("directory", "a folder for results of several runs", "none");
  }
  return first.directory;
}

/** Returns the file of a plane's surface on one evaluation set. */
export function surfaceFile(directory: string, plane: string, set: string): string {
  return join(directory, "surfaces", `${plane}-${fileName(set)}.arrow`);
}
