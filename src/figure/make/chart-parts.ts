import { cleanText } from "../../base/clean-text.js";
import { decodeNumber, encodeNumber } from "../../base/json.js";
import { isAccuracy } from "../../loss/loss-evaluator.js";
import type { SnapshotInfo } from "../../store/run/run.js";
import { capitalized } from "../draw/format-number.js";
import { createContourScale } from "../draw/scales.js";
import type { CurvesAxis, CurvesPanel, Figure, Progress, Series, UprightMark } from "../figure.js";
import { figureOf, isRateLowered } from "./run-data.js";

/** How accuracy is shown: as it is, or as the error, 1 − accuracy. */
export type AccuracyForm = "accuracy" | "error";

/** More drops of the learning rate than this are a schedule, and no mark each. */
export const MOST_DROPS = 8;

/** Behind the name of a curve of values that another loss logged than those before. */
export const AFTER_CHANGE = ", after the loss was changed";

export { isAccuracy };

/** The axis, and what its values are, of a loss, a metric or an accuracy. */
export function quantityOf(name: string, form: AccuracyForm) {
  if (!isAccuracy(name))
    return { title: cleanText(name), scale: "linear" as const, of: (value: number) => value };
  // Of several outputs each has an accuracy of its own: "digit_acc".
  const output = /^(.+)_acc(uracy)?$/i.exec(name)?.[1];
  const title = `${form}${output === undefined ? "" : `, ${cleanText(output)}`}`;
  const of = form === "error" ? (value: number) => 1 - value : (value: number) => value;
  return { title, scale: "percent" as const, of };
}

/** A linear axis; histograms and counts begin at 0. */
export function linearAxis(title: string, min?: number): CurvesAxis {
  return { title, scale: "linear", min };
}

/** An axis that is logarithmic where the values of its curves ask for it. */
export function autoAxis(title: string, series: readonly Series[]): CurvesAxis {
  const values = series.flatMap(({ y }) => y.map(decodeNumber)).filter(Number.isFinite);
  const { kind } = values.length === 0 ? { kind: "linear" as const } : createContourScale([values]);
  return { title, scale: kind === "log" ? "log" : "linear" };
}

/** From so many runs on a legend names each once, and what is dashed once for all. */
const MOST_NAMED = 3;

/**
 * Returns what a curve is called where each run has several kinds: in read-outs, and in the legend.
 *
 * @param kind - what it shows beside other curves of the run; empty for the only or solid one.
 */
export function curveNames(
  run: string,
  kind: string,
  { runs, isDashed }: { readonly runs: number; readonly isDashed: boolean },
): { readonly name: string; readonly key?: string } {
  const name = kind === "" ? run : `${run}, ${kind}`;
  return runs > MOST_NAMED ? { name, key: cleanText(isDashed ? kind : run) } : { name };
}

/** A curve on the left axis. */
export function seriesOf(
  name: string,
  color: number,
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  parts: Partial<Series> = {},
): Series {
  return {
    name: cleanText(name),
    color,
    isDashed: false,
    axis: "left",
    shape: "line",
    x: Array.from(x),
    y: Array.from(y, encodeNumber),
    band: null,
    ...parts,
  };
}

/** A band of a curve. */
export function bandOf(low: ArrayLike<number>, high: ArrayLike<number>): Series["band"] {
  return { low: Array.from(low, encodeNumber), high: Array.from(high, encodeNumber) };
}

/** A panel with one vertical axis. */
export function panelOf(
  title: string,
  x: string | CurvesAxis,
  left: CurvesAxis,
  series: readonly Series[],
  marks: readonly UprightMark[] = [],
): CurvesPanel {
  const axis = typeof x === "string" ? linearAxis(x) : x;
  return { kind: "curves", title, x: axis, left, right: null, series, marks };
}

/** A panel of a loss or a metric with the quantity as its heading; an accuracy has an axis of shares. */
export function quantityPanel(
  quantity: string,
  form: AccuracyForm,
  x: string,
  seriesFor: (of: (value: number) => number) => readonly Series[],
  marks: readonly UprightMark[] = [],
): CurvesPanel {
  const { title, scale, of } = quantityOf(quantity, form);
  const series = seriesFor(of);
  const left = isAccuracy(quantity) ? { title, scale } : autoAxis(title, series);
  // Of one epoch or two no tick lies between them.
  const across = x === "epoch" ? ({ title: x, scale: "count" } as const) : x;
  return panelOf(capitalized(title), across, left, series, marks);
}

/** Upright lines where the learning rate was lowered, in any of the runs. */
export function dropMarks(
  runs: readonly { readonly snapshots: readonly SnapshotInfo[] }[],
  x: Progress = "epoch",
): UprightMark[] {
  const places = runs.flatMap(({ snapshots }) =>
    snapshots
      .filter((snapshot, i) => isRateLowered(snapshot, snapshots[i - 1]))
      .map((snapshot) => snapshot[x]),
  );
  return marksAt(places, "rate lowered");
}

/** Upright lines at drops of the learning rate, the first with a name; none where it falls all the time. */
export function marksAt(places: readonly number[], name: string): UprightMark[] {
  const drops = [...new Set(places)].sort((a, b) => a - b);
  if (drops.length > MOST_DROPS) return [];
  return drops.map((x, i) => ({ x, label: i === 0 ? name : "", tone: "drop" }));
}

/** Number of values of a chart that are not finite, in words for the caption; empty if there is none. */
function gapSentence(panels: readonly CurvesPanel[]): string {
  const values = panels.flatMap(({ series }) => series.flatMap(({ y }) => y));
  const gaps = values.filter((value) => typeof value === "string").length;
  if (gaps === 0) return "";
  return `${gaps} of ${values.length} values ${gaps === 1 ? "is" : "are"} not finite and shown as ${gaps === 1 ? "a gap" : "gaps"}.`;
}

/** Puts a chart together. */
export function chartOf(
  title: string,
  panels: readonly CurvesPanel[],
  {
    columns,
    caption,
    ...parts
  }: {
    readonly columns: number;
    readonly caption: readonly string[];
    readonly provenance?: string;
    readonly notes?: readonly string[];
  },
): Figure {
  const names = panels.map((panel) => panel.title || `${panel.left.title} against ${panel.x.title}`);
  return figureOf({
    title,
    panels,
    layout: { columns },
    caption: [...caption, gapSentence(panels)],
    description: `${panels.length === 1 ? "A plot" : `${panels.length} plots`}: ${names.join("; ")}.`,
    ...parts,
  });
}
