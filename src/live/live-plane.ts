import mapValues from "lodash/mapValues.js";
import { decodeNumber } from "../base/json.js";
import { counted, formatPercent, joinSentences } from "../figure/draw/format-number.js";
import type { Figure, MapPanel } from "../figure/figure.js";
import { autoAxis, chartOf, dropMarks, panelOf, seriesOf } from "../figure/make/chart-parts.js";
import { createStabilityFigure } from "../figure/make/create-stability-figure.js";
import { createTrainingFigure } from "../figure/make/create-training-figure.js";
import { createAxis } from "../figure/make/create-trajectory-figure.js";
import { createPath, createRunData, figureOf } from "../figure/make/run-data.js";
import type { SnapshotInfo } from "../store/run/run.js";
import type { LivePoint, LiveState } from "./live-feed.js";
import type { RunningPlane } from "./running-plane.js";

/** Room around the path as a share of its extent. */
const MARGIN = 0.08;

/**
 * Returns the figure of the path of a state on its plane, or null while there is none. It has no contours: nobody
 * has computed a loss around it yet.
 */
export function livePlaneFigure(state: LiveState): Figure | null {
  const { plane } = state;
  if (plane === null) return null;
  const run = createRunData({ name: state.name, snapshots: infosOf(state, plane) }, 0);
  const coordinates = Float64Array.from(plane.alpha.flatMap((a, i) => [a, plane.beta[i] as number]));
  const axes = { ...plane, labels: ["PC 1", "PC 2"] };
  const map: MapPanel = {
    kind: "map",
    title: "",
    axes: [createAxis(axes, 0), createAxis(axes, 1)],
    aspect: "fill",
    alpha: rangeOf(plane.alpha),
    beta: rangeOf(plane.beta),
    values: null,
    quantity: "loss",
    scale: null,
    palette: "value",
    interpolation: "cubic",
    paths: [createPath(0, { coordinates })],
    marks: [],
  };
  return figureOf({
    title: "Path on the plane so far",
    runs: [run],
    panels: [map],
    layout: { columns: 1 },
    caption: [livePlaneCaption(state)],
    description: `Path of ${counted(plane.steps.length, "snapshot")}.`,
  });
}

/** Returns in words what the picture shows. */
export function livePlaneCaption(state: LiveState): string {
  const { plane, planeStride, snapshots } = state;
  if (plane === null) return "The plane needs three snapshots.";
  const [first, second] = plane.explainedVarianceRatio.map(formatPercent);
  const [walk, walk2] = plane.randomWalkBaseline.map(formatPercent);
  const last = plane.steps[plane.steps.length - 1] as number;
  const left = snapshots - 1 - last;
  return joinSentences([
    "Ring: the start, at (0, 0). Star: the newest snapshot on the plane. Red: learning rate lowered.",
    `The plane of the path's two principal components so far holds ${first} and ${second} of its variance; a random walk with the same steps would have ${walk} and ${walk2}.`,
    "The plane turns a little with every snapshot.",
    planeStride > 1 ? `It has every ${ordinal(planeStride)} snapshot and the newest.` : "",
    left > 0 ? `${counted(left, "newer snapshot")} will follow.` : "",
  ]);
}

function ordinal(count: number): string {
  return count === 2 ? "2nd" : `${count}th`;
}

function rangeOf(values: readonly number[]): [number, number] {
  const least = values.reduce((a, b) => Math.min(a, b), 0);
  const largest = values.reduce((a, b) => Math.max(a, b), 0);
  const margin = (largest - least) * MARGIN || Math.max(1e-6, Math.abs(largest) * MARGIN);
  return [least - margin, largest + margin];
}

/** The facts of the snapshots on the plane; those that the curves leave out have those of the last one before. */
function infosOf({ points }: LiveState, { steps }: RunningPlane): SnapshotInfo[] {
  return steps.map((step) => {
    const known = points.findLast((point) => point.step <= step);
    return { ...toInfo(known ?? UNKNOWN), step };
  });
}

const UNKNOWN: LivePoint = { step: 0, epoch: 0, iteration: 0, learningRate: "NaN", logs: [] };

function toInfo({ step, epoch, iteration, learningRate, logs }: LivePoint): SnapshotInfo {
  return {
    step,
    epoch,
    iteration,
    time: 0,
    learningRate: decodeNumber(learningRate),
    logs: Object.fromEntries(logs.map(([name, value]) => [name, decodeNumber(value)])),
  };
}

/** Returns the curves of a training so far: what was logged, and the learning rate. */
export function liveCurves(state: LiveState): Figure {
  const snapshots = state.points.map(toInfo);
  const runs = [{ name: state.name, snapshots, lossChanges: state.lossChanges }];
  const hasLogs = snapshots.some(({ logs }) => Object.keys(logs).length > 0);
  const training = hasLogs ? createTrainingFigure(runs) : null;
  const epochs = snapshots.map(({ epoch }) => epoch);
  const rates = snapshots.map(({ learningRate }) => learningRate);
  const rate = [seriesOf("training", 0, epochs, rates)];
  const panel = panelOf("Learning rate", "epoch", autoAxis("learning rate", rate), rate, dropMarks(runs));
  const panels = training?.panels.filter((one) => one.kind === "curves") ?? [];
  return chartOf("Curves", [...panels, panel], {
    columns: 3,
    caption: [training?.caption ?? "Nothing has been logged yet."],
  });
}

/** Returns how sharp the loss is for its optimizer so far, or null where it is not measured. */
export function liveStability(state: LiveState): Figure | null {
  const { stability } = state;
  if (stability === null || stability.points.length === 0) return null;
  const points = stability.points.map(({ reasons, ...numbers }) => ({
    ...mapValues(numbers, decodeNumber),
    reasons,
  }));
  const run = { manifest: { name: state.name }, snapshots: state.points.map(toInfo) };
  const figure = createStabilityFigure({ ...stability, points }, run);
  return { ...figure, caption: joinSentences([...figure.fidelity, figure.caption]), fidelity: [] };
}
