import type { JsonNumber } from "../base/json.js";

/** An axis of a panel. */
export interface ChartAxis {
  readonly title: string;
  /** "percent": shares, written as percentages. */
  readonly scale: "linear" | "log" | "percent";
  /** Range; default what the curves need. */
  readonly min?: number;
  readonly max?: number;
  /** Ticks; default round values. */
  readonly ticks?: readonly number[];
}

/** One curve of a panel. */
export interface ChartSeries {
  /** Name in the legend; curves of one name, colour and stroke share an entry. */
  readonly name: string;
  /** Place in the palette of runs. */
  readonly color: number;
  readonly isDashed: boolean;
  readonly axis: "left" | "right";
  /** "line" through the points, "area" with the ground below filled (histograms), "points" by themselves. */
  readonly shape: "line" | "area" | "points";
  /** Positions, increasing or equal; of points, in any order. */
  readonly x: readonly number[];
  /** Values; those that are not finite break the line. */
  readonly y: readonly JsonNumber[];
  /** Band around the curve, at the same positions; null without. */
  readonly band: { readonly low: readonly JsonNumber[]; readonly high: readonly JsonNumber[] } | null;
}

/** An upright line with a name. */
export interface ChartMark {
  readonly x: number;
  readonly label: string;
  readonly tone: "muted" | "drop";
}

/** One plot of a chart. */
export interface ChartPanel {
  readonly title: string;
  readonly x: ChartAxis;
  readonly left: ChartAxis;
  readonly right: ChartAxis | null;
  readonly series: readonly ChartSeries[];
  readonly marks: readonly ChartMark[];
}

/**
 * One picture of curves in panels, as plain JSON data: one-dimensional slices, histograms of weights, norms,
 * training curves, angles.
 *
 * Non-finite numbers are spelled out. Every text is cleaned of control characters, but not escaped.
 */
export interface ChartFigure {
  readonly kind: "chart";
  /** Version of this form; raised when it changes. */
  readonly version: 1;
  readonly title: string;
  readonly panels: readonly ChartPanel[];
  /** Panels side by side where the picture is wide enough. */
  readonly columns: number;
  /** What is drawn, in sentences. */
  readonly caption: string;
  /** Where the numbers come from, in one line; may be empty. */
  readonly provenance: string;
  /** Warnings of the results that the picture is made of. */
  readonly notes: readonly string[];
  /** The picture in words, for those who do not see it. */
  readonly description: string;
}
