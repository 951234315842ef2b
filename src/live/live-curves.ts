import type { ChartFigure } from "../report/chart-figure.js";
import { autoAxis, chartOf, dropMarks, panelOf, seriesOf } from "../report/chart-parts.js";
import { createTrainingFigure } from "../report/create-training-figure.js";
import { decodeNumber } from "../report/json-number.js";
import type { SnapshotInfo } from "../store/run.js";
import type { LiveState } from "./live-state.js";

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
