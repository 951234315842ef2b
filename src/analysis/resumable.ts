import isEqual from "lodash/isEqual.js";
import { RunStateError } from "../base/errors.js";
import { isStale, type JsonValue, type Provenance } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { SlicePoints } from "../directions/slice-map.js";
import type { EngineInfo, LossEvaluator } from "../loss/loss-evaluator.js";
import { readSurface, writeSurface } from "../store/kinds/surface-file.js";
import { curvePointTiles } from "../store/kinds/surface-journal.js";
import {
  type InterruptedWork,
  type JournalFacts,
  openTileJournal,
  readInterrupted,
  removeInterrupted,
  type TileCodec,
} from "../store/results/tile-journal.js";
import { type EvaluateSurfaceOptions, evaluateSurface } from "../surface/evaluate-surface.js";
import type { Grid, Surface } from "../surface/surface.js";

/** A computation of many points whose result is one file. */
export interface ResumableWork<T, R> extends JournalFacts {
  /** What the result is called in messages: "surface", "line". */
  readonly what: string;
  /** Where the result is stored. */
  readonly file: string;
  /** Names of the metrics of all evaluation sets together. */
  readonly metrics: readonly string[];
  readonly codec: TileCodec<T>;
  /** Computes what is missing beside the points known, and tells of each that is new. */
  compute(known: readonly T[], onPoint: (point: T) => Promise<void>): Promise<R>;
  /** Whether a budget has ended it early. */
  isPartial(result: R): boolean;
  write(result: R): Promise<void>;
}

/** What becomes of an earlier computation that was interrupted. */
export interface ResumeOptions {
  /** Computes everything again. Default false. */
  readonly force?: boolean;
  /** As `AnalyzeOptions` has it. */
  readonly resume?: boolean;
}

/**
 * Computes a result, or what is missing of one that was interrupted, and writes it. Meanwhile its points are
 * written tile by tile; one that is interrupted, or ends early, goes on from them with the same bits.
 *
 * @throws {@link RunStateError} if an interrupted result is to be resumed that is of something else.
 */
export async function computeResumably<T, R extends { readonly warnings: readonly LandscapeWarning[] }>(
  work: ResumableWork<T, R>,
  { force = false, resume }: ResumeOptions,
): Promise<R> {
  const { file, codec, metrics } = work;
  const left = force || resume === false ? null : await readInterrupted(file, codec);
  const replaced = left === null ? null : notResumed(work, left, resume === true);
  const known = replaced === null ? (left?.points ?? []) : [];
  if (known.length === 0) await removeInterrupted(file);

  const journal = await openTileJournal(file, work, metrics, codec);
  let found: R;
  try {
    found = await work.compute(known, (point) => journal.add(point));
  } catch (error) {
    // What was computed is kept, whatever ended it; where that fails too, the first error is the one to tell.
    await journal.flush().catch(() => undefined);
    throw error;
  }
  const result = replaced === null ? found : { ...found, warnings: [...found.warnings, replaced] };
  const isPartial = work.isPartial(result);
  if (isPartial) await journal.flush();
  await work.write(result);
  if (!isPartial) await removeInterrupted(file);
  return result;
}

/**
 * Says that an interrupted result is not gone on with because it is of something else, or returns null.
 *
 * @throws {@link RunStateError} if it is asked for, or differs in nothing but what the program chose itself.
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

/** What options are called where their own names say little. */
const LABELS: Readonly<Record<string, string>> = {
  alpha: "grid (alpha)",
  beta: "grid (beta)",
  loss: "loss mode",
  engine: "engine request",
  sets: "loss mode, metrics, samples or engine request",
  approximate: "tolerance, budget, subsample or seed",
};

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

function engineDifferences(left: readonly EngineInfo[], now: readonly EngineInfo[]): string[] {
  const describe = ({ name, backend, batchSize, threads }: EngineInfo) =>
    `${name} on ${backend}, batch size ${batchSize}, threads ${threads}`;
  return now.flatMap((engine, i) => {
    const other = left[i] ?? engine;
    return isEqual(other, engine) ? [] : [`engine (${describe(other)}; now ${describe(engine)})`];
  });
}

function short(digest: string | undefined): string {
  return digest?.slice(0, 12) ?? "none";
}

/**
 * What a stored result is known by of its engine: what was asked for, so that values of "auto" are found again
 * whatever was chosen, and values of one engine are not taken for those of another that is asked for by name.
 */
export function engineFact({ request, engine }: LossEvaluator): JsonValue {
  if (request !== undefined) return { ...request };
  const { name, batchSize, threads } = engine;
  return { engine: name, batchSize, threads };
}

/** Options of {@link storedSurface}. */
export interface StoredSurfaceOptions
  extends ResumeOptions,
    Pick<EvaluateSurfaceOptions, "signal" | "onProgress" | "policy" | "budget"> {}

/**
 * Reads a surface where it is up to date, else evaluates it, or what is missing of it, and writes it.
 *
 * While it is evaluated its points are written tile by tile; one that is interrupted, or ends early, goes on
 * from them with the same bits.
 *
 * @throws `RunStateError` if an interrupted surface is to be resumed that is of something else.
 */
export async function storedSurface(
  file: string,
  provenance: Provenance,
  evaluator: LossEvaluator,
  points: SlicePoints,
  grid: Grid,
  { force = false, resume, ...options }: StoredSurfaceOptions,
): Promise<Surface> {
  const stored = force ? null : await readSurface(file, provenance);
  if (stored !== null && stored.partial === undefined) return stored;
  return computeResumably(
    {
      what: "surface",
      file,
      provenance,
      engines: [evaluator.engine],
      metrics: evaluator.metricNames,
      codec: curvePointTiles,
      compute: (known, onPoint) =>
        evaluateSurface(evaluator, points, grid, {
          ...options,
          known,
          onPoint: (point) => onPoint({ ...point, curve: 0 }),
        }),
      isPartial: ({ partial }) => partial !== undefined,
      write: (surface) => writeSurface(file, surface, provenance),
    },
    { force, ...(resume === undefined ? {} : { resume }) },
  );
}
