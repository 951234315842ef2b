import isEqual from "lodash/isEqual.js";
import { RunStateError } from "../errors.js";
import type { EngineInfo, LossEvaluator } from "../model/loss-evaluator.js";
import { isStale, type Provenance } from "../store/provenance.js";
import { readSurface, writeSurface } from "../store/surface-file.js";
import {
  type InterruptedSurface,
  openSurfaceJournal,
  readInterruptedSurface,
  removeInterruptedSurface,
} from "../store/surface-journal.js";
import { type EvaluateSurfaceOptions, evaluateSurface } from "../surface/evaluate-surface.js";
import type { SlicePoints } from "../surface/slice-map.js";
import type { Grid, Surface } from "../surface/surface.js";
import type { LandscapeWarning } from "../warning.js";

/** Options of {@link storedSurface}. */
export interface StoredSurfaceOptions
  extends Pick<EvaluateSurfaceOptions, "signal" | "onProgress" | "policy" | "budget"> {
  /** Computes everything again. Default false. */
  readonly force?: boolean;
  /** As `AnalyzeOptions` has it. */
  readonly resume?: boolean;
}

/**
 * Reads a surface where it is up to date, else evaluates it, or what is missing of it, and writes it.
 *
 * While it is evaluated its points are written tile by tile; one that is interrupted, or ends early, goes on
 * from them with the same bits.
 *
 * @throws {@link RunStateError} if an interrupted surface is to be resumed that is of something else.
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
  const left = force || resume === false ? null : await readInterruptedSurface(file);
  const replaced =
    left === null ? null : notResumed(file, left, provenance, evaluator.engine, resume === true);
  const known = replaced === null ? (left?.points ?? []) : [];
  if (known.length === 0) await removeInterruptedSurface(file);

  const journal = await openSurfaceJournal(file, provenance, evaluator.engine, evaluator.metricNames);
  let found: Surface;
  try {
    found = await evaluateSurface(evaluator, points, grid, {
      ...options,
      known,
      onPoint: (point) => journal.add(point),
    });
  } catch (error) {
    // What was computed is kept, whatever ended it; where that fails too, the first error is the one to tell.
    await journal.flush().catch(() => undefined);
    throw error;
  }
  const surface = replaced === null ? found : { ...found, warnings: [...found.warnings, replaced] };
  if (surface.partial !== undefined) await journal.flush();
  await writeSurface(file, surface, provenance);
  if (surface.partial === undefined) await removeInterruptedSurface(file);
  return surface;
}

/**
 * Says that an interrupted surface is not gone on with because it is of something else, or returns null.
 *
 * @throws {@link RunStateError} if it is asked for, or differs in nothing but what the program chose itself.
 */
function notResumed(
  file: string,
  left: InterruptedSurface,
  provenance: Provenance,
  engine: EngineInfo,
  isAsked: boolean,
): LandscapeWarning | null {
  const isOther = isStale(left.provenance, provenance);
  const differences = isOther
    ? differencesOf(left.provenance, provenance)
    : engineDifferences(left.engine, engine);
  if (differences.length === 0) return null;
  const found = `one of ${left.points.length} points with another ${differences.join(", another ")}`;
  if (isAsked || !isOther) {
    const hint = isOther
      ? "compute it anew with force (--force)"
      : "ask for that engine, batch size and threads, or compute it anew with force (--force)";
    throw new RunStateError(`resume ${file}`, "an interrupted surface of what is asked now", found, { hint });
  }
  const message = `${file}: the interrupted surface that was there, ${found}, was not gone on with`;
  return { code: "interrupted-surface-replaced", message };
}

/** What options are called where their own names say little. */
const LABELS: Readonly<Record<string, string>> = {
  alpha: "grid (alpha)",
  beta: "grid (beta)",
  loss: "loss mode",
  engine: "engine request",
  sets: "loss mode, metrics, samples or engine request",
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

function engineDifferences(left: EngineInfo, now: EngineInfo): string[] {
  if (isEqual(left, now)) return [];
  const describe = ({ name, backend, batchSize, threads }: EngineInfo) =>
    `${name} on ${backend}, batch size ${batchSize}, threads ${threads}`;
  return [`engine (${describe(left)}; now ${describe(now)})`];
}

function short(digest: string | undefined): string {
  return digest?.slice(0, 12) ?? "none";
}
