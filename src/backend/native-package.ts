import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { restoreRemovedNodeUtil } from "./node-compat.js";

/** The packages that carry the native backend, the preferred one first. */
export const NATIVE_PACKAGES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"] as const;

/** Name of a package that carries the native backend. */
export type NativePackage = (typeof NATIVE_PACKAGES)[number];

/** Outcome of loading a native package: it is active now, it is not installed, or it does not work. */
export type NativeOutcome =
  | { readonly state: "loaded" }
  | { readonly state: "absent" }
  | { readonly state: "broken"; readonly reason: string; readonly cause: unknown };

/** Returns the folder of a package as seen from this package, else from the working directory. */
export function findPackageFolder(name: string): string | undefined {
  for (const from of [import.meta.url, join(process.cwd(), "package.json")]) {
    try {
      return dirname(createRequire(from).resolve(`${name}/package.json`));
    } catch {
      // Not installed there: an optional package, the caller reports its absence.
    }
  }
  return undefined;
}

/** Returns the version in a package's package.json, or "unknown" where it is not found. */
export function packageVersion(name: string): string {
  const folder = findPackageFolder(name);
  if (folder === undefined) return "unknown";
  const manifest: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const version = (manifest as { readonly version?: unknown }).version;
  return typeof version === "string" ? version : "unknown";
}

/**
 * Loads a native package, which makes its backend the active one.
 *
 * The addon is looked for and opened before the package itself: a package that fails half-way leaves its
 * kernels registered, and npm may have left it in place without its addon.
 */
export async function loadNativePackage(name: NativePackage): Promise<NativeOutcome> {
  const folder = findPackageFolder(name);
  if (folder === undefined) return { state: "absent" };
  restoreRemovedNodeUtil();
  // TensorFlow's C++ code reads this when it is loaded; 2 leaves errors and drops CPU-feature notices.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";
  const require = createRequire(join(folder, "package.json"));
  try {
    // Loading the second package over the first would register every kernel twice, and change nothing.
    if (tf.findBackendFactory("tensorflow") !== null) return await reactivate(name);
    const addon = addonPath(require, folder);
    if (!existsSync(addon))
      return { state: "broken", reason: `its addon is missing (${addon})`, cause: undefined };
    require(addon);
    require(folder);
    await tf.setBackend("tensorflow");
    tf.tidy(() => tf.scalar(1).add(1).dataSync());
    return { state: "loaded" };
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split("\n")[0] ?? cause.message) : String(cause);
    return { state: "broken", reason: `its addon does not load (${reason})`, cause };
  }
}

/** Makes a native backend that is loaded already the active one, if it is the package asked for. */
async function reactivate(name: NativePackage): Promise<NativeOutcome> {
  const backend = tf.findBackend("tensorflow") as unknown as { readonly isGPUPackage: boolean };
  const loaded = NATIVE_PACKAGES[backend.isGPUPackage ? 0 : 1];
  if (loaded !== name) {
    return {
      state: "broken",
      reason: `${loaded} is loaded, and one process takes one of them`,
      cause: undefined,
    };
  }
  await tf.setBackend("tensorflow");
  return { state: "loaded" };
}

/** Where the package's addon must lie, as the package itself works it out. */
function addonPath(require: NodeJS.Require, folder: string): string {
  const finder = require("@mapbox/node-pre-gyp") as { find(manifest: string): string };
  return finder.find(join(folder, "package.json"));
}
