import { condenseWarnings, type LandscapeWarning } from "../base/warning.js";
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
    warnings: condenseWarnings([...sweepFailures({ runs }), ...opened.flatMap((run: Run) => run.warnings)]),
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
  /** Such as those of `analyzePlane`; the command prints them and puts them on the page. */
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * What a sweep's module may export as `createFigures`: figures of its own for the page, from the runs that did not fail,
 * in the order of the grid; perhaps with warnings. docs/sweep.md has an example.
 */
export type CreateSweepFigures = (
  runs: readonly SweepRun[],
  task: SweepFiguresTask,
) => Promise<readonly NamedFigure[] | OwnFigures>;

/**
 * Returns the figures that a sweep's module makes itself, with its warnings. An error of the module, or an answer that is
 * no list of figures, becomes a warning: the rest of the page does not depend on it.
 *
 * @param taken - names of the figures that the page has already.
 */
export async function ownFigures(
  create: CreateSweepFigures,
  { runs }: Pick<SweepStudy, "runs">,
  task: SweepFiguresTask,
  taken: readonly string[],
): Promise<OwnFigures> {
  const failed = (message: string) => ({
    figures: [],
    warnings: [{ code: "sweep-figures", message: `createFigures() failed: ${message}` }],
  });
  try {
    const answer: unknown = await create(
      runs.filter(({ status }) => status !== "failed"),
      task,
    );
    const { figures, warnings }: { readonly figures?: unknown; readonly warnings?: unknown } = Array.isArray(
      answer,
    )
      ? { figures: answer, warnings: [] }
      : (answer ?? {});
    if (!Array.isArray(figures) || !figures.every(isNamedFigure))
      return failed("expected a list of { name, figure }, got something else");
    if (!Array.isArray(warnings) || !warnings.every(isWarning))
      return failed("expected a list of { code, message } as warnings, got something else");
    // Some file systems do not tell capitals from small letters.
    const names = [...taken, ...figures.map(({ name }) => name)].map((name) => name.toLowerCase());
    const twice = figures.find((_, i) => names.indexOf(names[taken.length + i] as string) < taken.length + i);
    if (twice !== undefined) return failed(`expected names of their own, got "${twice.name}" twice`);
    for (const { name, figure } of figures) {
      fileName("name", name);
      // What cannot be laid out would be an error of the whole page.
      figureOption(figure);
    }
    return { figures, warnings };
  } catch (error) {
    // The module's own error does not hide that the command was ended.
    task.signal.throwIfAborted();
    return failed(error instanceof Error ? error.message : String(error));
  }
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
