import * as tf from "@tensorflow/tfjs";
import { BackendError } from "../base/errors.js";
import { installedVersion } from "../base/package-files.js";
import type { LandscapeWarning } from "../base/warning.js";
import { NATIVE_PACKAGES, type NativePackage, WASM_PACKAGE } from "./native-package.js";

/**
 * What computes: native TensorFlow, TF.js on WebAssembly, TF.js in plain JavaScript, or the TF.js name of
 * another backend that the program has set ("webgl", "webgpu").
 */
export type BackendName = "native" | "wasm" | "js" | (string & {});

/**
 * What can be asked for: the best that works ("auto"), native TensorFlow from either package or from one of
 * them, WebAssembly, or plain JavaScript.
 */
export type BackendChoice = "auto" | "native" | "tfjs-node-gpu" | "tfjs-node" | "wasm" | "js";

/** Every {@link BackendChoice}, in the order of the help text. */
export const BACKEND_CHOICES: readonly BackendChoice[] = [
  "auto",
  "native",
  "tfjs-node-gpu",
  "tfjs-node",
  "wasm",
  "js",
];

/** The backend that computes, and why it is this one. */
export interface BackendInfo {
  readonly name: BackendName;
  /** npm package that provides it. */
  readonly package: string;
  /** Version of that package. */
  readonly version: string;
  /** The library under it and the device it uses, where there is one: "TensorFlow 2.9.1 on the CPU". */
  readonly library?: string;
  /** Why this one: asked for, already set by the program, or the best that works. */
  readonly reason: string;
  /** What the user should know: a broken addon, a slow backend. */
  readonly warnings: readonly LandscapeWarning[];
}

/** Returns one line about a backend, for a log: name, package, version, library and why. */
export function describeBackend(info: BackendInfo): string {
  const library = info.library === undefined ? "" : `, ${info.library}`;
  return `${info.name} (${info.package} ${info.version}${library}): ${info.reason}`;
}

/** The package of TF.js's plain JavaScript backend. */
const JS_PACKAGE = "@tensorflow/tfjs-backend-cpu";

/** What is known of a backend apart from why it is the active one. */
type BackendFacts = Omit<BackendInfo, "reason" | "warnings">;

/** What tfjs-node's backend object tells about itself. */
interface NativeBackend {
  readonly isGPUPackage: boolean;
  readonly isUsingGpuDevice: boolean;
  readonly binding: { readonly TF_Version?: string };
}

/** The last choice of `selectBackend`, by TF.js's name of the backend. */
let chosen: { readonly tfjsName: string; readonly info: BackendInfo } | undefined;

/** Remembers that `selectBackend` chose the now active backend; returns `info`. */
export function rememberBackend(info: BackendInfo): BackendInfo {
  chosen = { tfjsName: tf.getBackend(), info };
  return info;
}

/** Returns what `selectBackend` said of the active backend, or undefined if the program has set it. */
export function rememberedBackend(): BackendInfo | undefined {
  return chosen !== undefined && chosen.tfjsName === tf.getBackend() ? chosen.info : undefined;
}

/**
 * Returns the backend that TF.js uses now and why, for provenance; changes nothing but lets TF.js start its
 * default backend if none has been used yet.
 *
 * @throws {@link BackendError} if a backend is still starting.
 */
export function currentBackend(): BackendInfo {
  startDefault();
  const remembered = rememberedBackend();
  if (remembered !== undefined) return remembered;
  const warnings = tf.getBackend() === "cpu" ? [slowBackendWarning()] : [];
  return { ...activeFacts(), reason: "set by the program", warnings };
}

/** Makes TF.js settle on its default backend if it has not yet. */
function startDefault(): void {
  try {
    tf.backend();
  } catch (cause) {
    throw new BackendError("the TensorFlow.js backend", "one that has started", "one still starting", {
      cause,
      hint: "await tf.ready(), or selectBackend(), first",
    });
  }
}

/** Says that plain JavaScript computes, and how to have something faster. */
export function slowBackendWarning(): LandscapeWarning {
  return {
    code: "slow-backend",
    message:
      "TensorFlow.js computes in plain JavaScript, some 500 times slower than natively; call " +
      "selectBackend() before making tensors, or import @tensorflow/tfjs-node first",
  };
}

/** Returns what the active backend is, without why. */
export function activeFacts(): BackendFacts {
  const tfjsName = tf.getBackend();
  switch (tfjsName) {
    case "tensorflow":
      return nativeFacts();
    case "wasm":
      return { name: "wasm", package: WASM_PACKAGE, version: installedVersion(WASM_PACKAGE) ?? "unknown" };
    case "cpu":
      return { name: "js", package: JS_PACKAGE, version: installedVersion(JS_PACKAGE) ?? "unknown" };
    default:
      return { name: tfjsName, package: `@tensorflow/tfjs-backend-${tfjsName}`, version: tf.version.tfjs };
  }
}

/** Returns which package the active native backend comes from. */
export function activeNativePackage(): NativePackage {
  const backend = tf.backend() as unknown as NativeBackend;
  return NATIVE_PACKAGES[backend.isGPUPackage ? 0 : 1];
}

function nativeFacts(): BackendFacts {
  const { binding, isUsingGpuDevice } = tf.backend() as unknown as NativeBackend;
  const name = activeNativePackage();
  const library = `TensorFlow ${binding.TF_Version ?? "of unknown version"} on the ${isUsingGpuDevice ? "GPU" : "CPU"}`;
  return { name: "native", package: name, version: installedVersion(name) ?? "unknown", library };
}
