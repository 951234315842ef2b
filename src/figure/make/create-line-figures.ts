import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import { condenseWarnings, namedWarnings } from "../../base/warning.js";
import { fillPartial } from "../../surface/coarse-to-fine.js";
import {
  curveValues,
  type LineCurve,
  type LineSlice,
  seedBand,
} from "../../surface/lines/level-set-width.js";
import { counted } from "../draw/format-number.js";
import type { CurvesPanel, Figure, Series } from "../figure.js";
import {
  type AccuracyForm,
  autoAxis,
  bandOf,
  chartOf,
  curveNames,
  quantityOf,
  quantityPanel,
  seriesOf,
} from "./chart-parts.js";
import { batchNormSentences, evaluationLine, partialSentence } from "./figure-caption.js";

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
  const sets = setsOf([slice]);
  if (sets.length === 0) throw new InvalidOptionError("slice", "at least one curve", "none");
  const metric = options.metric === undefined ? firstMetric([slice]) : options.metric;
  const curves = (quantity: string): Series[] => {
    const { title, of } = quantityOf(quantity, accuracyAs);
    const [color, axis] = quantity === "loss" ? ([LOSS, "left"] as const) : ([METRIC, "right"] as const);
    return sets.map((set, index) => {
      const name = sets.length === 1 ? title : `${title}, ${set}`;
      return curveOf(slice, { set, quantity, of, quantiles }, name, color, { isDashed: index > 0, axis });
    });
  };
  const losses = curves("loss");
  const shown = metric === null ? null : quantityOf(metric, accuracyAs);
  const left = lossScale === "auto" ? autoAxis("loss", losses) : { title: "loss", scale: lossScale };
  const panel: CurvesPanel = {
    kind: "curves",
    title: "",
    x: { title: cleanText(slice.axis), scale: "linear" },
    left,
    right: shown === null ? null : { title: shown.title, scale: shown.scale },
    series: [...losses, ...(metric === null ? [] : curves(metric))],
    marks: slice.marks.map(({ alpha, name }) => ({ x: alpha, label: cleanText(name), tone: "muted" })),
  };
  const band = `from the ${percent(quantiles[0])} to the ${percent(quantiles[1])} quantile`;
  return chartOf(options.title ?? defaultTitle(slice), [panel], {
    columns: 1,
    caption: [
      `Loss on the left axis${left.scale === "log" ? " (logarithmic)" : ""}${shown === null ? "" : `, ${shown.title} on the right one`}, ${slice.alpha.length} points.`,
      ...curvesSentences(slice, sets, band),
      partialSentence(
        whole.curves.map(({ surface }) => surface),
        "Partial",
        "points",
      ),
      ...batchNormSentences(slice.batchNorm, slice.warnings),
    ],
    ...sourcesOf([{ slice }], options.dataName),
  });
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
 * Returns loss and a metric along random directions around several solutions, laid over each other: one colour
 * per run, the first evaluation set solid, others dashed, over several seeds the median with a band between the
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
  const slices = runs.map(({ slice }) => slice);
  const [first] = slices;
  if (first === undefined) throw new InvalidDataError("runs", "at least one run", "none");
  const sets = setsOf(slices);
  const metric = options.metric === undefined ? firstMetric(slices) : options.metric;
  const panels = ["loss", ...(metric === null ? [] : [metric])].map((quantity) =>
    quantityPanel(quantity, accuracyAs, cleanText(first.axis), (of) =>
      runs.flatMap(({ name, slice }, color) =>
        sets
          .filter((set) => hasQuantity(slice, set, quantity))
          .map((set) => {
            const isDashed = set !== sets[0];
            const kind = sets.length > 1 ? set : "";
            const { name: label, ...parts } = curveNames(name, kind, { runs: runs.length, isDashed });
            return curveOf(slice, { set, quantity, of }, label, color, { isDashed, ...parts });
          }),
      ),
    ),
  );
  return chartOf(title, panels, {
    columns: 2,
    caption: [
      `Each run's final weights lie at α = 0; ${first.alpha.length} points.`,
      ...curvesSentences(first, sets, "between the quartiles"),
      panels.some(({ left }) => left.scale === "log") ? "Logarithmic scale of the loss." : "",
      ...batchNormSentences(first.batchNorm, []),
    ],
    ...sourcesOf(runs, dataName),
  });
}

/** What a curve shows. */
interface CurveSource {
  readonly set: string;
  readonly quantity: string;
  readonly of: (value: number) => number;
  readonly quantiles?: readonly [number, number];
}

/** A quantity along a line: its curve, or over several seeds their median with a band. */
function curveOf(
  slice: LineSlice,
  { set, quantity, of, quantiles = [0.25, 0.75] }: CurveSource,
  name: string,
  color: number,
  parts: Partial<Series>,
): Series {
  const [only, ...others] = curveValues(slice, set, quantity);
  if (only !== undefined && others.length === 0)
    return seriesOf(name, color, slice.alpha, only.map(of), parts);
  const { median, low, high } = seedBand(slice, set, quantity, { quantiles });
  const band = bandOf(low.map(of), high.map(of));
  return seriesOf(name, color, slice.alpha, median.map(of), { ...parts, band });
}

function hasQuantity({ curves }: LineSlice, set: string, quantity: string): boolean {
  const curve = curves.find((one) => one.set === set);
  return curve !== undefined && (quantity === "loss" || Object.hasOwn(curve.surface.metrics, quantity));
}

function setsOf(slices: readonly LineSlice[]): string[] {
  return [...new Set(slices.flatMap(({ curves }) => curves.map(({ set }) => set)))];
}

function firstMetric(slices: readonly LineSlice[]): string | null {
  return (
    slices.flatMap(({ curves }) => curves.flatMap(({ surface }) => Object.keys(surface.metrics)))[0] ?? null
  );
}

/** Which stroke is which set, and what stands for several seeds. */
function curvesSentences(
  { curves }: LineSlice,
  [first, ...others]: readonly string[],
  band: string,
): string[] {
  const seeds = new Set(curves.map(({ seed }) => seed)).size;
  return [
    others.length > 0 ? `Solid: ${first}; dashed: ${others.join(", ")}.` : "",
    seeds > 1 ? `Median over ${counted(seeds, "seed")}; band ${band}.` : "",
  ];
}

/** Where the curves of each set come from, and warnings. */
function sourcesOf(lines: readonly (Pick<RunLines, "slice"> & Partial<RunLines>)[], dataName?: string) {
  const [{ slice: first }] = lines as readonly [RunLines];
  const evaluated = setsOf([first]).map((set) => first.curves.find((curve) => curve.set === set));
  return {
    provenance: evaluationLine(evaluated as [LineCurve, ...LineCurve[]], dataName),
    notes: condenseWarnings(lines.flatMap(({ name, slice }) => namedWarnings(name, slice.warnings))).map(
      ({ message }) => message,
    ),
  };
}

/** The curves with values, points in between filled in where they were stopped early. */
function shownCurves(slice: LineSlice): LineSlice {
  const curves = slice.curves.map((curve) => ({ ...curve, surface: fillPartial(curve.surface) }));
  const known = curves.filter(({ surface }) => surface.partial?.evaluated.includes(1) ?? true);
  return { ...slice, curves: known.length === 0 ? curves : known };
}

function defaultTitle({ kind, marks }: LineSlice): string {
  const names = marks.map(({ name }) => name);
  if (kind === "along") return `Along one direction from ${names.join(", ")}`;
  return kind === "models" ? `From ${names.join(" to ")}` : `Random directions from ${names.join(", ")}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
