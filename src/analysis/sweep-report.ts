import partition from "lodash/partition.js";
import { InvalidDataError, messageOf } from "../base/errors.js";
import {
  condenseWarnings,
  type LandscapeWarning,
  type NamedWarning,
  namedWarnings,
} from "../base/warning.js";
import { figureOption } from "../figure/draw/layout-figure.js";
import {
  createSweepFigure,
  createSweepTable,
  rankedRuns,
  type SweepFigureOptions,
  scoreText,
  sweepScore,
} from "../figure/make/create-sweep-figures.js";
import { createTrainingFigure } from "../figure/make/create-training-figure.js";
import { openRun } from "../store/run/open-run.js";
import type { Run } from "../store/run/run.js";
import type { SweepRun, SweepStudy } from "../training/run-sweep.js";
import { fileName, type NamedFigure } from "./write-report.js";

/** More runs than there are colours cannot be told apart: dashes mean validation. */
const MOST_CURVES = 7;

/** Figures of a sweep. */
export interface SweepReport {
  /** "settings" (a table), "by-setting" where a setting varies, "training" where anything was logged. */
  readonly figures: readonly NamedFigure[];
  /** Runs that did not fail, the best first. */
  readonly ranked: readonly SweepRun[];
  /** What they are compared by: "validation error". */
  readonly score: string;
  /** One for each training that failed, and one of each kind for the others. */
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Returns the figures of a sweep: the table of its settings sorted by test error, that error by setting, and the training
 * curves of the best runs.
 *
 * @throws {@link InvalidDataError} if every training failed; {@link InvalidOptionError} if no run has the figure `by`.
 * @example
 * const study = await runSweep("sweep.ts", { directory: "runs/sweep" });
 * const { figures } = await sweepReport(study);
 * await writeReport(study.directory, figures, { page: "sweep.html" });
 */
export async function sweepReport(
  { runs }: SweepStudy,
  options: Pick<SweepFigureOptions, "by"> = {},
): Promise<SweepReport> {
  const table = createSweepTable(runs, options);
  const complete = runs.filter(({ status }) => status !== "failed");
  const score = sweepScore(complete, options.by);
  const ranked = rankedRuns(runs, score);
  const best = ranked.slice(0, MOST_CURVES);
  const opened = await Promise.all(best.map(({ directory }) => openRun(directory)));
  const curves = opened.map(({ snapshots }, i) => ({ name: (best[i] as SweepRun).name, snapshots }));
  const hasLogs = curves.some(({ snapshots }) => snapshots.some(({ logs }) => Object.keys(logs).length > 0));
  const which = best.length < ranked.length ? `: the best ${best.length} of ${ranked.length}` : "";
  await Promise.all(opened.map((run) => run.close()));
  return {
    figures: [
      { name: "settings", figure: table },
      ...(complete.length > 1 ? [{ name: "by-setting", figure: createSweepFigure(runs, options) }] : []),
      ...(hasLogs
        ? [{ name: "training", figure: createTrainingFigure(curves, { title: `Training${which}` }) }]
        : []),
    ],
    ranked,
    score: score.title,
    warnings: [
      ...sweepFailures({ runs }),
      ...condenseWarnings(
        opened.flatMap((run: Run, i) => namedWarnings((best[i] as SweepRun).name, run.warnings)),
      ),
    ],
  };
}

/**
 * Opens runs of a sweep for a comparison. Each is named by the settings that vary now, and by what runs are compared by:
 * "optimizer=adam, rate=0.001 (18.3 %)". A run's own name is that of the call that trained it.
 */
export async function openSweepRuns(
  runs: readonly SweepRun[],
  { by }: Pick<SweepFigureOptions, "by"> = {},
): Promise<Run[]> {
  const score = sweepScore(runs, by);
  return Promise.all(
    runs.map(async (one) => {
      const run = await openRun(one.directory);
      const text = scoreText(one, score);
      const name = text === null ? one.name : `${one.name} (${text})`;
      return { ...run, manifest: { ...run.manifest, name } };
    }),
  );
}

/** What a module's `createFigures` is told. */
export interface SweepFiguresTask {
  /** Absolute path of the sweep's folder. */
  readonly directory: string;
  /** Ends where the command is ended. */
  readonly signal: AbortSignal;
}

/** Figures of a sweep's module, and what to know about them. */
export interface OwnFigures {
  readonly figures: readonly NamedFigure[];
  /**
   * Those of the module, one of each kind where they name networks, as those of `analyzePlane` do; and one for each part
   * of its answer that cannot be used. The command prints them and puts them on the page.
   */
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * What a sweep's module may export as `createFigures`: figures of its own for the page, from the runs that did not fail,
 * in the order of the grid; warnings may be missing. docs/sweep.md has an example.
 */
export type CreateSweepFigures = (
  runs: readonly SweepRun[],
  task: SweepFiguresTask,
) => Promise<readonly NamedFigure[] | (Pick<OwnFigures, "figures"> & Partial<OwnFigures>)>;

/**
 * Returns the figures that a sweep's module makes itself, with its warnings. An error of the module, or a part of its
 * answer that cannot be used, becomes a warning; its other figures, and the rest of the page, do not depend on it.
 *
 * @param taken - names of the figures that the page has already.
 */
export async function ownFigures(
  create: CreateSweepFigures,
  { runs }: Pick<SweepStudy, "runs">,
  task: SweepFiguresTask,
  taken: readonly string[],
): Promise<OwnFigures> {
  try {
    const complete = runs.filter(({ status }) => status !== "failed");
    return takenOf(await create(complete, task), taken);
  } catch (error) {
    // The module's own error does not hide that the command was ended.
    task.signal.throwIfAborted();
    return { figures: [], warnings: [failedWarning(messageOf(error))] };
  }
}

/** Says that there are no figures. */
function failedWarning(message: string): LandscapeWarning {
  return { code: "sweep-figures", message: `createFigures() failed: ${message}` };
}

/** Says what of an answer is not used. */
function partWarning(message: string): LandscapeWarning {
  return { code: "sweep-figures", message: `createFigures(): ${message}` };
}

/** What can be used of an answer; each other part of it is named in a warning. */
function takenOf(answer: unknown, taken: readonly string[]): OwnFigures {
  const isObject = typeof answer === "object" && answer !== null && !Array.isArray(answer);
  const { figures: list, warnings = [] }: { readonly figures?: unknown; readonly warnings?: unknown } =
    isObject ? answer : { figures: answer };
  if (!Array.isArray(list)) {
    const got = isObject && list !== undefined ? `figures: ${shown(list)}` : shown(answer);
    const expected = "a list of { name, figure }, or { figures, warnings } with such a list";
    return { figures: [], warnings: [failedWarning(`expected ${expected}, got ${got}`)] };
  }
  const figures: NamedFigure[] = [];
  const refused: LandscapeWarning[] = [];
  for (const [i, one] of list.entries()) {
    try {
      const names = [...taken, ...figures.map(({ name }) => name)];
      figures.push(checkedFigure(one, placeOf(i, one), names));
    } catch (error) {
      refused.push(partWarning(messageOf(error)));
    }
  }
  const given: readonly unknown[] = Array.isArray(warnings) ? warnings : [warnings];
  for (const [i, one] of given.entries()) {
    if (isWarning(one)) continue;
    const where = Array.isArray(warnings) ? `warnings[${i}]` : "warnings";
    refused.push(partWarning(`${where}: expected { code, message }, got ${shown(one)}`));
  }
  return { figures, warnings: [...ownWarnings(given.filter(isWarning)), ...refused] };
}

/** What names a network is of one kind with others, such as those of `analyzePlane`; the rest is the module's own words. */
function ownWarnings(given: readonly NamedWarning[]): LandscapeWarning[] {
  const [named, others] = partition(given, ({ of }) => of !== undefined);
  return [...others, ...condenseWarnings(named)];
}

/** `figures[1] ("norms")`: a figure of an answer, for a message. */
function placeOf(index: number, value: unknown): string {
  const { name } = (value ?? {}) as Partial<NamedFigure>;
  return typeof name === "string" ? `figures[${index}] (${JSON.stringify(name)})` : `figures[${index}]`;
}

/**
 * Returns a figure of an answer if the page can have it.
 *
 * @throws {@link InvalidDataError} or {@link InvalidOptionError} where it has another form or a name that cannot be used.
 */
function checkedFigure(value: unknown, where: string, taken: readonly string[]): NamedFigure {
  if (!isNamedFigure(value)) throw new InvalidDataError(where, "{ name, figure }", shown(value));
  fileName(where, value.name);
  // Some file systems do not tell capitals from small letters.
  if (taken.some((name) => name.toLowerCase() === value.name.toLowerCase()))
    throw new InvalidDataError(where, "a name of its own", `"${value.name}" twice`);
  // What cannot be laid out would be an error of the whole page.
  try {
    figureOption(value.figure);
  } catch (cause) {
    throw new InvalidDataError(where, "a figure that can be drawn", `an error: ${messageOf(cause)}`, {
      cause,
    });
  }
  return value;
}

/** "an object with name, panels": what an answer is, for a message. */
function shown(value: unknown): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? String(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  const names = Object.keys(value);
  return names.length === 0 ? "an empty object" : `an object with ${names.join(", ")}`;
}

function isNamedFigure(value: unknown): value is NamedFigure {
  const { name, figure } = (value ?? {}) as Partial<NamedFigure>;
  return typeof name === "string" && name !== "" && Array.isArray(figure?.panels);
}

function isWarning(value: unknown): value is LandscapeWarning {
  const { code, message } = (value ?? {}) as Partial<LandscapeWarning>;
  return typeof code === "string" && typeof message === "string";
}

/** A warning for each training that failed, with its error. */
export function sweepFailures({ runs }: Pick<SweepStudy, "runs">): LandscapeWarning[] {
  return runs.flatMap(({ status, name, error }) =>
    status === "failed" ? [{ code: "sweep-failed", message: `${name} failed: ${error}` }] : [],
  );
}
