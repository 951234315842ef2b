import { cleanText } from "../../base/clean-text.js";
import { decodeNumber, encodeNumber } from "../../base/json.js";
import { createContourScale } from "../draw/contour-scale.js";
import type { CurvesAxis, CurvesPanel, Figure, Progress, Series, UprightMark } from "../figure.js";

/** How accuracy is shown: as it is, or as the error, 1 − accuracy. */
export type AccuracyForm = "accuracy" | "error";

/** More drops of the learning rate than this are a schedule, and no mark each. */
export const MOST_DROPS = 8;

/** Rates closer than this share are the same rate written with different rounding. */
const RATE_TOLERANCE = 1e-6;

/** Whether a metric is an accuracy, a share of 1. */
export function isAccuracy(name: string): boolean {
  return /(^|_|[a-z])acc(uracy)?$/i.test(name);
}

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

/** An axis that is logarithmic where the values of its curves ask for it. */
export function autoAxis(title: string, series: readonly Series[]): CurvesAxis {
  const values = series.flatMap(({ y }) => y.map(decodeNumber)).filter(Number.isFinite);
  const { kind } = values.length === 0 ? { kind: "linear" as const } : createContourScale([values]);
  return { title, scale: kind };
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
  x: string,
  left: CurvesAxis,
  series: readonly Series[],
  marks: readonly UprightMark[] = [],
): CurvesPanel {
  return { kind: "curves", title, x: { title: x, scale: "linear" }, left, right: null, series, marks };
}

/** What is known of the learning rate at a snapshot; `SnapshotInfo` fits. */
interface RateAt {
  readonly step?: number;
  readonly epoch: number;
  readonly iteration: number;
  readonly learningRate: number;
}

/** Whether the learning rate is lower than at the snapshot before. */
export function isRateLowered(
  { learningRate }: Pick<RateAt, "learningRate">,
  before: Pick<RateAt, "learningRate"> | undefined,
): boolean {
  return before !== undefined && learningRate < before.learningRate * (1 - RATE_TOLERANCE);
}

/** Upright lines where the learning rate was lowered, in any of the runs. */
export function dropMarks(
  runs: readonly { readonly snapshots: readonly RateAt[] }[],
  x: Progress = "epoch",
): UprightMark[] {
  const places = runs.flatMap(({ snapshots }) =>
    snapshots
      .filter((snapshot, i) => isRateLowered(snapshot, snapshots[i - 1]))
      .map((snapshot) => snapshot[x] ?? 0),
  );
  const drops = [...new Set(places)].sort((a, b) => a - b);
  if (drops.length > MOST_DROPS) return [];
  return drops.map((drop, i) => ({ x: drop, label: i === 0 ? "rate lowered" : "", tone: "drop" }));
}

/** Number of values of a chart that are not finite, in words for the caption; empty if there is none. */
export function gapSentence(panels: readonly CurvesPanel[]): string {
  const values = panels.flatMap(({ series }) => series.flatMap(({ y }) => y));
  const gaps = values.filter((value) => typeof value === "string").length;
  if (gaps === 0) return "";
  return `${gaps} of ${values.length} values ${gaps === 1 ? "is" : "are"} not finite and shown as ${gaps === 1 ? "a gap" : "gaps"}.`;
}

/** Puts a chart together. */
export function chartOf(
  title: string,
  panels: readonly CurvesPanel[],
  parts: {
    readonly columns: number;
    readonly caption: readonly string[];
    readonly provenance?: string;
    readonly notes?: readonly string[];
  },
): Figure {
  const caption = [...parts.caption, gapSentence(panels)].filter((sentence) => sentence !== "").join(" ");
  const clean = cleanText(title);
  const names = panels.map((panel) => panel.title || `${panel.left.title} against ${panel.x.title}`);
  return {
    version: 2,
    title: clean,
    progress: "epoch",
    runs: [],
    panels,
    layout: { columns: parts.columns },
    fidelity: [],
    caption: cleanText(caption),
    provenance: cleanText(parts.provenance ?? ""),
    notes: [...new Set(parts.notes ?? [])].map(cleanText),
    description: `${clean}. ${panels.length === 1 ? "A plot" : `${panels.length} plots`}: ${names.join("; ")}.`,
  };
}

const BATCH_NORM: Readonly<Record<string, string>> = {
  keep: "Moving statistics of batch norm, if any, are those of the centre.",
  interpolate: "Moving statistics of batch norm, if any, are interpolated with the weights.",
  recalibrate: "Moving statistics of batch norm are computed anew at each point.",
};

/** What was done with batch norm's moving statistics, in a sentence. */
export function batchNormSentence(policy: string): string {
  return BATCH_NORM[policy] ?? "";
}
