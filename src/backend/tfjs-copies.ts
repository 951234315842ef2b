import { readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { LandscapeWarning } from "../base/warning.js";

const PACKAGE = "@tensorflow/tfjs";

/** Where a copy of TensorFlow.js lies, and its version. */
export interface TfjsCopy {
  readonly folder: string;
  readonly version: string;
}

/** Returns the copy of TensorFlow.js that code in a file finds; null where it finds none. */
export function tfjsSeenFrom(file: string): TfjsCopy | null {
  try {
    const manifest = realpathSync(createRequire(file).resolve(`${PACKAGE}/package.json`));
    const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly version: string };
    return { folder: join(manifest, ".."), version };
  } catch {
    // Nothing installed there: there is no second copy.
    return null;
  }
}

/**
 * Returns the two copies where the running program finds another TensorFlow.js than this package, or null.
 *
 * Layers, models and callbacks are told by their classes, which every copy has for itself.
 *
 * @param program - a file of the program. Default: its main script.
 */
export function otherCopies(
  program: string | undefined = process.argv[1],
): { readonly ours: TfjsCopy; readonly theirs: TfjsCopy } | null {
  const ours = tfjsSeenFrom(import.meta.url);
  const theirs = program === undefined ? null : tfjsSeenFrom(program);
  return ours === null || theirs === null || ours.folder === theirs.folder ? null : { ours, theirs };
}

/** Returns one sentence about the two copies and what to do, or null where there is one. */
export function describeCopies(program?: string): string | null {
  const copies = otherCopies(program);
  if (copies === null) return null;
  const { ours, theirs } = copies;
  return (
    `there are two copies of ${PACKAGE}: ${theirs.version} in ${theirs.folder}, which the program uses, and ` +
    `${ours.version} in ${ours.folder}, which tfjs-landscape uses; install one version for both (npm ls ${PACKAGE})`
  );
}

/** The same as a warning. */
export function copiesWarning(program?: string): LandscapeWarning | null {
  const message = describeCopies(program);
  return message === null ? null : { code: "two-tfjs-copies", message };
}
