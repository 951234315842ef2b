import * as tf from "@tensorflow/tfjs";
import { BackendError } from "../errors.js";
import type { LandscapeWarning } from "../warning.js";
import type { BackendInfo } from "./backend-info.js";
import { NATIVE_PACKAGES, type NativePackage, packageVersion } from "./native-package.js";
import { WASM_PACKAGE } from "./wasm-package.js";

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
      return { name: "wasm", package: WASM_PACKAGE, version: packageVersion(WASM_PACKAGE) };
    case "cpu":
      return { name: "js", package: JS_PACKAGE, version: packageVersion(JS_PACKAGE) };
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
  return { name: "native", package: name, version: packageVersion(name), library };
}
