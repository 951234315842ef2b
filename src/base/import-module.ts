import { pathToFileURL } from "node:url";
import { MODULE_URL } from "./package-files.js";

/** Left to Node.js when a TypeScript module is loaded: one copy of each, and no time lost on compiling them. */
const TENSORFLOW = ["@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm"];

/**
 * Imports a user's JavaScript or TypeScript module.
 *
 * @param file - absolute path.
 * @returns its exports; of a CommonJS module, what `module.exports` holds.
 */
export async function importModule(file: string): Promise<Record<string, unknown>> {
  if (!/\.[cm]?tsx?$/.test(file)) return unwrap(await import(pathToFileURL(file).href));
  const { createJiti } = await import("jiti");
  return unwrap(await createJiti(MODULE_URL, { nativeModules: TENSORFLOW }).import(file));
}

/** Names that stand beside the exports of a CommonJS module. */
const NO_EXPORTS = ["default", "module.exports", "__esModule"];

/** A CommonJS module's exports arrive as `default`; so does a sweep, beside which a module may export more. */
function unwrap(loaded: unknown): Record<string, unknown> {
  const module = loaded as Record<string, unknown>;
  const inner = module.default;
  if (module.loadData !== undefined || typeof inner !== "object" || inner === null) return module;
  const isMore = (name: string): boolean => !NO_EXPORTS.includes(name) && !(name in inner);
  return Object.keys(module).some(isMore) ? { ...module, ...inner } : (inner as Record<string, unknown>);
}
