import { cleanText } from "../../base/clean-text.js";
import type { CurvatureSummary, LayerCurvature, StoredDensity } from "../../curvature/curvature-file.js";
import { formatCount, formatNumber } from "../draw/format-number.js";
import type { CurvesPanel, Figure, Panel, TableCell, TablePanel } from "../figure.js";
import { bandOf, linearAxis, panelOf, seriesOf } from "./chart-parts.js";
import { figureOf } from "./run-data.js";
import { countCell, groupOf, numberCell, rowOf, tableOf } from "./table-parts.js";

/** Options of {@link createCurvatureFigure}. */
export interface CurvatureFigureOptions {
  /** Heading. Default "Curvature of the loss at NAME". */
  readonly title?: string | undefined;
}

const NAMES = { hessian: "Hessian", "gauss-newton": "Gauss-Newton matrix" } as const;

/** A density this much smaller than its largest value is not drawn. */
const LEAST_DENSITY = 1e-7;

/**
 * Returns the curvature at a model as a figure: the eigenvalues of largest magnitude, the spectral density on a
 * logarithmic scale with its outliers, and tables of the whole matrix and of the layers' blocks, as far as they are known.
 *
 * @see Papyan 2019; Ghorbani et al. 2019 (densities).
 * @example const figure = createCurvatureFigure(summary);
 */
export function createCurvatureFigure(
  summary: CurvatureSummary,
  { title }: CurvatureFigureOptions = {},
): Figure {
  const { facts, eigenvalues, layers } = summary;
  const density = summary.density === null ? null : broadened(summary.density);
  const charts: CurvesPanel[] = [
    ...(eigenvalues === null ? [] : [eigenvaluesPanel(summary)]),
    ...(density === null ? [] : [densityPanel(density, facts.size)]),
  ];
  const panels: Panel[] = [
    ...charts,
    wholeTable(summary),
    ...(layers === null || layers.length === 0 ? [] : [layersTable(layers)]),
  ];
  const matrix = NAMES[facts.matrix];
  const left = facts.ignore.length === 0 ? "" : ` without ${facts.ignore.join(", ")}`;
  const data = facts.dataName ?? `${formatCount(facts.samples)} samples`;
  return figureOf({
    title: title ?? `Curvature of the loss at ${cleanText(facts.name)}`,
    panels,
    layout: { columns: charts.length === 0 ? 1 : 2 },
    caption: [
      `${matrix} of the mean loss over the ${formatCount(facts.size)} trained weights${left}, by ${productsOf(facts)} in evaluation mode.`,
      eigenvalues === null ? "" : eigenvalueSentence(summary),
      density === null ? "" : densitySentence(density, facts.size),
      layers === null
        ? ""
        : "By layer: the block of the layer's own weights, without what couples layers; traces with their standard errors.",
    ],
    provenance: `${cleanText(data)}, loss ${facts.lossMode === "logits" ? "from the logits" : "as compiled"}`,
    notes: notConverged(summary),
    description: `The curvature of the loss: ${panels.map(({ title: name }) => name).join("; ")}.`,
  });
}

function eigenvaluesPanel({ eigenvalues }: CurvatureSummary): CurvesPanel {
  const { values, residuals } = eigenvalues as NonNullable<typeof eigenvalues>;
  const ranks = Array.from(values, (_, i) => i + 1);
  const band = bandOf(
    values.map((value, i) => value - (residuals[i] as number)),
    values.map((value, i) => value + (residuals[i] as number)),
  );
  const series = seriesOf("eigenvalue", 0, ranks, values, { shape: "points", key: null, band });
  const low = Math.min(0, ...values);
  return panelOf(
    "Eigenvalues of largest magnitude",
    { title: "rank by magnitude", scale: "count", min: 0.5, max: values.length + 0.5 },
    { title: "eigenvalue λ", scale: "linear", ...(low < 0 ? {} : { min: 0 }) },
    [series],
  );
}

/** Bumps are drawn at least this wide, as a share of the axis: narrower ones are needles that show nothing. */
const LEAST_WIDTH = 1 / 150;

/** The bulk as a curve; each outlier as the top of a bump as wide as those of the bulk. */
function densityPanel({ values, density, width, outliers }: StoredDensity, size: number): CurvesPanel {
  const spikes = spikesOf(outliers);
  const peak = 1 / (size * width * Math.sqrt(2 * Math.PI));
  // What is less than a hundredth of one eigenvalue is the flank of a bump.
  const least = Math.max(LEAST_DENSITY * density.reduce((a, b) => Math.max(a, b), 0), peak / 100);
  const shown = density.map((value) => (value > least ? value : Number.NaN));
  const rest = size - spikes.length;
  const bulk = seriesOf(`bulk, ${formatCount(rest)} eigenvalues`, 0, values, shown, { shape: "line" });
  const apart = seriesOf(
    "outliers, one eigenvalue each",
    1,
    spikes,
    spikes.map(() => peak),
    { shape: "points" },
  );
  return panelOf(
    "Spectral density",
    linearAxis("eigenvalue λ"),
    { title: "density", scale: "log" },
    spikes.length === 0 ? [bulk] : [bulk, apart],
  );
}

/** The eigenvalues that are taken out of a density, increasing. */
function spikesOf(outliers: StoredDensity["outliers"]): Float64Array {
  return Float64Array.from(outliers?.values ?? []).sort();
}

/** A density with bumps that can be seen beside its outliers: smoothed once more where they are narrower. */
function broadened(found: StoredDensity): StoredDensity {
  const { values, density, width, outliers } = found;
  const spikes = spikesOf(outliers);
  const [low, high] = [values[0] as number, values[values.length - 1] as number];
  const [from, to] = [Math.min(low, spikes[0] ?? low), Math.max(high, spikes[spikes.length - 1] ?? high)];
  const wide = (to - from) * LEAST_WIDTH;
  if (!(wide > width)) return found;
  const more = Math.sqrt(wide ** 2 - width ** 2);
  const step = (high - low) / (values.length - 1);
  const begin = low - 4 * more;
  const places = values.map((_, i) => begin + ((high + 4 * more - begin) * i) / (values.length - 1));
  const scale = step / (more * Math.sqrt(2 * Math.PI));
  const smooth = places.map(
    (x) =>
      scale *
      density.reduce(
        (sum, value, i) => sum + value * Math.exp(-(((x - (values[i] as number)) / more) ** 2) / 2),
        0,
      ),
  );
  return { ...found, values: places, density: smooth, width: wide };
}

const RESIDUAL = "Residual |H·v − λ·v| of the computed pair: an eigenvalue lies within it of the number.";
const TRACE = "Sum of all eigenvalues; after ±, the standard error where it is estimated.";

function withError(value: number, error: number): TableCell {
  const cell = numberCell(value, (shown) => formatNumber(shown, 4));
  return error === 0 || cell.value === null
    ? cell
    : { ...cell, text: `${cell.text} ± ${formatNumber(error, 2)}`, range: [value - error, value + error] };
}

function wholeTable({ facts, eigenvalues, trace, density }: CurvatureSummary): TablePanel {
  const { values, residuals } = eigenvalues ?? density?.outliers ?? { values: [], residuals: [] };
  const groups = [
    ...groupOf("the model", [
      rowOf("loss", [numberCell(facts.loss)]),
      rowOf("norm of the gradient", [numberCell(facts.gradientNorm)]),
      rowOf("weights", [countCell(facts.size)]),
    ]),
    ...groupOf(
      NAMES[facts.matrix],
      [
        ...Array.from(values, (value, i) =>
          rowOf(`λ ${i + 1}`, [withError(value, residuals[i] as number)], { definition: RESIDUAL }),
        ),
        trace === null
          ? null
          : rowOf("trace", [withError(trace.value, trace.standardError)], { definition: TRACE }),
        trace === null ? null : rowOf("trace / weights", [numberCell(trace.value / facts.size)]),
      ].filter((row) => row !== null),
    ),
  ];
  return tableOf("", [{ title: cleanText(facts.name), color: null }], groups, "In numbers");
}

function layersTable(layers: readonly LayerCurvature[]): TablePanel {
  const columns = ["weights", "largest |λ|", "trace", "trace / weights"].map((title) => ({
    title,
    color: null,
  }));
  const rows = layers.map(({ layer, size, eigenvalue, residual, isConverged, trace, standardError }) =>
    rowOf(layer, [
      countCell(size),
      // Where it has converged, the number is right to all its digits.
      withError(eigenvalue, isConverged ? 0 : residual),
      withError(trace, standardError),
      numberCell(trace / size, (value) => formatNumber(value, 3)),
    ]),
  );
  return tableOf("layer", columns, groupOf("", rows), "By layer");
}

function productsOf({ differenceError }: CurvatureSummary["facts"]): string {
  if (differenceError === undefined) return "exact products";
  return `differences of gradients (which change by ${formatNumber(100 * differenceError, 2)} % between half and double the step)`;
}

function eigenvalueSentence({ eigenvalues, facts }: CurvatureSummary): string {
  const { values, residuals, products } = eigenvalues as NonNullable<typeof eigenvalues>;
  const negative = values.filter((value) => value < 0).length;
  const worst = residuals.reduce((a, b) => Math.max(a, b), 0);
  const kind =
    negative > 0
      ? ` ${negative} of them ${negative === 1 ? "is" : "are"} negative: the point is no minimum.`
      : facts.matrix === "hessian"
        ? " None of these is negative, which says nothing of smaller ones."
        : "";
  return `The ${values.length} eigenvalues of largest magnitude by the Lanczos method (${products} products), residuals at most ${formatNumber(worst, 2)}.${kind}`;
}

function densitySentence({ outliers, width }: StoredDensity, size: number): string {
  const apart =
    outliers === null
      ? ""
      : ` The ${outliers.values.length} of largest magnitude are taken out and shown as points, each 1/${formatCount(size)} of the spectrum.`;
  return `Density by stochastic Lanczos quadrature; details finer than ${formatNumber(width, 2)} are not resolved.${apart}`;
}

function notConverged({ eigenvalues, layers }: CurvatureSummary): string[] {
  return [
    ...(eigenvalues === null || eigenvalues.isConverged
      ? []
      : ["The eigenvalues have not converged: they are off by at most their residuals."]),
    ...((layers ?? []).some(({ isConverged }) => !isConverged)
      ? ["Eigenvalues of some layers have not converged: they are off by at most their residuals."]
      : []),
  ];
}
