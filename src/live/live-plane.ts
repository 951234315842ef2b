import type { EChartsOption } from "echarts";
import { decodeNumber } from "../base/json.js";
import type { ChartFigure } from "../figure/chart-figure.js";
import { niceTicks } from "../figure/draw/figure-frame.js";
import { formatNumber, formatPercent } from "../figure/draw/format-number.js";
import type { Shape } from "../figure/draw/marks.js";
import { axis, grid, shapesSeries, textShape } from "../figure/draw/option-parts.js";
import { type ThemeName, themeOf } from "../figure/draw/palette.js";
import {
  FONT_STACK,
  line,
  NAME_SIZE,
  TICK_SIZE,
  textWidth,
  truncateText,
} from "../figure/draw/placed-text.js";
import { pathShapes } from "../figure/draw/surface-shapes.js";
import type { Tick } from "../figure/draw/trajectory-layout.js";
import { autoAxis, chartOf, dropMarks, panelOf, seriesOf } from "../figure/make/chart-parts.js";
import { createTrainingFigure } from "../figure/make/create-training-figure.js";
import { createFigurePath } from "../figure/make/create-trajectory-figure.js";
import type { SnapshotInfo } from "../store/run/run.js";
import type { LivePoint, LiveState } from "./live-feed.js";
import type { RunningPlane } from "./running-plane.js";

/** Size and colours of the picture. */
export interface LivePlaneOptions {
  /** px. */
  readonly width: number;
  readonly theme: ThemeName;
}

const PADDING = 12;
/** Room around the path as a share of its extent. */
const MARGIN = 0.08;
const TITLE_ROOM = 24;
const LABEL_ROOM = 24;

/** Height in px of the picture at a width. */
export function livePlaneHeight(width: number): number {
  return Math.round(Math.min(560, Math.max(300, width * 0.56)));
}

/**
 * Returns the ECharts option that draws the path of a state on its plane: no contours, for nobody has computed
 * a loss around it yet. Pure.
 */
export function livePlaneOption(
  state: LiveState,
  plane: RunningPlane,
  options: LivePlaneOptions,
): EChartsOption {
  const { width } = options;
  const theme = themeOf(options.theme);
  const height = livePlaneHeight(width);
  const alpha = rangeOf(plane.alpha);
  const beta = rangeOf(plane.beta);
  const betaTicks = ticksOf(beta, 7);
  const left = Math.ceil(
    PADDING + TITLE_ROOM + 8 + Math.max(0, ...betaTicks.map(({ label }) => textWidth(label, TICK_SIZE))),
  );
  const map = {
    x: left,
    y: PADDING,
    width: width - left - PADDING - 6,
    height: height - PADDING - LABEL_ROOM - TITLE_ROOM - 4,
  };
  const alphaTicks = ticksOf(alpha, Math.max(2, Math.min(10, Math.floor(map.width / 60))));
  const surface = { alpha: [...alpha], beta: [...beta], loss: [], nonFinite: 0 };
  const frame: Shape = {
    type: "rect",
    shape: { ...map },
    style: { fill: "none", stroke: theme.line, lineWidth: 1 },
    silent: true,
  };
  const paths = [
    createFigurePath({ name: state.name, snapshots: infosOf(state, plane), trajectory: trajectoryOf(plane) }),
  ];
  const titles = [
    line(titleOf(plane, 0, map.width), map.x + map.width / 2, height - PADDING - 8),
    line(titleOf(plane, 1, map.height), PADDING + 6, map.y + map.height / 2, { isVertical: true }),
  ];
  return {
    animation: false,
    backgroundColor: theme.background,
    textStyle: { fontFamily: FONT_STACK },
    grid: [grid(map)],
    xAxis: [axis(0, alphaTicks, { min: alpha[0], max: alpha[1] }, theme, true)],
    yAxis: [axis(0, betaTicks, { min: beta[0], max: beta[1] }, theme, true)],
    series: [
      shapesSeries("paths", [frame, ...pathShapes({ surface, paths }, map, theme)], 3, false),
      shapesSeries(
        "titles",
        titles.map((text) => textShape(text, theme)),
        6,
        false,
      ),
    ],
  } as EChartsOption;
}

/** Says in words what the picture shows. */
export function livePlaneCaption(state: LiveState): string {
  const { plane, planeStride, snapshots } = state;
  if (plane === null) return "The plane needs three snapshots.";
  const [first, second] = plane.explainedVarianceRatio.map(formatPercent);
  const [walk, walk2] = plane.randomWalkBaseline.map(formatPercent);
  const last = plane.steps[plane.steps.length - 1] as number;
  return [
    `Ring: the start, at (0, 0). Star: the newest snapshot on the plane. Red: the learning rate had dropped.`,
    `The plane of the two principal components of the path so far holds ${first} and ${second} of its variance; a random walk with the same steps would have ${walk} and ${walk2}.`,
    "It turns a little with every snapshot.",
    planeStride > 1 ? `Every ${ordinal(planeStride)} snapshot and the newest are on it.` : "",
    last < snapshots - 1 ? `${snapshots - 1 - last} newer to come.` : "",
  ]
    .filter((sentence) => sentence !== "")
    .join(" ");
}

function ordinal(count: number): string {
  return count === 2 ? "2nd" : `${count}th`;
}

function rangeOf(values: readonly number[]): readonly [number, number] {
  const least = values.reduce((a, b) => Math.min(a, b), 0);
  const largest = values.reduce((a, b) => Math.max(a, b), 0);
  const margin = (largest - least) * MARGIN || Math.max(1e-6, Math.abs(largest) * MARGIN);
  return [least - margin, largest + margin];
}

function ticksOf([min, max]: readonly [number, number], count: number): Tick[] {
  return niceTicks(min, max, count).map((value) => ({ value, label: formatNumber(value, 6) }));
}

function titleOf(plane: RunningPlane, m: 0 | 1, available: number): string {
  const share = formatPercent(plane.explainedVarianceRatio[m]);
  const walk = formatPercent(plane.randomWalkBaseline[m]);
  const long = `PC ${m + 1}: ${share} of variance so far (random walk: ${walk})`;
  const short = `PC ${m + 1}: ${share} (walk: ${walk})`;
  const fitting = [long, short].find((text) => textWidth(text, NAME_SIZE) <= available);
  return fitting ?? truncateText(`PC ${m + 1}: ${share}`, NAME_SIZE, available);
}

/** The facts of the snapshots on the plane; those that the curves leave out have no rate of their own. */
function infosOf({ points }: LiveState, { steps }: RunningPlane) {
  const known = new Map(points.map((point): [number, LivePoint] => [point.step, point]));
  let rate = Number.NaN;
  return steps.map((step) => {
    const point = known.get(step);
    rate = point === undefined ? rate : decodeNumber(point.learningRate);
    const { epoch = 0, iteration = 0 } = point ?? {};
    return { step, epoch, iteration, time: 0, learningRate: rate, logs: {} };
  });
}

function trajectoryOf({ alpha, beta }: RunningPlane) {
  const nothing = new Float64Array(alpha.length);
  return {
    coordinates: Float64Array.from(alpha.flatMap((a, i) => [a, beta[i] as number])),
    dimensions: 2,
    inPlaneShare: nothing,
    distance: nothing,
    trueLoss: null,
    planeLoss: null,
    warnings: [],
  };
}

/** Returns the curves of a training so far: what was logged, and the learning rate. */
export function liveCurves(state: LiveState): ChartFigure {
  const snapshots = state.points.map(
    (point): SnapshotInfo => ({
      ...point,
      time: 0,
      learningRate: decodeNumber(point.learningRate),
      logs: Object.fromEntries(point.logs.map(([name, value]) => [name, decodeNumber(value)])),
    }),
  );
  const runs = [{ name: state.name, snapshots }];
  const hasLogs = snapshots.some(({ logs }) => Object.keys(logs).length > 0);
  const training = hasLogs ? createTrainingFigure(runs) : null;
  const epochs = snapshots.map(({ epoch }) => epoch);
  const rates = snapshots.map(({ learningRate }) => learningRate);
  const rate = [seriesOf("training", 0, epochs, rates)];
  const panel = panelOf("Learning rate", "epoch", autoAxis("learning rate", rate), rate, dropMarks(runs));
  return chartOf("Curves", [...(training?.panels ?? []), panel], {
    columns: 3,
    caption: [training?.caption ?? "Nothing has been logged yet."],
  });
}
