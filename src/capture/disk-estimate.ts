import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { LandscapeWarning } from "../base/warning.js";
import type { ScheduleRule } from "./schedule.js";

/** Runs larger than this are announced, whatever the disk. */
const LARGE = 10e9;
/** Longer trainings are reckoned from their first updates. */
const COUNTED = 1e6;

/**
 * Returns how many snapshots a training will write, or null where `fit` does not say how long it is.
 *
 * @param fit - what `fit` tells its callbacks: `epochs`, `initialEpoch`, and `steps`, or `samples` and `batchSize`.
 */
export function countSnapshots(
  rule: ScheduleRule,
  fit: Readonly<Record<string, unknown>> = {},
): number | null {
  const number = (name: string) => (typeof fit[name] === "number" ? fit[name] : null);
  const epochs = number("epochs");
  if (epochs === null) return null;
  const trained = epochs - (number("initialEpoch") ?? 0);
  const [samples, batchSize] = [number("samples"), number("batchSize")];
  const steps =
    number("steps") ?? (samples === null || batchSize === null ? null : Math.ceil(samples / batchSize));
  const total = rule.unit === "epoch" ? trained : steps === null ? null : trained * steps;
  if (total === null || !(total >= 0)) return null;
  const looked = Math.min(total, COUNTED);
  let due = 0;
  for (let count = 1; count <= looked; count++) if (rule.isDue(count)) due++;
  // The initial weights, and the final ones where they are not due.
  const last = total > 0 && (total > COUNTED || !rule.isDue(total)) ? 1 : 0;
  return 1 + Math.round((due * total) / Math.max(1, looked)) + last;
}

/**
 * Returns a warning where a run will not fit on its disk, or will be larger than 10 GB.
 *
 * @param free - bytes that are free, null where that is unknown.
 */
export function diskWarning(
  directory: string,
  count: number,
  weights: number,
  bytesPerWeight: number,
  free: number | null,
): LandscapeWarning | null {
  const bytes = count * (weights * bytesPerWeight + 4096);
  const isTooMuch = free !== null && bytes > free;
  if (!isTooMuch && bytes <= LARGE) return null;
  const of = `${count.toLocaleString("en")} snapshots of ${weights.toLocaleString("en")} weights`;
  const left = free === null ? "" : `, of which ${gigabytes(free)} are free`;
  const message = `${directory}: ${of} will take ${gigabytes(bytes)} of the disk${left}. Record fewer of them (schedule: { everyEpochs: 10 }, { geometric: { ratio: 1.5 } }) or store them as float16.`;
  return { code: "disk-space", message };
}

/** Bytes free for a directory that need not be there yet; null where the system does not say. */
export async function freeBytes(directory: string): Promise<number | null> {
  for (let folder = directory; ; folder = dirname(folder)) {
    try {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    } catch {
      // Not made yet, or not a system that tells: its parent, up to the root.
      if (folder === dirname(folder)) return null;
    }
  }
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 1e10 ? 1 : 0)} GB`;
}
