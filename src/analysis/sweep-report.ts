import { condenseWarnings, type LandscapeWarning } from "../base/warning.js";
import {
  createSweepFigure,
  createSweepTable,
  rankedRuns,
  type SweepFigureOptions,
  sweepScore,
} from "../figure/make/create-sweep-figures.js";
import { createTrainingFigure } from "../figure/make/create-training-figure.js";
import { openRun } from "../store/run/open-run.js";
import type { Run } from "../store/run/run.js";
import type { SweepRun, SweepStudy } from "../training/run-sweep.js";
import type { NamedFigure } from "./write-report.js";

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

/** A warning for each training that failed, with its error. */
export function sweepFailures({ runs }: Pick<SweepStudy, "runs">): LandscapeWarning[] {
  return runs.flatMap(({ status, name, error }) =>
    status === "failed" ? [{ code: "sweep-failed", message: `${name} failed: ${error}` }] : [],
  );
}
