import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import type { Provenance } from "../../base/provenance.js";
import { namesInFolder, readable } from "../arrow/regular-file.js";
import { readArtifactFacts } from "./artifact.js";
import { engineSchema, type JournalFacts, readInterruptedFacts } from "./tile-journal.js";

/** What says which of two results of a folder was stored, or asked for, later. */
export interface ResultOrder {
  /** Counts up in a folder, whatever the clock says; 0 in files of versions before it was counted. */
  readonly ordinal: number;
  /** Time of the file (milliseconds since 1970): tells those of equal ordinals apart. */
  readonly time: number;
  readonly name: string;
}

/** Returns the order of a result that was read. */
export async function orderOf(file: string, provenance: Provenance): Promise<ResultOrder> {
  const { mtimeMs: time } = await readable(file, () => stat(file));
  return { ordinal: ordinalOf(provenance), time, name: basename(file) };
}

/** Compares results, the oldest first. */
export function compareOrder(a: ResultOrder, b: ResultOrder): number {
  return a.ordinal - b.ordinal || a.time - b.time || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

function ordinalOf({ chosen }: Provenance): number {
  const ordinal = chosen?.ordinal;
  return typeof ordinal === "number" && Number.isSafeInteger(ordinal) && ordinal > 0 ? ordinal : 0;
}

/**
 * Returns a provenance that makes a result the newest of its folder: `chosen.ordinal` is larger than that of all
 * others. A file that is the newest keeps its ordinal, so that computing it again gives the same bytes.
 *
 * Two processes at once may count alike: then the times of their files decide.
 */
export async function asNewest(file: string, provenance: Provenance): Promise<Provenance> {
  const folder = dirname(file);
  let [own, most] = [0, 0];
  for (const name of await namesInFolder(folder)) {
    if (!/^[^.].*\.arrow$/.test(name)) continue;
    // What cannot be read is no result to come after; who reads the folder says so.
    const facts = await readArtifactFacts(join(folder, name)).catch(() => null);
    const ordinal = facts === null ? 0 : ordinalOf(facts.provenance);
    if (name === basename(file)) own = ordinal;
    else most = Math.max(most, ordinal);
  }
  return { ...provenance, chosen: { ...provenance.chosen, ordinal: Math.max(own, most + 1) } };
}

/** Folders of results whose values an engine computes point by point. */
const FOLDERS = ["surfaces", "fidelity", "lines"];

const chosenSchema = z.object({
  engine: engineSchema.optional(),
  engines: z.array(engineSchema).optional(),
});

/**
 * Returns what the results of some names were computed with: those that were interrupted first, then complete ones,
 * the newest first. Going on with their engine keeps the bits of points that are known.
 *
 * @param names - beginnings of the files' names: "pca-train" is that of "pca-train-1a2b3c4d.arrow".
 */
export async function earlierResults(folder: string, names: readonly string[]): Promise<JournalFacts[]> {
  const interrupted: JournalFacts[] = [];
  const complete: { readonly order: ResultOrder; readonly facts: JournalFacts }[] = [];
  for (const kind of FOLDERS) {
    for (const entry of await namesInFolder(join(folder, kind))) {
      const base = /^\.?([^.].*?\.arrow)(\.tiles)?$/.exec(entry)?.[1];
      if (base === undefined || !names.some((name) => isNamed(base, name))) continue;
      const file = join(folder, kind, base);
      if (entry.endsWith(".tiles")) {
        const left = await readInterruptedFacts(file);
        if (left !== null) interrupted.push(left);
        continue;
      }
      const provenance = (await readArtifactFacts(file))?.provenance;
      const chosen = chosenSchema.safeParse(provenance?.chosen);
      if (provenance === undefined || !chosen.success) continue;
      const { engine, engines = engine === undefined ? [] : [engine] } = chosen.data;
      complete.push({ order: await orderOf(file, provenance), facts: { provenance, engines } });
    }
  }
  complete.sort((a, b) => compareOrder(b.order, a.order));
  return [...interrupted, ...complete.map(({ facts }) => facts)];
}

/** Whether a file has the name, alone or with digits that tell it from others. */
function isNamed(base: string, name: string): boolean {
  return base.startsWith(name) && /^(-[0-9a-f]{8})?(\.approximate)?\.arrow$/.test(base.slice(name.length));
}
