import * as tf from "@tensorflow/tfjs";
import { registerWasmGradients } from "./wasm-gradients/register.js";

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
    return { state: "loaded" };
  } catch (cause) {
    return { state: "broken", reason: cause instanceof Error ? cause.message : String(cause), cause };
  }
}
