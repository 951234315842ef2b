import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError } from "../../base/errors.js";
import { condenseWarnings } from "../../base/warning.js";
import type { LineSlice } from "../../surface/lines/level-set-width.js";
import { curveValues, seedBand } from "../../surface/lines/level-set-width.js";
import type { Figure, Series } from "../figure.js";
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
import { lineProvenance } from "./create-line-figure.js";

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
