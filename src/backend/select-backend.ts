import * as tf from "@tensorflow/tfjs";
import { BackendError, InvalidOptionError, MissingDependencyError } from "../errors.js";
import type { LandscapeWarning } from "../warning.js";
import { BACKEND_CHOICES, type BackendChoice, type BackendInfo } from "./backend-info.js";
import { activeFacts, rememberBackend, slowBackendWarning } from "./current-backend.js";
import { type BackendRequest, keepActiveBackend } from "./keep-active-backend.js";
import { loadNativePackage, NATIVE_PACKAGES, type NativePackage } from "./native-package.js";
import { restoreRemovedNodeUtil } from "./node-compat.js";
import { loadWasmPackage, WASM_PACKAGE } from "./wasm-package.js";

/** Options of {@link selectBackend}. */
export interface SelectBackendOptions {
  /**
   * The backend to use; default what the environment variable TFJS_LANDSCAPE_BACKEND names, else "auto":
   * the best of tfjs-node-gpu, tfjs-node, WebAssembly and plain JavaScript that works.
   */
  readonly backend?: BackendChoice;
}

/** Choices run one after another: TF.js drops a backend whose start is overtaken by another. */
let queue: Promise<unknown> = Promise.resolve();

/**
 * Makes the asked-for or the best available TF.js backend the active one; returns which and why.
 *
 * A backend that the program has set before is never replaced: "auto" keeps it and adds what it lacks (the
 * gradients of WebAssembly, a function that Node 23 removed); asking for another one by option is an error,
 * by environment variable a warning. Plain JavaScript is where TF.js starts by itself, so whatever is asked
 * for does replace that. A choice made here may be followed by another. Call it before making models.
 *
 * @throws {@link InvalidOptionError} if the choice is not a {@link BackendChoice}.
 * @throws {@link MissingDependencyError} if the package asked for is not installed.
 * @throws {@link BackendError} if what was asked for does not work, or the program has set another backend.
 * @example const { name, reason, warnings } = await selectBackend();
 */
export function selectBackend(options: SelectBackendOptions = {}): Promise<BackendInfo> {
  const selected = queue.then(() => select(resolveRequest(options)));
  queue = selected.catch(() => undefined);
  return selected;
}

function resolveRequest(options: SelectBackendOptions): BackendRequest {
  if (options.backend !== undefined) return { choice: checkChoice(options.backend, "backend"), by: "option" };
  const variable = process.env.TFJS_LANDSCAPE_BACKEND;
  if (!variable) return { choice: "auto", by: "default" };
  return { choice: checkChoice(variable, "TFJS_LANDSCAPE_BACKEND"), by: "environment" };
}

function checkChoice(value: string, where: string): BackendChoice {
  const choice = BACKEND_CHOICES.find((known) => known === value);
  if (choice === undefined) {
    throw new InvalidOptionError(where, `one of ${BACKEND_CHOICES.join(", ")}`, JSON.stringify(value));
  }
  return choice;
}

async function select(request: BackendRequest): Promise<BackendInfo> {
  restoreRemovedNodeUtil();
  return keepActiveBackend(request) ?? rememberBackend(await start(request));
}

async function start(request: BackendRequest): Promise<BackendInfo> {
  const reason = request.by === "environment" ? "asked for by TFJS_LANDSCAPE_BACKEND" : "asked for";
  switch (request.choice) {
    case "auto":
      return selectBest();
    case "wasm":
      return selectWasm(reason);
    case "js":
      return startJavaScript(reason, []);
    case "native":
      return selectNative(NATIVE_PACKAGES, reason);
    case "tfjs-node-gpu":
    case "tfjs-node":
      return selectNative([`@tensorflow/${request.choice}`], reason);
  }
}

/** tfjs-node-gpu, else tfjs-node, else WebAssembly, else plain JavaScript. */
async function selectBest(): Promise<BackendInfo> {
  const warnings: LandscapeWarning[] = [];
  for (const name of NATIVE_PACKAGES) {
    const outcome = await loadNativePackage(name);
    if (outcome.state === "loaded") return { ...activeFacts(), reason: "the best that works", warnings };
    if (outcome.state === "broken") warnings.push(brokenNativeWarning(name, outcome.reason));
  }
  const why = warnings.length > 0 ? "no native backend works" : "no native backend is installed";
  const wasm = await loadWasmPackage();
  if (wasm.state === "loaded") return { ...activeFacts(), reason: `the best that works: ${why}`, warnings };
  warnings.push({ code: "wasm-backend-broken", message: `${WASM_PACKAGE} does not work: ${wasm.reason}` });
  return startJavaScript(`all that works: ${why}, and WebAssembly does not start`, warnings);
}

function brokenNativeWarning(name: NativePackage, reason: string): LandscapeWarning {
  return {
    code: "native-backend-broken",
    message: `${name} is installed but ${reason}; ${repairHint(name)}`,
  };
}

function repairHint(name: NativePackage): string {
  return `repair it with "npm rebuild ${name}" (in a clone of tfjs-landscape: "npm run setup:native")`;
}

async function selectNative(names: readonly NativePackage[], reason: string): Promise<BackendInfo> {
  const broken: string[] = [];
  let cause: unknown;
  for (const name of names) {
    const outcome = await loadNativePackage(name);
    if (outcome.state === "loaded") return { ...activeFacts(), reason, warnings: [] };
    if (outcome.state === "absent") continue;
    broken.push(`${name}: ${outcome.reason}; ${repairHint(name)}`);
    cause ??= outcome.cause;
  }
  if (broken.length === 0) {
    throw new MissingDependencyError("the native backend", `${names.join(" or ")} to be installed`, "none", {
      hint: `npm install ${names.at(-1)} (in a clone of tfjs-landscape: "npm run setup:native")`,
    });
  }
  throw new BackendError("the native backend", "an addon that works", broken.join("; "), { cause });
}

async function selectWasm(reason: string): Promise<BackendInfo> {
  const outcome = await loadWasmPackage();
  if (outcome.state === "loaded") return { ...activeFacts(), reason, warnings: [] };
  throw new BackendError("the wasm backend", `${WASM_PACKAGE} to start`, outcome.reason, {
    cause: outcome.cause,
  });
}

async function startJavaScript(reason: string, warnings: readonly LandscapeWarning[]): Promise<BackendInfo> {
  // The backend greets on the console at its first tensor; the warning below says as much as data.
  const backend = tf.findBackend("cpu") as unknown as { firstUse: boolean };
  backend.firstUse = false;
  await tf.setBackend("cpu");
  return { ...activeFacts(), reason, warnings: [...warnings, slowBackendWarning()] };
}
