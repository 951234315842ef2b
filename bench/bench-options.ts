import { accessSync, constants } from "node:fs";
import { InvalidOptionError, messageOf } from "../src/base/errors.js";

/** What every bench is given: what follows its name on the command line, and where progress is told. */
export interface BenchOptions {
  readonly args: readonly string[];
  readonly log: (line: string) => void;
}

/**
 * Checks names that were asked for, before anything is measured.
 *
 * @throws {@link InvalidOptionError} naming the first that is not known.
 */
export function checkNames(option: string, asked: readonly string[], known: readonly string[]): void {
  const unknown = asked.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new InvalidOptionError(option, `one of ${known.join(", ")}`, unknown);
}

/**
 * Checks that a file or folder is there and may be read, or written to, before anything is measured.
 *
 * @throws {@link InvalidOptionError} with what the system says.
 */
export function checkPath(option: string, path: string, mode: "read" | "write" = "read"): void {
  try {
    accessSync(path, mode === "read" ? constants.R_OK : constants.W_OK);
  } catch (error) {
    throw new InvalidOptionError(option, `a place to ${mode}`, messageOf(error));
  }
}
