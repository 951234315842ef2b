import { InvalidDataError } from "../../base/errors.js";
import { encodeNumber } from "../../base/json.js";
import { type PathAverage, type PathProfile, profileFacts } from "../../between/path-profile.js";
import type { PathStatistics } from "../../directions/path-statistics.js";
import { isAccuracy } from "../../loss/loss-evaluator.js";
import { formatCount, formatNumber, formatPercent } from "../draw/format-number.js";
import { finiteRange, niceTicks } from "../draw/scales.js";
import type { CurvesPanel, Figure, FigureAxis, MapPanel, ScatterPanel, Series } from "../figure.js";
import {
  autoAxis,
  bandOf,
  chartOf,
  dropMarks,
  linearAxis,
  panelOf,
  quantityPanel,
  seriesOf,
} from "./chart-parts.js";
import type { RunCurves } from "./create-training-figure.js";
import { MOST_LAYERS } from "./create-weights-figures.js";
import { createRunData, figureOf, progressOf } from "./run-data.js";

/** A run with the statistics of its path. */
export interface PathFigureInput extends RunCurves {
  readonly statistics: PathStatistics;
  /** Heading. Default made from the run's name. */
  readonly title?: string | undefined;
}

/** Two standard deviations, within which a null value lies in 95 of 100 cases. */
const DEVIATIONS = 2;

/**
 * Returns the shape of a run's path: the trajectory map, cosines of successive updates and their autocorrelation beside
 * what random directions give, and the length of the path by layer.
 *
 * @throws {@link InvalidDataError} if the statistics are not of these snapshots.
 * @see Singh et al., ICLR 2025, figures 1 to 4.
 * @example const figure = createPathFigure({ name: "SGD", snapshots: run.snapshots, statistics: shape });
 */
export function createPathFigure(input: PathFigureInput): Figure {
  const { name, snapshots, statistics } = input;
  const n = snapshots.length;
  if (statistics.stepLength.length !== n) {
    throw new InvalidDataError(name, `statistics of ${n} snapshots`, String(statistics.stepLength.length));
  }
  const run = createRunData(input, 0);
  const x = progressOf([run]);
  const at = run[x];
  const panels = [
    mapPanel(statistics, at, x),
    successivePanel(statistics, at, x, input),
    autocorrelationPanel(statistics),
    layersPanel(statistics, at, x, input),
  ].filter((panel) => panel !== null);
  const { weights, meanMap, walkMeanMap, origin, directness, layers } = statistics;
  const unused = layers.length - MOST_LAYERS;
  return figureOf({
    title: input.title ?? `The path of ${name}`,
    runs: [run],
    panels,
    layout: { columns: 2 },
    caption: [
      `${formatCount(n)} snapshots of ${formatCount(weights)} weights.`,
      `Trajectory map: cosines of the displacements from ${origin === 0 ? "the start" : `step ${snapshots[origin].step}`}. Their mean is ${formatNumber(meanMap, 3)}; a random walk with the same step lengths has ${formatNumber(walkMeanMap, 3)} (of many equal steps 2/3), a straight line 1.`,
      `The path ends ${formatPercent(directness)} of its length from where it began (a random walk: about ${formatPercent(1 / Math.sqrt(n - 1))}).`,
      `Updates are differences of neighbouring snapshots. The grey band is two standard deviations of the cosine of random directions, 1/√D = ${formatNumber(1 / Math.sqrt(weights), 2)}; of a mean over pairs, less.`,
      unused > 0 ? `The ${MOST_LAYERS} layers with the longest paths are shown, ${unused} are not.` : "",
    ],
    notes: statistics.warnings.map(({ message }) => message),
    description: `A map of cosines between ${n} displacements along the path, and curves of its updates.`,
  });
}

/** null where there are fewer than two displacements. */
function mapPanel({ map, origin }: PathStatistics, at: readonly number[], x: string): MapPanel | null {
  const shown = at.flatMap((_, i) => (i === origin ? [] : [i]));
  if (shown.length < 2) return null;
  const n = at.length;
  const values = shown.flatMap((i) => shown.map((j) => map[i * n + j]));
  const [least] = finiteRange(values) ?? [1];
  const axis: FigureAxis = { label: x, title: x, explainedVarianceRatio: null, randomWalkBaseline: null };
  const places = shown.map((i) => at[i]);
  return {
    kind: "map",
    title: "Trajectory map",
    axes: [axis, axis],
    aspect: "equal",
    alpha: places,
    beta: places,
    values: values.map(encodeNumber),
    quantity: "cosine",
    scale: { kind: "linear", levels: least < 1 ? niceTicks(least, 1, 12).filter((level) => level < 1) : [] },
    palette: "value",
    interpolation: "linear",
    paths: [],
    marks: [],
  };
}

function cosineAxis(series: readonly Series[]): CurvesPanel["left"] {
  const values = series.flatMap(({ y }) => y.filter((value) => typeof value === "number"));
  const low = Math.min(0, ...values);
  return { title: "cosine", scale: "linear", min: low < -0.05 ? -1 : -0.1, max: 1 };
}

/** The null of a cosine: 0, with a band. */
function nullSeries(x: readonly number[], deviation: (i: number) => number): Series {
  const low = x.map((_, i) => -DEVIATIONS * deviation(i));
  return seriesOf(
    "random directions",
    3,
    x,
    x.map(() => 0),
    {
      isDotted: true,
      band: bandOf(
        low,
        low.map((value) => -value),
      ),
    },
  );
}

function successivePanel(
  { updateCosines, weights }: PathStatistics,
  at: readonly number[],
  x: "epoch" | "iteration" | "step",
  input: PathFigureInput,
): CurvesPanel | null {
  const n = at.length;
  if (n < 3) return null;
  const ends = Array.from({ length: n - 2 }, (_, i) => i + 2);
  const places = ends.map((i) => at[i]);
  const curve = seriesOf(
    "successive updates",
    0,
    places,
    ends.map((i) => updateCosines[i * n + i - 1]),
    { key: null, link: { run: 0, snapshots: ends } },
  );
  const series = [curve, nullSeries([places[0], places[n - 3]], () => 1 / Math.sqrt(weights))];
  return panelOf("Cosine of successive updates", x, cosineAxis([curve]), series, dropMarks([input], x));
}

function autocorrelationPanel({ autocorrelation, pairs, weights }: PathStatistics): CurvesPanel | null {
  // Beyond half the path a mean is over few pairs, of one part of it with another.
  const most = Math.floor(autocorrelation.length / 2);
  if (most < 1) return null;
  const lags = Array.from({ length: most }, (_, i) => i + 1);
  const curve = seriesOf(
    "mean over pairs",
    0,
    lags,
    lags.map((lag) => autocorrelation[lag]),
    { key: null },
  );
  const series = [curve, nullSeries(lags, (i) => 1 / Math.sqrt(weights * Math.max(1, pairs[i + 1])))];
  const axis = { title: "lag in snapshots", scale: "count" } as const;
  return panelOf("Autocorrelation of updates", axis, cosineAxis([curve]), series);
}

function layersPanel(
  { layers, stepLength }: PathStatistics,
  at: readonly number[],
  x: "epoch" | "iteration" | "step",
  input: PathFigureInput,
): CurvesPanel {
  const lengths = layers.map((layer) => ({ name: layer.name, path: pathLength(layer.stepLength) }));
  const longest = [...lengths]
    .sort((a, b) => (b.path.at(-1) ?? 0) - (a.path.at(-1) ?? 0))
    .slice(0, MOST_LAYERS)
    .map(({ name }) => name);
  const series = [
    seriesOf("all weights", 0, at, pathLength(stepLength)),
    ...lengths
      .filter(({ name }) => longest.includes(name))
      .map(({ name, path }) => seriesOf(name, 1 + longest.indexOf(name), at, path)),
  ];
  return panelOf(
    "Length of the path by layer",
    x,
    linearAxis("sum of steps", 0),
    series,
    dropMarks([input], x),
  );
}

function pathLength(steps: Float64Array): Float64Array {
  let sum = 0;
  return steps.map((step) => {
    sum += step;
    return sum;
  });
}

/** A run with the losses on and between its snapshots. */
export interface PathLossFigureInput extends PathFigureInput {
  /** One for each evaluation set. */
  readonly profiles: readonly PathProfile[];
  /** The averages in the profiles. */
  readonly averages: readonly PathAverage[];
  /** Coordinates (N, 2) of the snapshots on two principal components, and the share of variance along each. */
  readonly components: { readonly coordinates: Float64Array; readonly shares: readonly number[] } | null;
}

/**
 * Returns losses along a path, barriers between its neighbouring snapshots, losses (and errors) of averages of the last
 * ones, and where these averages lie on the path's principal components.
 *
 * @throws {@link InvalidDataError} if there is no profile, or it is not of these snapshots.
 * @example const figure = createPathLossFigure({ name: "SGD", snapshots: run.snapshots, statistics: shape, profiles: [profile], averages: pathAverages(30), components: null });
 */
export function createPathLossFigure(input: PathLossFigureInput): Figure {
  const { name, snapshots, profiles, averages, components } = input;
  const [first] = profiles;
  if (first === undefined) throw new InvalidDataError(name, "at least one profile", "none");
  const other = profiles.find(({ count }) => count !== snapshots.length);
  if (other !== undefined) {
    throw new InvalidDataError(name, `profiles of ${snapshots.length} snapshots`, String(other.count));
  }
  const run = createRunData(input, 0);
  const x = progressOf([run]);
  const at = run[x];
  const marks = dropMarks([input], x);
  const isSeveral = profiles.length > 1;
  const along = profiles.map((profile, s) =>
    seriesOf(profile.set, 0, at, profileFacts(profile).snapshots, {
      isDashed: s > 0,
      link: { run: 0, snapshots: at.map((_, i) => i) },
    }),
  );
  const heights = profiles.map((profile, s) =>
    seriesOf(profile.set, 0, at.slice(1), profileFacts(profile).heights, { isDashed: s > 0 }),
  );
  const metric = Object.keys(first.metrics).find(isAccuracy);
  const scatter = components === null ? null : scatterOf(input, components);
  const panels = [
    panelOf("Loss along the path", x, autoAxis("loss", along), along, marks),
    ...(first.t.length > 2
      ? [panelOf("Between neighbouring snapshots", x, linearAxis("height of the loss"), heights, marks)]
      : []),
    ...(averages.length === 0 ? [] : [averagesPanel(profiles, "loss")]),
    ...(averages.length === 0 || metric === undefined ? [] : [averagesPanel(profiles, metric)]),
  ];
  const chart = chartOf(input.title ?? `Losses along the path of ${name}`, panels, {
    columns: 2,
    caption: [
      `Loss at ${formatCount(snapshots.length)} snapshots${first.t.length > 2 ? `, and at ${first.t.length - 2} points between neighbours` : ""}.`,
      isSeveral
        ? `Solid: ${first.set}; dashed: ${profiles
            .slice(1)
            .map(({ set }) => set)
            .join(", ")}.`
        : "",
      first.t.length > 2
        ? "Height: how far the loss on the straight line between two neighbours rises above the line between their losses, at the highest of these points. Above 0 it is a barrier; below 0 a valley lies between them."
        : "",
      averages.length === 0
        ? ""
        : "SWA: plain mean of the last snapshots; EMA: exponential mean of the same mean age. Level lines: the last snapshot itself.",
      policySentence(first.policy),
    ],
    notes: profiles.flatMap(({ warnings }) => warnings.map(({ message }) => message)),
  });
  if (scatter === null) return chart;
  return {
    ...chart,
    runs: scatter.runs,
    progress: x,
    panels: [...chart.panels, scatter.panel],
    description: `${chart.description} A scatter of the path on its principal components, with the averages.`,
  };
}

function policySentence(policy: PathProfile["policy"]): string {
  if (policy === "recalibrate") return "Batch norm's statistics are recalibrated at every point.";
  if (policy === "as-trained") return "Batch norm's statistics are mixed like the other weights.";
  return "";
}

function averagesPanel(profiles: readonly PathProfile[], quantity: string): CurvesPanel {
  const panel = quantityPanel(quantity, "error", "snapshots averaged", (of) =>
    profiles.flatMap((profile, s) => {
      const { snapshots, averages } = profileFacts(profile, quantity);
      const curves = (["swa", "ema"] as const).map((kind, k) => {
        const own = profile.averages.flatMap((average, i) => (average.kind === kind ? [i] : []));
        const label = `${kind.toUpperCase()}${profiles.length > 1 ? `, ${profile.set}` : ""}`;
        return seriesOf(
          label,
          k + 1,
          own.map((i) => profile.averages[i].count),
          own.map((i) => of(averages[i])),
          { isDashed: s > 0 },
        );
      });
      const counts = profile.averages.map(({ count }) => count);
      const ends = [Math.min(...counts), Math.max(...counts)];
      const last = of(snapshots[snapshots.length - 1]);
      const label = `last snapshot${profiles.length > 1 ? `, ${profile.set}` : ""}`;
      return [...curves, seriesOf(label, 0, ends, [last, last], { isDotted: s === 0, isDashed: s > 0 })];
    }),
  );
  return { ...panel, title: `${panel.title} of averages`, x: { title: panel.x.title, scale: "log" } };
}

/** The path on its components, and each kind of average as a path of its own, from few snapshots to many. */
function scatterOf(
  input: PathLossFigureInput,
  { coordinates, shares }: NonNullable<PathLossFigureInput["components"]>,
): { readonly panel: ScatterPanel; readonly runs: Figure["runs"] } {
  const { averages, snapshots } = input;
  const kinds = (["swa", "ema"] as const).flatMap((kind, k) => {
    const own = averages.filter((average) => average.kind === kind);
    if (own.length === 0) return [];
    const counts = own.map(({ count }) => count);
    const run = {
      name: `${kind.toUpperCase()}, of ${counts[0]} to ${counts.at(-1)} snapshots`,
      color: k + 1,
      step: counts,
      epoch: counts.map(() => snapshots[snapshots.length - 1].epoch),
      iteration: counts.map(() => snapshots[snapshots.length - 1].iteration),
      drops: [],
      columns: [],
    };
    const at = own.map(({ shares: weights }) =>
      [0, 1].map((axis) =>
        encodeNumber(weights.reduce((sum, share, i) => sum + share * coordinates[2 * i + axis], 0)),
      ),
    );
    return [{ run, at }];
  });
  const axes = [0, 1].map((axis): FigureAxis => {
    const label = `PC ${axis + 1}`;
    const title = `${label}: ${formatPercent(shares[axis] ?? 0)} of the variance`;
    return { label, title, explainedVarianceRatio: null, randomWalkBaseline: null };
  });
  const path = Array.from({ length: snapshots.length }, (_, i) => [
    encodeNumber(coordinates[2 * i]),
    encodeNumber(coordinates[2 * i + 1]),
  ]);
  return {
    runs: [createRunData(input, 0), ...kinds.map(({ run }) => run)],
    panel: {
      kind: "scatter",
      title: "Averages on the path's principal components",
      axes,
      paths: [path, ...kinds.map(({ at }) => at)].map((at, run) => ({ run, at })),
      color: "run",
    },
  };
}
