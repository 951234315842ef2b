import * as tf from "@tensorflow/tfjs";
import { BackendError } from "../errors.js";
import type { LandscapeWarning } from "../warning.js";
import type { BackendChoice, BackendInfo } from "./backend-info.js";
import { activeNativePackage, currentBackend, rememberedBackend } from "./current-backend.js";
import { registerWasmGradients } from "./wasm-gradients/register.js";

/** What was asked for, and where. */
export interface BackendRequest {
  readonly choice: BackendChoice;
  readonly by: "option" | "environment" | "default";
}

/**
 * Returns the active backend if the request is to keep it, or undefined if another is to be started.
 *
 * @throws {@link BackendError} if the option asks for another backend than the one the program has set.
 */
export function keepActiveBackend(request: BackendRequest): BackendInfo | undefined {
  const active: string | undefined = tf.getBackend() ?? undefined;
  if (active === undefined) return undefined;
  if (request.choice === "auto" || isServedBy(request.choice, active)) return keep([]);
  if (active === "cpu" || rememberedBackend() !== undefined) return undefined;
  if (request.by === "environment") return keep([keptWarning(request.choice, active)]);
  throw new BackendError(
    "backend",
    `"${request.choice}" to be free to start`,
    `"${active}" set by the program`,
    {
      hint: "leave the choice to one of the two",
    },
  );
}

function isServedBy(choice: BackendChoice, active: string): boolean {
  switch (choice) {
    case "native":
      return active === "tensorflow";
    case "tfjs-node-gpu":
    case "tfjs-node":
      return active === "tensorflow" && activeNativePackage() === `@tensorflow/${choice}`;
    case "js":
      return active === "cpu";
    default:
      return active === choice;
  }
}

function keep(warnings: readonly LandscapeWarning[]): BackendInfo {
  if (tf.getBackend() === "wasm") registerWasmGradients();
  const info = currentBackend();
  return { ...info, warnings: [...info.warnings, ...warnings] };
}

function keptWarning(choice: BackendChoice, active: string): LandscapeWarning {
  return {
    code: "backend-kept",
    message: `TFJS_LANDSCAPE_BACKEND asks for "${choice}", but the program has set "${active}", which is kept`,
  };
}
