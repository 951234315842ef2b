import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type NativeIdentity, nativeIdentitySchema } from "../../backend/waiting-backend.js";
import type { OwnValueStore } from "../../loss/engine/own-values.js";
import { writeFileAtomic } from "../arrow/atomic-file.js";
import { namesInFolder } from "../arrow/regular-file.js";

const FORMAT = "tfjs-landscape-own-values";
/** Beside the other results of a folder. */
const FOLDER = "checks";

const fileSchema = z.object({
  format: z.literal(FORMAT),
  formatVersion: z.literal(1),
  key: z.string(),
  /** The native backend that gave the values; null of another one. */
  native: nativeIdentitySchema.nullable(),
  values: z.array(
    z.object({
      theta: z.string(),
      place: z.object({ plane: z.string(), alpha: z.number(), beta: z.number() }).nullable(),
      value: z.object({ loss: z.number(), metrics: z.record(z.string(), z.number()) }).nullable(),
    }),
  ),
});

type OwnValuesFile = z.infer<typeof fileSchema>;

/** Returns what a file holds; null where there is none, or one that cannot be used: its values are computed again. */
async function readOwnValues(file: string): Promise<OwnValuesFile | null> {
  try {
    return fileSchema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch {
    return null;
  }
}

/**
 * Keeps the values of a model's own ops in `checks/own-values-<8 digits>.json`, one file for each key.
 *
 * @param native - tells what computes them, when they are written.
 */
export function ownValueStore(directory: string, native: () => NativeIdentity | null): OwnValueStore {
  const fileOf = (key: string) => join(directory, FOLDER, `own-values-${key.slice(0, 8)}.json`);
  return {
    async read(key) {
      const stored = await readOwnValues(fileOf(key));
      return stored?.key === key ? stored.values : [];
    },
    async write(key, values) {
      const content: OwnValuesFile = {
        format: FORMAT,
        formatVersion: 1,
        key,
        native: native(),
        values: [...values] as OwnValuesFile["values"],
      };
      await writeFileAtomic(fileOf(key), Buffer.from(`${JSON.stringify(content, null, 1)}\n`));
    },
  };
}

/** Returns the native backend by which values in a folder were computed; null where none is told, or several differ. */
export async function nativeOfOwnValues(directory: string): Promise<NativeIdentity | null> {
  const found = new Map<string, NativeIdentity>();
  for (const name of await namesInFolder(join(directory, FOLDER))) {
    if (!/^own-values-[0-9a-f]{8}\.json$/.test(name)) continue;
    const native = (await readOwnValues(join(directory, FOLDER, name)))?.native ?? null;
    if (native !== null) found.set(JSON.stringify(native), native);
  }
  const [first] = found.values();
  return found.size === 1 ? (first as NativeIdentity) : null;
}
