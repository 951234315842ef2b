import { MissingDependencyError } from "../base/errors.js";
import { requireThatFinds } from "../base/package-files.js";

/** The optional package that carries ONNX Runtime. */
export const ONNX_PACKAGE = "onnxruntime-node";

/** A tensor of ONNX Runtime. */
export interface OrtTensor {
  readonly data: Float32Array;
}

/** A session of ONNX Runtime. */
export interface OrtSession {
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Readonly<Record<string, OrtTensor>>>;
  release(): Promise<void>;
}

/** The part of onnxruntime-node that is used; it is typed here because the package may be absent. */
export interface OnnxRuntime {
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => OrtTensor;
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<OrtSession>;
  };
  readonly env: { readonly versions?: { readonly node?: string; readonly common?: string } };
  /** Providers that this build knows, and whether their libraries lie in the package. */
  listSupportedBackends?(): readonly { readonly name: string; readonly bundled: boolean }[];
}

/** Outcome of loading the package. */
export type OnnxOutcome =
  | { readonly state: "loaded"; readonly runtime: OnnxRuntime }
  | { readonly state: "absent" }
  | { readonly state: "broken"; readonly reason: string; readonly cause: unknown };

/**
 * Loads ONNX Runtime as seen from this package, else from the working directory.
 *
 * From 1.29 on it counts what it does, on Linux and macOS, under an identifier of the computer in ~/.cache/Microsoft, and
 * sends it to its makers. That is turned off unless the user has set ORT_DISABLE_TELEMETRY, which it reads when it is
 * first used; in a worker thread the variable must be set before, because a thread cannot set it for native code.
 */
export function loadOnnxRuntime(): OnnxOutcome {
  const require = requireThatFinds(ONNX_PACKAGE);
  if (require === null) return { state: "absent" };
  process.env.ORT_DISABLE_TELEMETRY ??= "1";
  try {
    return { state: "loaded", runtime: require(ONNX_PACKAGE) as OnnxRuntime };
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    return { state: "broken", reason, cause };
  }
}

/**
 * Returns ONNX Runtime, for a caller that has asked for it.
 *
 * @param where - what was asked for, for the error.
 *
 * @throws {@link MissingDependencyError} if it is not installed or does not load.
 */
export function requireOnnxRuntime(where = 'engine "onnx"'): OnnxRuntime {
  const outcome = loadOnnxRuntime();
  if (outcome.state === "loaded") return outcome.runtime;
  const got = outcome.state === "absent" ? "none" : `one that does not load (${outcome.reason})`;
  throw new MissingDependencyError(where, `the package ${ONNX_PACKAGE}`, got, {
    hint: `npm install ${ONNX_PACKAGE}`,
    ...(outcome.state === "broken" ? { cause: outcome.cause } : {}),
  });
}
