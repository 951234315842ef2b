import { accessSync, constants, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { InvalidOptionError } from "../errors.js";

/**
 * Returns the absolute path of the folder that a command writes into, found usable before the work begins;
 * nothing is made yet.
 *
 * @param out - what `--out` says.
 * @param otherwise - the folder without it.
 * @throws {@link InvalidOptionError} if it, or what it would be made in, is no folder or cannot be written to.
 */
export function outputFolder(out: string | undefined, otherwise: string): string {
  const folder = resolve(out ?? otherwise);
  const refused = (got: string, cause?: unknown) =>
    new InvalidOptionError(
      out === undefined ? folder : `--out ${out}`,
      "a folder that can be written to",
      got,
      {
        cause,
      },
    );
  const [existing, found] = nearest(folder);
  if (found?.isDirectory() !== true) throw refused(`${existing}, which is a file`);
  try {
    accessSync(existing, constants.W_OK);
  } catch (cause) {
    throw refused(`no permission to write in ${existing}`, cause);
  }
  return folder;
}

/** A path, or the first folder above it, that exists. */
function nearest(path: string): readonly [string, Stats | undefined] {
  const found = statOf(path);
  return found !== undefined || dirname(path) === path ? [path, found] : nearest(dirname(path));
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // A part of the path is a file: the answer is found further up.
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw error;
  }
}
