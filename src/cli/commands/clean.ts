import { rm } from "node:fs/promises";
import { type Command, Option } from "commander";
import { removeOptimizerStates } from "../../capture/optimizer-state-file.js";
import { listSurfaces, type StoredSurface } from "../../store/kinds/stored-surfaces.js";
import { openRun } from "../../store/run/open-run.js";
import { createOutput, type Output } from "../output.js";

/** Which surfaces stay. */
type Keep = "newest" | "best" | "complete" | "none";

/** Options of `clean`. */
interface CleanCommandOptions {
  readonly keep: Keep;
  readonly dryRun?: boolean;
  readonly optimizerState?: boolean;
}

/** `clean RUN --keep newest|best|…`: removes stored surfaces, and prints which. */
async function clean(
  directory: string,
  { keep, dryRun = false, optimizerState = false }: CleanCommandOptions,
  output: Output,
): Promise<void> {
  const run = await openRun(directory);
  const stored = await listSurfaces(run.directory);
  const kept = keptOf(stored, keep);
  const removed = stored.filter((one) => !kept.has(one));
  for (const { file } of removed) if (!dryRun) await rm(file);
  const states = optimizerState ? await removeOptimizerStates(run.directory, dryRun) : { files: 0, bytes: 0 };
  const bytes = removed.reduce((sum, one) => sum + one.bytes, 0);
  output.result({ removed: removed.map(({ name }) => name), bytes, optimizerStates: states.files, dryRun });
  for (const { name } of removed) output.print(`${dryRun ? "would remove" : "removed"} ${name}`);
  output.print(`${removed.length} of ${stored.length} surfaces, ${bytes.toLocaleString("en")} bytes`);
  if (!optimizerState) return;
  const verb = dryRun ? "would remove" : "removed";
  output.print(`${verb} ${states.files} states of the optimizer, ${states.bytes.toLocaleString("en")} bytes`);
}

/** The surfaces that stay: one of each plane, slice, set and policy, or all that are complete. */
function keptOf(stored: readonly StoredSurface[], keep: Keep): ReadonlySet<StoredSurface> {
  if (keep === "none") return new Set();
  if (keep === "complete") return new Set(stored.filter(({ partial }) => partial === null));
  const groups = new Map<string, StoredSurface>();
  for (const one of stored) {
    const { facts, key } = one;
    const group = JSON.stringify([
      facts.plane,
      facts.set,
      facts.batchNorm,
      key?.points.slice,
      key?.points.data,
    ]);
    const other = groups.get(group);
    if (other === undefined || keep === "newest" || pointsOf(one) >= pointsOf(other)) groups.set(group, one);
  }
  return new Set(groups.values());
}

/** How much a surface shows: complete ones before others, exact ones before approximate ones, then by points. */
function pointsOf({ partial, key, size }: StoredSurface): number {
  const points = size[0] * size[1];
  return (partial === null ? 1e12 : 0) + (key?.approximate == null ? 1e11 : 0) + points;
}

/** Declares the arguments and options of `clean`. */
export function declareClean(command: Command): void {
  command
    .argument("<run>", "run directory")
    .addOption(
      new Option("--keep <which>", "surfaces to keep of each plane, set and policy")
        .choices(["newest", "best", "complete", "none"])
        .makeOptionMandatory(),
    )
    .option("--optimizer-state", "also remove what was recorded of the optimizer")
    .option("--dry-run", "only print what would be removed")
    .action((run, options) => clean(run, options, createOutput(options)));
}
