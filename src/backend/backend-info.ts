import type { LandscapeWarning } from "../warning.js";

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
