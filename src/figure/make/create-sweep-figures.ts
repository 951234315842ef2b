import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import type { SweepRun } from "../../training/run-sweep.js";
import type { SettingValue } from "../../training/sweep-module.js";
import { capitalized, counted, formatNumber } from "../draw/format-number.js";
import type { CurvesAxis, CurvesPanel, Figure, Series, TableCell } from "../figure.js";
import { autoAxis, chartOf, isAccuracy, panelOf, seriesOf } from "./chart-parts.js";
import { figureOf } from "./run-data.js";
import {
  countCell,
  type DraftRow,
  EMPTY_CELL,
  groupOf,
  numberCell,
  rowOf,
  shareCell,
  tableOf,
  textCell,
} from "./table-parts.js";

/** What settings are compared by: less is better. */
export interface SweepScore {
  /** Name of the figure behind it: "val_acc". */
  readonly figure: string;
  /** "validation error". */
  readonly title: string;
  readonly isShare: boolean;
}

/** What a sweep is compared by where nothing is said, best first. */
const PREFERRED = [/^test.*err/i, /^test.*acc/i, /^val.*err/i, /^val.*acc/i, /^test.*loss/i, /^val.*loss/i];

/**
 * Returns what settings are compared by: a figure of their runs, of which less is better; of an accuracy the error.
 *
 * @param by - name of the figure. Default the first there is of test error, validation error, test loss, validation loss,
 *   then error and loss of training.
 * @throws {@link InvalidOptionError} if no run has it; {@link InvalidDataError} if no run has any figure.
 */
export function sweepScore(runs: readonly SweepRun[], by?: string): SweepScore {
  const names = [...new Set(runs.flatMap(({ figures }) => Object.keys(figures)))];
  if (by !== undefined && !names.includes(by)) {
    throw new InvalidOptionError("by", `one of ${names.join(", ")}`, `"${by}"`);
  }
  const preferred = [...PREFERRED, /err/i, /acc/i, /^loss$/];
  const figure =
    by ?? preferred.map((form) => names.find((name) => form.test(name))).find(Boolean) ?? names[0];
  if (figure === undefined)
    throw new InvalidDataError("runs", "figures: logs, or what train() returns", "none");
  return scoreOf(figure);
}

const SETS: Readonly<Record<string, string>> = { val: "validation", test: "test" };

function scoreOf(figure: string): SweepScore {
  const [, prefix = "", rest = ""] = /^(?:(val|test)[_ ]?)?(.*)$/i.exec(figure) ?? [];
  const set = SETS[prefix.toLowerCase()] ?? (figure === "loss" || isAccuracy(figure) ? "training" : "");
  const isError = /^err(or)?$/i.test(rest);
  const what = isAccuracy(rest) || isError ? "error" : rest;
  const title = cleanText(set === "" || what === "" ? figure : `${set} ${what}`);
  return { figure, title, isShare: isAccuracy(figure) || isError };
}

function scoreValue({ figures }: SweepRun, { figure }: SweepScore): number {
  const value = figures[figure] ?? Number.NaN;
  return isAccuracy(figure) ? 1 - value : value;
}

/** What a run is compared by, as text: "18.3 %", "0.431"; null where it has no such figure. */
export function scoreText(run: SweepRun, score: SweepScore): string | null {
  const value = scoreValue(run, score);
  if (Number.isNaN(value)) return null;
  return score.isShare ? `${(100 * value).toFixed(1)} %` : formatNumber(value);
}

/** Runs that did not fail, the best first; those without a finite score last. */
export function rankedRuns(runs: readonly SweepRun[], score: SweepScore): SweepRun[] {
  const place = (run: SweepRun): number => {
    const value = scoreValue(run, score);
    return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
  };
  const complete = runs.filter(({ status }) => status !== "failed");
  return complete.sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
}

/** Options of {@link createSweepTable} and {@link createSweepFigure}. */
export interface SweepFigureOptions {
  /** The figure that settings are compared by. Default see `sweepScore`: test error where there is one. */
  readonly by?: string | undefined;
  /** Heading. Default "Settings". */
  readonly title?: string | undefined;
}

/** Most columns of figures beside the one that is compared. */
const MOST_FIGURES = 5;

/**
 * Returns the table of a sweep: one row for each run with a column for each setting, the best first; failed ones below,
 * with their error in the notes.
 *
 * @throws {@link InvalidDataError} if every run failed.
 * @example
 * const { runs } = await runSweep("sweep.ts", { directory: "runs/sweep" });
 * await writeReport("runs/sweep", [{ name: "table", figure: createSweepTable(runs) }]);
 */
export function createSweepTable(runs: readonly SweepRun[], options: SweepFigureOptions = {}): Figure {
  const score = scoreOfComplete(runs, options.by);
  const varying = settingNames(runs).filter((name) => distinct(runs, name).length > 1);
  const settings = varying.length === 0 ? settingNames(runs) : varying;
  const fixed = settingNames(runs).filter((name) => !settings.includes(name));
  const ranked = rankedRuns(runs, score);
  const failed = runs.filter(({ status }) => status === "failed");
  const others = [...new Set(ranked.flatMap(({ figures }) => Object.keys(figures)))]
    .filter((name) => name !== score.figure)
    .slice(0, MOST_FIGURES)
    .map(scoreOf);
  const cells = (run: SweepRun): TableCell[] => [
    ...settings.map((name) => settingCell(run.settings[name])),
    scoreCell(run, score),
    ...others.map((other) => scoreCell(run, other)),
    run.status === "failed" ? EMPTY_CELL : countCell(run.epochs),
    numberCell(run.seconds, (seconds) => seconds.toFixed(seconds < 10 ? 1 : 0)),
  ];
  const row = (name: string, run: SweepRun): DraftRow | null => rowOf(name, cells(run));
  const table = tableOf(
    "Rank",
    [...settings, score.title, ...others.map(({ title }) => title), "last epoch", "seconds"].map((title) => ({
      title: cleanText(title),
      color: null,
    })),
    [
      ...groupOf(
        `By ${score.title}, the least first`,
        ranked.map((run, i) => row(String(i + 1), run)),
      ),
      ...groupOf(
        "Failed",
        failed.map((run) => row("–", run)),
      ),
    ],
  );
  const outdated = runs.filter(({ isOutdated }) => isOutdated).length;
  return figureOf({
    title: options.title ?? "Settings",
    panels: [table],
    layout: { columns: 1 },
    caption: [
      `${capitalized(score.title)} and the other figures are those of the last snapshot, as logged or returned by train().`,
      fixed.length === 0
        ? ""
        : `All runs: ${fixed.map((name) => `${name} ${runs[0]?.settings[name]}`).join(", ")}.`,
      "Each row is one training: differences may be chance, unless the seed is a setting too.",
    ],
    notes: [
      ...failed.map(({ name, error }) => `${name} failed: ${error}`),
      ...(outdated === 0
        ? []
        : [`${counted(outdated, "run")} made by another text of train() or on another backend, and kept`]),
    ],
    description: `A table of ${counted(ranked.length, "run")} with ${settings.join(", ")}, sorted by ${score.title}.`,
  });
}

/** Settings with up to so many values are shown value by value. */
const MOST_VALUES = 8;

/**
 * Returns small multiples of a sweep: one panel for each setting that varies, its values across and the score up. A line
 * joins runs that differ in this setting only; its colour says the value of another setting.
 *
 * @throws {@link InvalidDataError} if every run failed, or no setting varies.
 * @example
 * const { runs } = await runSweep("sweep.ts", { directory: "runs/sweep" });
 * const figure = createSweepFigure(runs, { by: "val_acc" });
 */
export function createSweepFigure(runs: readonly SweepRun[], options: SweepFigureOptions = {}): Figure {
  const score = scoreOfComplete(runs, options.by);
  const shown = runs.filter(({ status }) => status !== "failed");
  const varying = settingNames(shown).filter((name) => distinct(shown, name).length > 1);
  if (varying.length === 0)
    throw new InvalidDataError("runs", "settings that vary among the complete runs", "none");
  const panels = varying.map((name) => settingPanel(name, varying, shown, score));
  return chartOf(options.title ?? `${capitalized(score.title)} by setting`, panels, {
    columns: Math.min(3, panels.length),
    caption: [
      `A point is a run, and a line joins runs that differ in the one setting only${varying.length > 1 ? "; its colour is the value of the setting that the legend names" : ""}.`,
    ],
  });
}

function settingPanel(
  name: string,
  varying: readonly string[],
  runs: readonly SweepRun[],
  score: SweepScore,
): CurvesPanel {
  const values = distinct(runs, name);
  const isCounted = values.length > MOST_VALUES && values.every((value) => typeof value === "number");
  const position = (run: SweepRun): number => {
    const value = run.settings[name] as SettingValue;
    return isCounted ? (value as number) : values.indexOf(value);
  };
  const coloring = varying.find((other) => other !== name);
  const colors = coloring === undefined ? [] : distinct(runs, coloring);
  // The first panel has the second setting's colours, the others the first one's: no colour means two things.
  const before = coloring === varying[0] ? 0 : distinct(runs, varying[0] as string).length;
  const rest = (run: SweepRun): string =>
    JSON.stringify(varying.filter((other) => other !== name).map((other) => run.settings[other]));
  const lines = new Map<string, SweepRun[]>();
  for (const run of runs) lines.set(rest(run), [...(lines.get(rest(run)) ?? []), run]);
  const series = [...lines.values()].map((members): Series => {
    const sorted = members.sort((a, b) => position(a) - position(b));
    const [first] = sorted as [SweepRun, ...SweepRun[]];
    const value = coloring === undefined ? undefined : first.settings[coloring];
    const others = varying
      .filter((other) => other !== name)
      .map((other) => `${other} ${first.settings[other]}`);
    return seriesOf(
      others.join(", ") || score.title,
      coloring === undefined ? 0 : before + colors.indexOf(value as SettingValue),
      sorted.map(position),
      sorted.map((run) => scoreValue(run, score)),
      {
        key: coloring === undefined || colors.length > MOST_VALUES ? null : cleanText(`${coloring} ${value}`),
        ...(new Set(sorted.map(position)).size < sorted.length ? { shape: "points" as const } : {}),
      },
    );
  });
  const x: CurvesAxis = isCounted
    ? autoX(name, values as readonly number[])
    : {
        title: cleanText(name),
        scale: "linear",
        ...{ min: -0.3, max: values.length - 0.7 },
        ticks: values.map((_, i) => i),
        labels: values.map((value) => cleanText(String(value))),
      };
  const left: CurvesAxis = score.isShare
    ? { title: score.title, scale: "percent" }
    : autoAxis(score.title, series);
  return panelOf("", x, left, series);
}

/** A logarithmic axis for values above 0 that span more than a factor of 30. */
function autoX(title: string, values: readonly number[]): CurvesAxis {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return { title: cleanText(title), scale: least > 0 && most / least > 30 ? "log" : "linear" };
}

function scoreOfComplete(runs: readonly SweepRun[], by: string | undefined): SweepScore {
  const complete = runs.filter(({ status }) => status !== "failed");
  if (complete.length === 0) {
    throw new InvalidDataError("runs", "at least one that did not fail", counted(runs.length, "failed run"));
  }
  return sweepScore(complete, by);
}

function settingNames(runs: readonly SweepRun[]): string[] {
  return [...new Set(runs.flatMap(({ settings }) => Object.keys(settings)))];
}

/** Values of a setting: numbers by size where all are, others as they come. */
function distinct(runs: readonly SweepRun[], name: string): SettingValue[] {
  const values = [...new Set(runs.map(({ settings }) => settings[name] as SettingValue))];
  return values.every((value) => typeof value === "number") ? values.sort((a, b) => a - b) : values;
}

function settingCell(value: SettingValue | undefined): TableCell {
  if (value === undefined) return EMPTY_CELL;
  return typeof value === "number" ? numberCell(value, String) : textCell(String(value));
}

function scoreCell(run: SweepRun, score: SweepScore): TableCell {
  const value = scoreValue(run, score);
  if (run.figures[score.figure] !== undefined && Number.isNaN(value)) {
    return { text: "NaN", value: "NaN", range: null };
  }
  return score.isShare ? shareCell(value) : numberCell(value);
}
