import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { MissingDependencyError } from "./errors.js";

/** Name of this package in its package.json. */
const NAME = "tfjs-landscape";

/** Address of this module, or of the bundle that it became part of (in CommonJS `import.meta` is empty). */
export const MODULE_URL: string = import.meta.url ?? pathToFileURL(__filename).href;

/** What a bundle that has lost this package's other files should do about it. */
const BUNDLE_HINT =
  "fonts, page code and worker files cannot be part of a bundle: keep tfjs-landscape installed where the program " +
  "runs, or copy its package.json, dist/ and assets/ into node_modules/tfjs-landscape beside the bundle";

let root: string | undefined;

/**
 * Returns this package's folder: the one above this module (sources, `dist/`), else, for a module that became part of
 * a bundle, the installed package as seen from the bundle or from the working directory.
 *
 * @throws {@link MissingDependencyError} if there is none, with what to copy.
 */
function packageRoot(): string {
  root ??= folderAbove(dirname(fileURLToPath(MODULE_URL))) ?? findPackageFolder(NAME);
  if (root === undefined) {
    throw new MissingDependencyError(NAME, "its files beside the program", "none", { hint: BUNDLE_HINT });
  }
  return root;
}

/** Climbs to the folder of the package.json that bears this package's name. */
function folderAbove(folder: string): string | undefined {
  const manifest = join(folder, "package.json");
  if (existsSync(manifest) && readManifest(manifest).name === NAME) return folder;
  return folder === dirname(folder) ? undefined : folderAbove(dirname(folder));
}

/**
 * Returns the `require` that finds a module of another package: as seen from this package, else from the working
 * directory. Null where it is not installed: what is optional is reported by the caller.
 */
export function requireThatFinds(module: string): NodeJS.Require | null {
  for (const from of [MODULE_URL, join(process.cwd(), "package.json")]) {
    const require = createRequire(from);
    try {
      require.resolve(module);
      return require;
    } catch {
      // Not installed there.
    }
  }
  return null;
}

/** Returns the folder of an installed package as {@link requireThatFinds} sees it; undefined where there is none. */
export function findPackageFolder(name: string): string | undefined {
  const manifest = `${name}/package.json`;
  const require = requireThatFinds(manifest);
  return require === null ? undefined : dirname(require.resolve(manifest));
}

/** Returns the version in an installed package's package.json; undefined where there is none. */
export function installedVersion(name: string): string | undefined {
  const folder = findPackageFolder(name);
  const version = folder === undefined ? undefined : readManifest(join(folder, "package.json")).version;
  return typeof version === "string" ? version : undefined;
}

function readManifest(file: string): { readonly name?: string; readonly version?: string } {
  return JSON.parse(readFileSync(file, "utf8"));
}

/**
 * Returns what finds the packages that this one brings along, wherever it is run from: a bundle that it became part of may
 * lie where they cannot be found.
 *
 * @throws {@link MissingDependencyError} if this package is not there, with what to copy.
 */
export function requireOfPackage(): NodeJS.Require {
  return createRequire(join(packageRoot(), "package.json"));
}

/** Returns this package's version; "unknown" where a bundle runs without the package. */
export function ownPackageVersion(): string {
  try {
    return readManifest(join(packageRoot(), "package.json")).version ?? "unknown";
  } catch (error) {
    if (error instanceof MissingDependencyError) return "unknown";
    throw error;
  }
}

/**
 * Returns the path of a file of this package, wherever it is run from: sources, `dist/`, `node_modules` or a bundle.
 *
 * @throws {@link MissingDependencyError} if the file is not there, with how to get it.
 */
export function packageFile(relativePath: string, hint: string): string {
  const file = join(packageRoot(), relativePath);
  if (!existsSync(file)) throw new MissingDependencyError(file, "a file of this package", "none", { hint });
  return file;
}

/**
 * Returns the path of a compiled module that runs in a thread or process of its own, or undefined where the
 * TypeScript sources run directly: a build beside them may be older than they are.
 *
 * @param module - its path below `dist/`, as in "src/capture/snapshot-worker.js".
 * @throws {@link MissingDependencyError} if this is compiled code and the file is not there.
 */
export function compiledModule(module: string): string | undefined {
  if (MODULE_URL.endsWith(".ts")) return undefined;
  return packageFile(`dist/${module}`, "install the package again");
}
