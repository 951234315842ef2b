import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import util from "node:util";
import * as tf from "@tensorflow/tfjs";
import { messageOf } from "../base/errors.js";
import { findPackageFolder } from "../base/package-files.js";
import { registerWasmGradients } from "./wasm-gradients/register.js";

/** The part of `node:util` that Node 23 removed and tfjs-node 4.22 still calls at its first op. */
interface OldUtil {
  isNullOrUndefined?: (value: unknown) => boolean;
}

/**
 * Puts `util.isNullOrUndefined` back where Node no longer has it (23 and later).
 *
 * tfjs-node looks it up at each call, so any time before its first op is early enough. Does nothing where
 * the function exists.
 */
export function restoreRemovedNodeUtil(target: OldUtil = util as OldUtil): void {
  if (typeof target.isNullOrUndefined === "function") return;
  target.isNullOrUndefined = (value) => value === null || value === undefined;
}

/** The packages that carry the native backend, the preferred one first. */
export const NATIVE_PACKAGES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"] as const;

/** Name of a package that carries the native backend. */
export type NativePackage = (typeof NATIVE_PACKAGES)[number];

/** Outcome of loading a native package: it is active now, it is not installed, or it does not work. */
export type NativeOutcome =
  | { readonly state: "loaded" }
  | { readonly state: "absent" }
  | { readonly state: "broken"; readonly reason: string; readonly cause: unknown };

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

/** Returns the threads of the native backend, where the environment says how many; 0 where it does not. */
export function tensorFlowThreads(): number {
  return Number(process.env.TF_NUM_INTRAOP_THREADS ?? 0) || 0;
}

/** Emscripten's own listeners for errors that nobody catches, by their source text. */
const CRASH_HANDLERS = [
  ["uncaughtException", /instanceof ExitStatus/],
  ["unhandledRejection", /^function\s*\(reason\)\s*\{\s*throw reason;?\s*\}$/],
] as const;

/**
 * Takes the listeners away that the WebAssembly package puts on the process: they throw every uncaught error
 * again, so that Node.js prints the package's source instead of the user's error, and ends with code 7.
 */
export function removeCrashHandlers(): void {
  for (const [event, text] of CRASH_HANDLERS) {
    for (const listener of process.listeners(event as "uncaughtException")) {
      if (text.test(String(listener))) process.off(event, listener);
    }
  }
}

/** The package that carries the WebAssembly backend. */
export const WASM_PACKAGE = "@tensorflow/tfjs-backend-wasm";

/** Outcome of starting the WebAssembly backend. */
export type WasmOutcome =
  | { readonly state: "loaded" }
  | { readonly state: "broken"; readonly reason: string; readonly cause: unknown };

/**
 * Starts the WebAssembly backend, completes it with the gradients it lacks and makes it the active one.
 *
 * The package finds its binaries beside its own script, so the working directory does not matter. In Node
 * it runs on one thread.
 */
export async function loadWasmPackage(): Promise<WasmOutcome> {
  try {
    await import("@tensorflow/tfjs-backend-wasm");
    if (!(await tf.setBackend("wasm"))) {
      return { state: "broken", reason: "it does not start", cause: undefined };
    }
    registerWasmGradients();
    removeCrashHandlers();
    return { state: "loaded" };
  } catch (cause) {
    return { state: "broken", reason: messageOf(cause), cause };
  }
}
