import { join } from "node:path";
import { z } from "zod";
import { namesInFolder } from "../arrow/regular-file.js";
import { readArtifactFacts } from "./artifact.js";
import { compareOrder, orderOf, type ResultOrder } from "./result-order.js";
import { engineSchema, type JournalFacts, readInterruptedFacts } from "./tile-journal.js";

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
