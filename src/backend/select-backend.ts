import * as tf from "@tensorflow/tfjs";
import { BackendError, InvalidOptionError, MissingDependencyError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import {
  activeFacts,
  activeNativePackage,
  BACKEND_CHOICES,
  type BackendChoice,
  type BackendInfo,
  currentBackend,
  rememberBackend,
  rememberedBackend,
  slowBackendWarning,
} from "./current-backend.js";
import {
  loadNativePackage,
  loadWasmPackage,
  NATIVE_PACKAGES,
  type NativePackage,
  removeCrashHandlers,
  restoreRemovedNodeUtil,
  WASM_PACKAGE,
} from "./native-package.js";
import { copiesWarning } from "./tfjs-copies.js";
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
  if (tf.getBackend() === "wasm") {
    registerWasmGradients();
    removeCrashHandlers();
  }
  const info = currentBackend();
  return { ...info, warnings: [...info.warnings, ...warnings] };
}

function keptWarning(choice: BackendChoice, active: string): LandscapeWarning {
  return {
    code: "backend-kept",
    message: `TFJS_LANDSCAPE_BACKEND asks for "${choice}", but the program has set "${active}", which is kept`,
  };
}

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
  const info = keepActiveBackend(request) ?? rememberBackend(await start(request));
  const warning = copiesWarning();
  return warning === null ? info : { ...info, warnings: [...info.warnings, warning] };
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

/** The backend of plain JavaScript greets on the console at its first tensor; warnings say as much as data. */
function quietJavaScript(): void {
  const backend = tf.findBackend("cpu") as unknown as { firstUse: boolean };
  backend.firstUse = false;
}

/**
 * Runs a synchronous function on the backend of plain JavaScript, whose arithmetic is exact where numbers are not
 * finite, and goes back to the active one. Tensors move to where they are used, bit for bit.
 *
 * @throws {@link BackendError} if the program has removed that backend.
 */
export function onPlainJavaScript<T>(run: () => T): T {
  const active = tf.getBackend();
  if (active === "cpu") return run();
  quietJavaScript();
  // Backends that have started are set within the call.
  void tf.setBackend("cpu");
  try {
    if (tf.getBackend() !== "cpu") throw new BackendError("cpu", "TF.js's plain JavaScript backend", "none");
    return run();
  } finally {
    void tf.setBackend(active);
  }
}

async function startJavaScript(reason: string, warnings: readonly LandscapeWarning[]): Promise<BackendInfo> {
  quietJavaScript();
  await tf.setBackend("cpu");
  return { ...activeFacts(), reason, warnings: [...warnings, slowBackendWarning()] };
}
