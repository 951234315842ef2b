import { decodeNumber } from "../../base/json.js";
import type { EmbeddingFigure, EmbeddingPoint } from "../embedding-figure.js";
import type { FigurePath, FigurePoint, TrajectoryFigure } from "../figure.js";
import type { MapsFigure } from "../make/create-maps-figure.js";
import type { ChartLayout, PlacedPanel } from "./chart-layout.js";
import type { Rect } from "./figure-frame.js";
import { formatNumber, formatPercent } from "./format-number.js";
import type { MapsLayout } from "./maps-layout.js";

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

/** A read-out and the place that it is about, in px. */
export interface PlacedReadout {
  readonly readout: Readout;
  readonly x: number;
  readonly y: number;
}

type Place = { readonly x: number; readonly y: number };

/** Returns the values of every curve of the panel under a place, at the nearest position that a curve has; null outside. */
export function chartReadout({ panels }: Pick<ChartLayout, "panels">, at: Place): PlacedReadout | null {
  const place = panels.find(({ rect }) => isIn(rect, at));
  if (place === undefined) return null;
  const { panel, rect, x } = place;
  const position = x.min + ((at.x - rect.x) / rect.width) * (x.max - x.min);
  const distance = (value: number): number =>
    Math.abs((x.position(value) ?? Number.POSITIVE_INFINITY) - position);
  const values = panel.series.flatMap((series) => series.x);
  const [first] = values;
  if (first === undefined) return null;
  const nearest = values.reduce((best, value) => (distance(value) < distance(best) ? value : best), first);
  return {
    readout: panelReadout(place, nearest),
    x: rect.x + (((x.position(nearest) ?? x.min) - x.min) / (x.max - x.min)) * rect.width,
    y: at.y,
  };
}

/** Returns the values of a panel's curves at a position, without those that have none there. */
export function panelReadout({ panel }: Pick<PlacedPanel, "panel">, value: number): Readout {
  return {
    heading: `${panel.x.title} ${formatNumber(value, 6)}`,
    rows: panel.series.flatMap(({ name, x, y, axis }) => {
      const index = x.indexOf(value);
      if (index < 0) return [];
      const scale = axis === "left" ? panel.left.scale : panel.right?.scale;
      const number = decodeNumber(y[index] as number);
      return [[name, scale === "percent" ? formatPercent(number) : formatNumber(number)] as const];
    }),
  };
}

/** Returns coordinates and value of the evaluated grid point nearest to a place on a map; null outside. */
export function mapsReadout(
  figure: MapsFigure,
  { maps }: Pick<MapsLayout, "maps">,
  at: Place,
): PlacedReadout | null {
  const place = maps.find(({ rect }) => isIn(rect, at));
  if (place === undefined) return null;
  const { panel, rect } = place;
  const { alpha, beta, loss } = panel.surface;
  const along = (axis: readonly number[], share: number): number =>
    (axis[0] as number) + share * ((axis[axis.length - 1] as number) - (axis[0] as number));
  const i = nearestIndex(alpha, along(alpha, (at.x - rect.x) / rect.width));
  const j = nearestIndex(beta, along(beta, 1 - (at.y - rect.y) / rect.height));
  const value = decodeNumber(loss[j * alpha.length + i] ?? null);
  const [first, second] = panel.axes?.map(({ label }) => label) ?? figure.axes;
  return {
    readout: {
      heading: panel.title === "" ? "Nearest grid point" : panel.title,
      rows: [
        [first ?? "α", formatNumber(alpha[i] as number)],
        [second ?? "β", formatNumber(beta[j] as number)],
        [panel.quantity, formatNumber(value)],
      ],
    },
    x: at.x,
    y: at.y,
  };
}

function isIn({ x, y, width, height }: Rect, at: Place): boolean {
  return at.x >= x && at.x <= x + width && at.y >= y && at.y <= y + height;
}

/** Returns what is known of a snapshot of an embedding, for the tooltip. */
export function embeddingReadout(figure: EmbeddingFigure, pathIndex: number, point: EmbeddingPoint): Readout {
  const number = (value: EmbeddingPoint["loss"]): string => {
    const decoded = decodeNumber(value);
    return Number.isNaN(decoded) ? "unknown" : formatNumber(decoded);
  };
  const { at, stepSize } = point;
  return {
    heading: `${figure.paths[pathIndex]?.name ?? ""}, epoch ${point.epoch}`,
    rows: [
      ["iteration", String(point.iteration)],
      [figure.lossName, number(point.loss)],
      ...(decodeNumber(stepSize) >= 0 ? [["length of the step", number(stepSize)] as const] : []),
      [figure.dimensions === 2 ? "x, y" : "x, y, z", at.map(number).join(", ")],
    ],
  };
}

/** Returns the counts at which something appears when the figure is played, increasing. */
export function embeddingFrames({ paths, progress }: EmbeddingFigure): number[] {
  const counts = paths.flatMap(({ points }) => points.map((point) => point[progress]));
  return [...new Set(counts)].sort((a, b) => a - b);
}

/** Returns the places of a figure's time line: every epoch (or iteration, or step) of any path, increasing. */
export function timeline({ paths, progress }: Pick<TrajectoryFigure, "paths" | "progress">): number[] {
  const values = paths.flatMap(({ points }) => points.map((point) => point[progress]));
  return [...new Set(values)].sort((a, b) => a - b);
}

/** Returns the index of the last snapshot of a path that is not after a place of the time line; −1 before the first. */
export function snapshotAt(
  { points }: FigurePath,
  progress: TrajectoryFigure["progress"],
  place: number,
): number {
  let index = -1;
  while (index + 1 < points.length && (points[index + 1]?.[progress] as number) <= place) index++;
  return index;
}
