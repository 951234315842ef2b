import { InvalidOptionError } from "../errors.js";
import type { LayoutOptions } from "../params/build-layout.js";
import type { RunManifest } from "../store/manifest.js";
import type { CaptureSchedule } from "./schedule.js";

/** What a callback and a recorder for custom loops have in common. */
export interface CaptureOptions extends LayoutOptions {
  /** Run directory to write; made with its parents where it does not exist. Required. */
  readonly directory: string;
  /** Name of the run, for titles. Default: the directory's last part. */
  readonly name?: string;
  /** When to record between the initial and the final weights. Default: after every epoch. */
  readonly schedule?: CaptureSchedule;
  /** Number format on disk. float16 halves the files and keeps about 3 digits. Default "float32". */
  readonly dtype?: RunManifest["dtype"];
  /** Replaces a run that is in the directory. Default false: such a run is an error. */
  readonly overwrite?: boolean;
  /**
   * Appends to the run in the directory, whose layout must match, and starts one where there is none; the
   * optimizer's state is not restored. Default false.
   */
  readonly resume?: boolean;
  /** Seed that the program used, to be written down; 0 is a seed. Default none. */
  readonly seed?: number;
  /**
   * Snapshots that may wait for the disk before training waits too. Default: as many as fit into 256 MiB,
   * 2 at least and 64 at most.
   */
  readonly maxPending?: number;
}

/** Bytes of θ that may wait for the disk unless said otherwise. */
const PENDING_BYTES = 256 * 2 ** 20;

/**
 * Checks every capture option that can be checked without a model.
 *
 * @throws {@link InvalidOptionError} naming the first option that cannot be used.
 */
export function checkCaptureOptions(options: CaptureOptions): void {
  const { directory, name, select, describe, dtype, overwrite, resume, seed, maxPending } = options;
  check("directory", typeof directory === "string" && directory !== "", "a path", directory);
  check("name", name === undefined || (typeof name === "string" && name !== ""), "a name", name);
  check("select", select === undefined || typeof select === "function", "a function", select);
  check("describe", describe === undefined || typeof describe === "function", "a function", describe);
  check("dtype", [undefined, "float32", "float16"].includes(dtype), '"float32" or "float16"', dtype);
  check("overwrite", [undefined, true, false].includes(overwrite), "true or false", overwrite);
  check("resume", [undefined, true, false].includes(resume), "true or false", resume);
  check("resume", !(resume && overwrite), "not to be given together with overwrite", resume);
  check("seed", seed === undefined || Number.isSafeInteger(seed), "an integer", seed);
  const isCount = Number.isSafeInteger(maxPending) && (maxPending as number) >= 1;
  check("maxPending", maxPending === undefined || isCount, "a positive integer", maxPending);
}

/** Returns how many snapshots of `parameterCount` numbers may wait for the disk. */
export function pendingLimit(maxPending: number | undefined, parameterCount: number): number {
  return maxPending ?? Math.min(64, Math.max(2, Math.floor(PENDING_BYTES / (4 * parameterCount))));
}

function check(where: string, isValid: boolean, expected: string, got: unknown): void {
  if (isValid) return;
  const shown = typeof got === "number" ? String(got) : (JSON.stringify(got) ?? String(got));
  throw new InvalidOptionError(where, expected, shown);
}
