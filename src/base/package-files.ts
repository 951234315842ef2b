import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { MissingDependencyError } from "./errors.js";

/**
 * Returns this package's version, from the package.json above this file: two folders up in the sources,
 * three in the compiled package.
 */
export function ownPackageVersion(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (existsSync(file)) return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
    if (folder === dirname(folder)) return "unknown";
  }
}

let root: string | undefined;

/**
 * Returns the path of a file of this package, wherever it is run from: sources, `dist/` or `node_modules`.
 *
 * @throws {@link MissingDependencyError} if the file is not there, with how to get it.
 */
export function packageFile(relativePath: string, hint: string): string {
  root ??= findRoot(dirname(fileURLToPath(import.meta.url)));
  const file = join(root, relativePath);
  if (!existsSync(file)) throw new MissingDependencyError(file, "a file of this package", "none", { hint });
  return file;
}

/** Climbs to the folder of the package.json that bears this package's name. */
function findRoot(folder: string): string {
  const manifest = join(folder, "package.json");
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).name === "tfjs-landscape")
    return folder;
  const parent = dirname(folder);
  if (parent === folder) {
    throw new MissingDependencyError("tfjs-landscape", "its package.json above the code", "none", {
      hint: "install the package again",
    });
  }
  return findRoot(parent);
}
