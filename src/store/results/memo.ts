import { basename, dirname, join } from "node:path";
import isEqual from "lodash/isEqual.js";
import { RunStateError } from "../../base/errors.js";
import { isStale, type Provenance } from "../../base/provenance.js";
import type { LandscapeWarning } from "../../base/warning.js";
import {
  type EngineFacts,
  type InterruptedWork,
  interruptedIn,
  type JournalFacts,
  openTileJournal,
  readInterrupted,
  removeInterrupted,
  type TileCodec,
} from "./tile-journal.js";

/** Where a result is stored, what it is known by, and how it is read and written. */
export interface StoredResult<T> {
  readonly file: string;
  readonly provenance: Provenance;
  /** Reads a result of that provenance; null if there is none. */
  readonly read: (file: string, expected: Provenance) => Promise<T | null>;
  readonly write: (file: string, value: T, provenance: Provenance) => Promise<void>;
  /** Other files to read from; nothing is written there. Default none. */
  readonly elsewhere?: readonly string[] | undefined;
  /** Computes again whatever is stored. Default false. */
  readonly force?: boolean | undefined;
}

/**
 * Reads a stored result if it is current; otherwise computes it and writes it.
 *
 * @throws as `read`, `compute` and `write`: a damaged file is an error, never recomputed silently.
 */
export async function memo<T>(result: StoredResult<T>, compute: () => Promise<T> | T): Promise<T> {
  const stored = await readStored(result, () => true);
  if (stored !== null) return stored;
  const made = await compute();
  await result.write(result.file, made, result.provenance);
  return made;
}

async function readStored<T>(result: StoredResult<T>, isWanted: (value: T) => boolean): Promise<T | null> {
  const { file, provenance, read, elsewhere = [], force = false } = result;
  if (force) return null;
  for (const place of [file, ...elsewhere]) {
    const found = await read(place, provenance);
    if (found !== null && isWanted(found)) return found;
  }
  return null;
}

/** A result of many points, which are written tile by tile while it is computed. */
export interface ResumableResult<P, T> extends StoredResult<T> {
  /** What the result is called in messages: "surface", "line". */
  readonly what: string;
  /** What computes the values: one for each evaluation set. */
  readonly engines: readonly EngineFacts[];
  /** Names of the metrics of all evaluation sets together. */
  readonly metrics: readonly string[];
  readonly tiles: TileCodec<P>;
  /** Whether it was ended early, by a budget: the next call goes on. */
  readonly isPartial: (value: T) => boolean;
  /**
   * Whether an interrupted computation goes on: `true` (it is an error if that cannot be), `false` (it starts
   * anew). Default: it goes on if it is of the same things, and starts anew, with a warning, if not.
   */
  readonly resume?: boolean | undefined;
}

/** Points from before, and where new ones are to be reported. */
export interface ResumedPoints<P> {
  readonly known: readonly P[];
  readonly onPoint: (point: P) => Promise<void>;
}

/**
 * As {@link memo}, for a result that is computed point by point. Points are written while it is computed; if it is
 * interrupted, or ends early, the next call goes on from them with the same bits.
 *
 * @throws {@link RunStateError} if an interrupted result is to be resumed that is of something else.
 */
export async function memoResumably<P, T extends { readonly warnings: readonly LandscapeWarning[] }>(
  result: ResumableResult<P, T>,
  compute: (points: ResumedPoints<P>) => Promise<T>,
): Promise<T> {
  const stored = await readStored(result, (value) => !result.isPartial(value));
  if (stored !== null) return stored;
  const { file, tiles, metrics, force = false, resume } = result;
  const left = force || resume === false ? null : await readInterrupted(file, tiles);
  if (left === null && resume === true && !force) await assertNoOther(result);
  const replaced = left === null ? null : notResumed(result, left, resume === true);
  const known = replaced === null ? (left?.points ?? []) : [];
  if (known.length === 0) await removeInterrupted(file);

  const journal = await openTileJournal(file, result, metrics, tiles);
  let found: T;
  try {
    found = await compute({ known, onPoint: (point) => journal.add(point) });
  } catch (error) {
    // What was computed is kept, whatever ended it; where that fails too, the first error is the one to tell.
    await journal.flush().catch(() => undefined);
    throw error;
  }
  const made = replaced === null ? found : { ...found, warnings: [...found.warnings, replaced] };
  const isPartial = result.isPartial(made);
  if (isPartial) await journal.flush();
  await result.write(file, made, result.provenance);
  if (!isPartial) await removeInterrupted(file);
  return made;
}

/**
 * Returns the warning that an interrupted result was not continued because it is of something else, or null.
 *
 * @throws {@link RunStateError} if it was asked for, or differs in nothing but what the program chose itself.
 */
function notResumed(
  { what, file, provenance, engines }: JournalFacts & { readonly what: string; readonly file: string },
  left: InterruptedWork<unknown>,
  isAsked: boolean,
): LandscapeWarning | null {
  const isOther = isStale(left.provenance, provenance);
  const differences = isOther
    ? differencesOf(left.provenance, provenance)
    : engineDifferences(left.engines, engines);
  if (differences.length === 0) return null;
  const found = `one of ${left.points.length} points with another ${differences.join(", another ")}`;
  if (isAsked || !isOther) {
    const hint = isOther
      ? "compute it anew with force (--force)"
      : "ask for that engine, batch size and threads, or compute it anew with force (--force)";
    throw new RunStateError(`resume ${file}`, `an interrupted ${what} of what is asked now`, found, { hint });
  }
  const message = `${file}: the interrupted ${what} that was there, ${found}, was not gone on with`;
  return { code: `interrupted-${what}-replaced`, message };
}

/**
 * Files are named by what results are: others of the same name but for its last eight digits have other settings.
 *
 * @throws {@link RunStateError} if one of those was interrupted: it cannot be what is asked for.
 */
async function assertNoOther<P, T>(result: ResumableResult<P, T>): Promise<void> {
  const { file, tiles } = result;
  const named = (name: string) => name.replace(/-[0-9a-f]{8}\.arrow$/, "");
  for (const other of await interruptedIn(dirname(file))) {
    if (named(other) !== named(basename(file))) continue;
    const left = await readInterrupted(join(dirname(file), other), tiles).catch(() => null);
    if (left !== null) notResumed(result, left, true);
  }
}

/** What options are called where their own names say little. */
const LABELS: Readonly<Record<string, string>> = {
  alpha: "grid (alpha)",
  beta: "grid (beta)",
  loss: "loss mode",
  engine: "engine request",
  sets: "loss mode, metrics, samples or engine request",
  approximate: "tolerance, budget, subsample, seed or version",
};

/** Names what differs between two provenances. */
function differencesOf(left: Provenance, now: Provenance): string[] {
  const keys = (a: object, b: object) => [...new Set([...Object.keys(a), ...Object.keys(b)])];
  const inputs = keys(left.inputs, now.inputs)
    .filter((name) => left.inputs[name] !== now.inputs[name])
    .map((name) => `${name} (digest ${short(left.inputs[name])}, now ${short(now.inputs[name])})`);
  const options = keys(left.options, now.options)
    .filter((name) => !isEqual(left.options[name], now.options[name]))
    .map((name) => LABELS[name] ?? name);
  const rest = inputs.length + options.length === 0 ? ["kind, version or seed"] : [];
  return [...inputs, ...options, ...rest];
}

function engineDifferences(left: readonly EngineFacts[], now: readonly EngineFacts[]): string[] {
  const describe = ({ name, backend, batchSize, threads, device }: EngineFacts) =>
    `${name} on ${device === undefined ? "" : `${device}, `}${backend}, batch size ${batchSize}, threads ${threads}`;
  return now.flatMap((engine, i) => {
    const other = left[i] ?? engine;
    return isEqual(other, engine) ? [] : [`engine (${describe(other)}; now ${describe(engine)})`];
  });
}

function short(digest: string | undefined): string {
  return digest?.slice(0, 12) ?? "none";
}
