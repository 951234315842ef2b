import type { BackendChoice, BackendName } from "../../src/backend/current-backend.js";
import { selectBackend } from "../../src/backend/select-backend.js";

/**
 * Makes the backend that this test run is for the active one, and returns its name.
 *
 * It is the one that TFJS_LANDSCAPE_BACKEND names, WebAssembly where it names none. A backend that was
 * asked for and does not work fails the test: the run would otherwise prove nothing about it.
 */
export async function useTestBackend(): Promise<BackendName> {
  const choice = (process.env.TFJS_LANDSCAPE_BACKEND || "wasm") as BackendChoice;
  const info = await selectBackend({ backend: choice });
  return info.name;
}
