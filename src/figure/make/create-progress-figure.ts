import { decodeNumber } from "../../base/json.js";
import type { ChartFigure, ChartSeries } from "../chart-figure.js";
import type { FigurePath, FigurePoint, TrajectoryFigure } from "../figure.js";
import { autoAxis, chartOf, panelOf, seriesOf } from "./chart-parts.js";

/**
 * Returns the curves beside a trajectory: the loss that training logged, with validation dashed, and the
 * learning rate, both along the trajectory's own time line. null if the snapshots know neither.
 */
export function createProgressFigure(figure: TrajectoryFigure): ChartFigure | null {
  const isSingle = figure.paths.length === 1;
  const curves = (of: (point: FigurePoint) => number, suffix: string, isDashed: boolean): ChartSeries[] =>
    figure.paths.flatMap((path, index) =>
      curve(path, figure, of, isSingle ? suffix : `${path.name}, ${suffix}`, index, isDashed),
    );
  const losses = [
    ...curves(logged("loss"), "training", false),
    ...curves(logged("val_loss"), "validation", true),
  ];
  const rates = curves((point) => decodeNumber(point.learningRate), "learning rate", false);
  const panels = [
    ...(losses.length === 0
      ? []
      : [panelOf("Loss while training", figure.progress, autoAxis("logged loss", losses), losses)]),
    ...(rates.length === 0
      ? []
      : [panelOf("Learning rate", figure.progress, autoAxis("learning rate", rates), rates)]),
  ];
  if (panels.length === 0) return null;
  return chartOf(`${figure.title}: training`, panels, {
    columns: 2,
    caption:
      losses.length === 0
        ? []
        : [
            "Losses as logged during training: means over changing weights, with dropout and regularization as trained.",
          ],
  });
}

function logged(key: string): (point: FigurePoint) => number {
  return ({ logs }) => decodeNumber(logs.find(([name]) => name === key)?.[1] ?? null);
}

function curve(
  { points }: FigurePath,
  { progress }: TrajectoryFigure,
  of: (point: FigurePoint) => number,
  name: string,
  color: number,
  isDashed: boolean,
): ChartSeries[] {
  const values = points.map(of);
  const known = points.map((_, index) => index).filter((index) => !Number.isNaN(values[index]));
  if (known.length === 0) return [];
  return [
    seriesOf(
      name,
      color,
      known.map((index) => (points[index] as FigurePoint)[progress]),
      known.map((index) => values[index] as number),
      { isDashed },
    ),
  ];
}
