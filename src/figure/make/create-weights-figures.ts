import { InvalidDataError } from "../../base/errors.js";
import type { WeightHistograms, WeightStatistics } from "../../directions/weight-statistics.js";
import type { StepAngles } from "../../surface/step-angles.js";
import { formatCount, formatNumber } from "../draw/format-number.js";
import type { CurvesAxis, CurvesPanel, Figure, Series, UprightMark } from "../figure.js";
import { autoAxis, bandOf, chartOf, dropMarks, linearAxis, panelOf, seriesOf } from "./chart-parts.js";
import type { RunCurves } from "./create-training-figure.js";

/** A run with its norms and distances. */
export interface RunNorms extends RunCurves {
  readonly statistics: WeightStatistics;
}

/** More layers than this cannot be distinguished by colour. */
export const MOST_LAYERS = 6;

/**
 * Returns weight norms of one run or several by epoch and by iteration, distance from the start and path
 * length; for a single run also the norms by layer and by filter (mean, with a band from the least to the largest),
 * both ways too.
 *
 * @throws {@link InvalidDataError} if there is no run.
 * @see Li et al. 2018, figure 8.
 * @example const figure = createNormsFigure([{ name: "SGD", snapshots: run.snapshots, statistics }]);
 */
export function createNormsFigure(runs: readonly RunNorms[], title = "Weights along the path"): Figure {
  const [first] = runs;
  if (first === undefined) throw new InvalidDataError("runs", "at least one run", "none");
  const marks = { epoch: dropMarks(runs), iteration: dropMarks(runs, "iteration") };
  const panel = (
    title: string,
    axis: string,
    key: "norm" | "distance" | "pathLength",
    x: "epoch" | "iteration" = "epoch",
  ): CurvesPanel => {
    const series = runs.map(({ name, snapshots, statistics }, i) => {
      const at = snapshots.map((snapshot) => snapshot[x]);
      return seriesOf(runs.length > 1 ? name : "all weights", i, at, statistics[key]);
    });
    return panelOf(title, x, linearAxis(axis), series, marks[x]);
  };
  const panels = [
    panel("Weight norm by epoch", "‖θ‖", "norm"),
    panel("Weight norm by iteration", "‖θ‖", "norm", "iteration"),
    panel("Distance from the start", "‖θ − θ₀‖", "distance"),
    panel("Length of the path", "sum of steps", "pathLength"),
    ...(runs.length === 1 ? singleRunPanels(first, marks) : []),
  ];
  const left = runs.length === 1 ? first.statistics.layers.length - MOST_LAYERS : 0;
  return chartOf(title, panels, {
    columns: 2,
    caption: [
      "Trainable weights. The length of the path is the sum of straight steps between snapshots, at most its true length.",
      runs.length === 1
        ? "Filter norms: mean over a layer's filters, band from the least to the largest."
        : "",
      left > 0 ? `The ${MOST_LAYERS} layers with the largest norms are shown, ${left} are not.` : "",
    ],
  });
}

function singleRunPanels(
  { snapshots, statistics }: RunNorms,
  marks: Readonly<Record<"epoch" | "iteration", UprightMark[]>>,
): CurvesPanel[] {
  const largest = (values: Float64Array) => values.reduce((a, b) => Math.max(a, b), 0);
  const layers = [...statistics.layers]
    .sort((a, b) => largest(b.norm) - largest(a.norm))
    .slice(0, MOST_LAYERS)
    .map(({ name }) => name);
  const place = (name: string) => layers.findIndex((layer) => name === layer || name.startsWith(`${layer}/`));
  const byLayer = (at: number[]) =>
    statistics.layers
      .filter(({ name }) => place(name) >= 0)
      .map(({ name, norm }) => seriesOf(name, 1 + place(name), at, norm));
  const byFilter = (at: number[]) =>
    statistics.kernels
      .filter(({ name }) => place(name) >= 0)
      .map(({ name, mean, least, largest: most }) =>
        seriesOf(name.replace(/\/[^/]*$/, ""), 1 + place(name), at, mean, { band: bandOf(least, most) }),
      );
  const panels = (title: string, axis: string, series: (at: number[]) => Series[]): CurvesPanel[] =>
    (["epoch", "iteration"] as const).map((x) => {
      const curves = series(snapshots.map((snapshot) => snapshot[x]));
      return panelOf(`${title} by ${x}`, x, autoAxis(axis, curves), curves, marks[x]);
    });
  return [
    ...panels("Norm of each layer", "‖θ‖ of the layer", byLayer),
    ...panels("Filter norms of each layer", "‖filter‖", byFilter),
  ];
}

/**
 * Returns histograms of the weights of several solutions over the same bins.
 *
 * @see Li et al. 2018, figure 2.
 * @example const figure = createHistogramFigure(histograms);
 */
export function createHistogramFigure(
  { edges, histograms, weights }: WeightHistograms,
  title = "Weights of the solutions",
): Figure {
  const x = Array.from(edges.subarray(0, -1)).flatMap((edge, i) => [edge, edges[i + 1] as number]);
  const series = histograms.map(({ name, density }, i) => {
    const y = Array.from(density).flatMap((value) => [value, value]);
    return seriesOf(name, i, x, y, { shape: "area" });
  });
  const panel = panelOf("", "weight", linearAxis("density", 0), series);
  const outside = histograms.map(({ name, outside: count }) => `${formatCount(count)} of ${name}`).join("; ");
  const width = formatNumber((edges[1] as number) - (edges[0] as number), 3);
  return chartOf(title, [panel], {
    columns: 1,
    caption: [
      `${formatCount(weights)} weights of each solution in ${edges.length - 1} bins of width ${width}; density is the share of the weights per unit.`,
      histograms.some(({ outside: count }) => count > 0) ? `Outside the range: ${outside}.` : "",
    ],
  });
}

/** A run with the angles of its steps. */
export interface RunAngles extends RunCurves {
  readonly angles: StepAngles;
}

/**
 * Returns the steps of the path on its plane: the angle of each step to the steepest descent, the length of the
 * step and the slope under it.
 *
 * @throws {@link InvalidDataError} if there is no run, or a run's angles are not one fewer than its snapshots.
 * @see Li et al. 2018, appendix B.2.
 * @example const figure = createAngleFigure([{ name: "SGD", snapshots: run.snapshots, angles }]);
 */
export function createAngleFigure(runs: readonly RunAngles[], title = "Steps along the path"): Figure {
  if (runs.length === 0) throw new InvalidDataError("runs", "at least one run", "none");
  for (const { name, snapshots, angles } of runs) {
    if (angles.degrees.length === snapshots.length - 1) continue;
    throw new InvalidDataError(name, `angles of ${snapshots.length - 1} steps`, `${angles.degrees.length}`);
  }
  const marks = dropMarks(runs);
  const panel = (
    title: string,
    key: "degrees" | "inPlaneStep" | "gradientNorm",
    axisOf: (series: readonly Series[]) => CurvesAxis,
  ): CurvesPanel => {
    const series = runs.map(({ name, snapshots, angles }, i) => {
      const at = snapshots.slice(1).map(({ epoch }) => epoch);
      return seriesOf(runs.length > 1 ? name : "steps", i, at, angles[key]);
    });
    return panelOf(title, "epoch", axisOf(series), series, marks);
  };
  const degrees = {
    title: "degrees",
    scale: "linear",
    min: 0,
    max: 180,
    ticks: [0, 45, 90, 135, 180],
  } as const;
  return chartOf(
    title,
    [
      panel("Angle of the step to steepest descent", "degrees", () => degrees),
      panel("Length of the step in the plane", "inPlaneStep", (steps) => autoAxis("length", steps)),
      panel("In-plane slope at the step's start", "gradientNorm", (slopes) => autoAxis("‖gradient‖", slopes)),
    ],
    {
      columns: 3,
      caption: [
        "0° is straight down, across the contours; 90° along them; 180° straight up. Each value belongs to the step that ends at the epoch.",
        "Gradients are those of the sampled surface within the plane.",
      ],
    },
  );
}
