import type { FigurePoint, TrajectoryFigure } from "./figure.js";
import { formatNumber, formatPercent } from "./format-number.js";
import { decodeNumber } from "./json-number.js";

/** A name and its value, as plain text. */
export type ReadoutRow = readonly [name: string, value: string];

/** What is said about a place in the picture. */
export interface Readout {
  readonly heading: string;
  readonly rows: readonly ReadoutRow[];
}

/** Returns what is known of a snapshot, for the tooltip and the table. */
export function pointReadout(figure: TrajectoryFigure, pathIndex: number, point: FigurePoint): Readout {
  const path = figure.paths[pathIndex];
  const number = (value: FigurePoint["alpha"] | null): string => formatNumber(decodeNumber(value));
  const rate = Number.isNaN(decodeNumber(point.learningRate)) ? "unknown" : number(point.learningRate);
  const optional = (name: string, value: FigurePoint["trueLoss"]): ReadoutRow[] =>
    value === null ? [] : [[name, number(value)]];
  return {
    heading: `${path?.name ?? ""}, epoch ${point.epoch}`,
    rows: [
      ["iteration", String(point.iteration)],
      ["learning rate", point.rateDropped ? `${rate} (lowered)` : rate],
      ...optional("true loss", point.trueLoss),
      ...optional("loss on the plane", point.planeLoss),
      ["distance held by the plane", formatPercent(decodeNumber(point.inPlaneShare))],
      ["distance to the plane", number(point.distance)],
      ["α, β", `${number(point.alpha)}, ${number(point.beta)}`],
      ...point.logs.map(([name, value]): ReadoutRow => [`logged ${name}`, number(value)]),
    ],
  };
}

/** Returns the coordinates and the loss of the evaluated grid point nearest to a place on the plane. */
export function surfaceReadout(figure: TrajectoryFigure, alpha: number, beta: number): Readout {
  const { surface } = figure;
  const i = nearestIndex(surface.alpha, alpha);
  const j = nearestIndex(surface.beta, beta);
  const loss = decodeNumber(surface.loss[j * surface.alpha.length + i] ?? null);
  return {
    heading: "Nearest grid point",
    rows: [
      ["α", formatNumber(surface.alpha[i] as number)],
      ["β", formatNumber(surface.beta[j] as number)],
      [figure.lossName, formatNumber(loss)],
    ],
  };
}

/** Index of the coordinate nearest to a value. */
export function nearestIndex(axis: readonly number[], value: number): number {
  let best = 0;
  axis.forEach((position, index) => {
    if (Math.abs(position - value) < Math.abs((axis[best] as number) - value)) best = index;
  });
  return best;
}
