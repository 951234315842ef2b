import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import { condenseWarnings } from "../../base/warning.js";
import { fillPartial } from "../../surface/coarse-to-fine.js";
import {
  curveValues,
  type LineCurve,
  type LineSlice,
  seedBand,
} from "../../surface/lines/level-set-width.js";
import { formatCount } from "../draw/format-number.js";
import type { CurvesPanel, Figure, Series } from "../figure.js";
import {
  type AccuracyForm,
  autoAxis,
  bandOf,
  batchNormSentence,
  chartOf,
  isAccuracy,
  panelOf,
  quantityOf,
  seriesOf,
} from "./chart-parts.js";
import { evaluationLine } from "./figure-caption.js";

/** Options of {@link createLineFigure}. */
export interface LineFigureOptions {
  /** Heading. Default what the slice is. */
  readonly title?: string;
  /** Metric on the right axis, or null for none. Default the first one there is. */
  readonly metric?: string | null;
  /** Whether an accuracy is shown as such or as the error. Default "accuracy". */
  readonly accuracyAs?: AccuracyForm;
  /** Quantiles of the band over seeds. Default the quartiles, [0.25, 0.75]. */
  readonly quantiles?: readonly [number, number];
  /** "auto" (default): logarithmic loss where its values ask for it. */
  readonly lossScale?: "auto" | "linear" | "log";
  /** Name of the data for the caption. */
  readonly dataName?: string;
}

const LOSS = 0;
const METRIC = 1;

/**
 * Returns the picture of a one-dimensional slice: loss on the left axis, a metric on the right one; the
 * first evaluation set solid, others dashed; over several seeds the median with a band.
 *
 * @throws {@link InvalidOptionError} if the slice does not have the metric, or has no curve.
 * @see Li et al. 2018, figures 2 and 14.
 * @example const figure = createLineFigure(slice, { title: "Between SGD and Adam" });
 */
export function createLineFigure(whole: LineSlice, options: LineFigureOptions = {}): Figure {
  const { accuracyAs = "accuracy", quantiles = [0.25, 0.75], lossScale = "auto" } = options;
  const slice = shownCurves(whole);
  const sets = [...new Set(slice.curves.map(({ set }) => set))];
  if (sets.length === 0) throw new InvalidOptionError("slice", "at least one curve", "none");
  const metric = options.metric === undefined ? (firstMetric(slice.curves) ?? null) : options.metric;
  const curve = (set: string, index: number, quantity: string): Series[] => {
    const { title, of } = quantityOf(quantity, accuracyAs);
    const isLoss = quantity === "loss";
    const parts = { isDashed: index > 0, axis: isLoss ? "left" : "right" } as const;
    const name = sets.length === 1 ? title : `${title}, ${set}`;
    const color = isLoss ? LOSS : METRIC;
    const all = curveValues(slice, set, quantity);
    if (all.length === 1)
      return [seriesOf(name, color, slice.alpha, (all[0] as Float64Array).map(of), parts)];
    const { median, low, high } = seedBand(slice, set, quantity, { quantiles });
    const band = bandOf(low.map(of), high.map(of));
    return [seriesOf(name, color, slice.alpha, median.map(of), { ...parts, band })];
  };
  const losses = sets.flatMap((set, i) => curve(set, i, "loss"));
  const metrics = metric === null ? [] : sets.flatMap((set, i) => curve(set, i, metric));
  const shown = metric === null ? null : quantityOf(metric, accuracyAs);
  const left = lossScale === "auto" ? autoAxis("loss", losses) : { title: "loss", scale: lossScale };
  const panel: CurvesPanel = {
    kind: "curves",
    title: "",
    x: { title: cleanText(slice.axis), scale: "linear" as const },
    left,
    right: shown === null ? null : { title: shown.title, scale: shown.scale },
    series: [...losses, ...metrics],
    marks: slice.marks.map(({ alpha, name }) => ({
      x: alpha,
      label: cleanText(name),
      tone: "muted" as const,
    })),
  };
  const seeds = new Set(slice.curves.map(({ seed }) => seed)).size;
  return chartOf(options.title ?? defaultTitle(slice), [panel], {
    columns: 1,
    caption: [
      `Loss on the left axis${left.scale === "log" ? " (logarithmic)" : ""}${shown === null ? "" : `, ${shown.title} on the right one`}, ${slice.alpha.length} points.`,
      sets.length > 1 ? `Solid: ${sets[0]}; dashed: ${sets.slice(1).join(", ")}.` : "",
      seeds > 1
        ? `Median over ${seeds} seeds; band from the ${percent(quantiles[0])} to the ${percent(quantiles[1])} quantile.`
        : "",
      partialLines(whole),
      batchNormSentence(slice.batchNorm),
      slice.warnings.some(({ code }) => code === "negative-variance")
        ? "Where an interpolated moving variance is negative there is no loss."
        : "",
    ],
    provenance: lineProvenance(slice, sets, options.dataName),
    notes: condenseWarnings(slice.warnings).map(({ message }) => message),
  });
}

/** The curves with values, points in between filled in where they were stopped early. */
function shownCurves(slice: LineSlice): LineSlice {
  const curves = slice.curves.map((curve) => ({ ...curve, surface: fillPartial(curve.surface) }));
  const known = curves.filter(({ surface }) => surface.partial?.evaluated.includes(1) ?? true);
  return { ...slice, curves: known.length === 0 ? curves : known };
}

/** Says which points a slice that was stopped early has; nothing of a complete one. */
function partialLines({ curves }: LineSlice): string {
  const budget = curves.map(({ surface }) => surface.partial?.budget).find((one) => one !== undefined);
  if (budget === undefined) return "";
  const evaluated = curves.flatMap(({ surface: { alpha, partial } }) =>
    Array.from(partial?.evaluated ?? alpha.map(() => 1)),
  );
  const known = evaluated.reduce((sum, one) => sum + one, 0);
  return (
    `Partial: ${formatCount(known)} of ${formatCount(evaluated.length)} points are evaluated (stopped after ` +
    `${cleanText(budget)}); the others are interpolated between them.`
  );
}

function firstMetric(curves: readonly LineCurve[]): string | undefined {
  return curves.flatMap(({ surface }) => Object.keys(surface.metrics))[0];
}

function defaultTitle({ kind, marks }: LineSlice): string {
  const names = marks.map(({ name }) => name);
  return kind === "models" ? `From ${names.join(" to ")}` : `Random directions from ${names.join(", ")}`;
}

/** Where the curves of each set come from. */
export function lineProvenance({ curves }: LineSlice, sets: readonly string[], dataName?: string): string {
  const evaluated = sets.map((set) => curves.find((candidate) => candidate.set === set) as LineCurve);
  return evaluationLine(evaluated as [LineCurve, ...LineCurve[]], dataName);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** The lines around one run's solution. */
export interface RunLines {
  readonly name: string;
  readonly slice: LineSlice;
}

/** Options of {@link createComparedLinesFigure}. */
export interface ComparedLinesOptions {
  /** Heading. Default "Around each solution". */
  readonly title?: string;
  /** Metric in a panel of its own, or null for none. Default the first one there is. */
  readonly metric?: string | null;
  /** Whether an accuracy is shown as the error (default) or as such. */
  readonly accuracyAs?: AccuracyForm;
  readonly dataName?: string;
}

/**
 * Returns loss and a metric along random directions around several solutions, laid over each other: one colour a
 * run, the first evaluation set solid, others dashed, over several seeds the median with a band between the
 * quartiles. On filter-normalized lines the widths of different networks can be compared.
 *
 * @throws {@link InvalidDataError} if there is no run.
 * @see Li et al. 2018, section 5 and figure 14.
 * @example const figure = createComparedLinesFigure([{ name: "SGD", slice }]);
 */
export function createComparedLinesFigure(
  runs: readonly RunLines[],
  options: ComparedLinesOptions = {},
): Figure {
  const { title = "Around each solution", accuracyAs = "error", dataName } = options;
  const [first] = runs;
  if (first === undefined) throw new InvalidDataError("runs", "at least one run", "none");
  const sets = [...new Set(runs.flatMap(({ slice }) => slice.curves.map(({ set }) => set)))];
  const metrics = runs.flatMap(({ slice }) =>
    slice.curves.flatMap(({ surface }) => Object.keys(surface.metrics)),
  );
  const metric = options.metric === undefined ? (metrics[0] ?? null) : options.metric;
  const panels = ["loss", ...(metric === null ? [] : [metric])].map((quantity) => {
    const { title: shown, scale, of } = quantityOf(quantity, accuracyAs);
    const series = runs.flatMap((run, color) =>
      sets.flatMap((set, s) =>
        curveOf(run, set, quantity, of, { color, isDashed: s > 0, isNamed: sets.length > 1 }),
      ),
    );
    const left = isAccuracy(quantity) ? { title: shown, scale } : autoAxis(shown, series);
    const heading = `${shown.slice(0, 1).toUpperCase()}${shown.slice(1)}`;
    return panelOf(heading, cleanText(first.slice.axis), left, series);
  });
  const seeds = new Set(first.slice.curves.map(({ seed }) => seed)).size;
  return chartOf(title, panels, {
    columns: 2,
    caption: [
      `Each run's final weights lie at α = 0; ${first.slice.alpha.length} points.`,
      sets.length > 1 ? `Solid: ${sets[0]}; dashed: ${sets.slice(1).join(", ")}.` : "",
      seeds > 1 ? `Median over ${seeds} seeds; band between the quartiles.` : "",
      panels.some(({ left }) => left.scale === "log") ? "Logarithmic scale of the loss." : "",
      batchNormSentence(first.slice.batchNorm),
    ],
    provenance: lineProvenance(first.slice, setsOf(first.slice), dataName),
    notes: condenseWarnings(runs.flatMap(({ slice }) => slice.warnings)).map(({ message }) => message),
  });
}

function setsOf({ curves }: LineSlice): string[] {
  return [...new Set(curves.map(({ set }) => set))];
}

function curveOf(
  { name, slice }: RunLines,
  set: string,
  quantity: string,
  of: (value: number) => number,
  {
    color,
    isDashed,
    isNamed,
  }: { readonly color: number; readonly isDashed: boolean; readonly isNamed: boolean },
): Series[] {
  const here = slice.curves.find((curve) => curve.set === set);
  if (here === undefined || !(quantity === "loss" || Object.hasOwn(here.surface.metrics, quantity)))
    return [];
  const label = isNamed ? `${name}, ${set}` : name;
  const all = curveValues(slice, set, quantity);
  if (all.length === 1) {
    return [seriesOf(label, color, slice.alpha, (all[0] as Float64Array).map(of), { isDashed })];
  }
  const { median, low, high } = seedBand(slice, set, quantity);
  const band = bandOf(low.map(of), high.map(of));
  return [seriesOf(label, color, slice.alpha, median.map(of), { isDashed, band })];
}
