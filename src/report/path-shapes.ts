import type { FigurePath, FigurePoint, TrajectoryFigure } from "./figure.js";
import { decodeNumber } from "./json-number.js";
import { disc, dropMark, endMark, type Shape, startMark } from "./marks.js";
import type { Theme } from "./palette.js";
import type { Rect } from "./rect.js";
import { planeToPixel, type ToPixel } from "./surface-shapes.js";

/** A snapshot that can be drawn, at its place. */
interface PlacedPoint {
  readonly point: FigurePoint;
  readonly x: number;
  readonly y: number;
}

/** Returns the colour of a run: blue if it is alone, else its place in Okabe and Ito's palette. */
export function runColor(index: number, theme: Theme): string {
  return theme.runs[index % theme.runs.length] as string;
}

/**
 * Returns the paths with their marks: one white rim around everything, lines, snapshots, then drops of the
 * learning rate, then starts and ends, so that what is rare lies on top of what is common.
 */
export function pathShapes(figure: TrajectoryFigure, map: Rect, theme: Theme): Shape[] {
  const toPixel = planeToPixel(figure, map);
  const radius = pointRadius(Math.max(...figure.paths.map((path) => path.points.length)));
  const runs = figure.paths.map((path, index) => ({
    color: runColor(index, theme),
    pieces: placePoints(path, toPixel),
  }));
  const drops = runs.flatMap(({ color, pieces }) =>
    pieces
      .flat()
      .flatMap(({ point, x, y }) =>
        point.rateDropped ? dropMark(x, y, Math.max(radius, 3.2), color, theme) : [],
      ),
  );
  return [
    ...runs.flatMap(({ pieces }) => pieces.flatMap((piece) => polyline(piece, theme.halo, 3.6))),
    ...runs.flatMap(({ pieces }) => pieces.flat().map(({ x, y }) => disc(x, y, radius + 1.1, theme.halo))),
    ...runs.flatMap(({ color, pieces }) => pieces.flatMap((piece) => polyline(piece, color, 1.5))),
    ...runs.flatMap(({ color, pieces }) => pieces.flat().map(({ x, y }) => disc(x, y, radius, color))),
    ...drops,
    ...runs.flatMap(({ color, pieces }) => endShapes(pieces.flat(), color, theme)),
  ];
}

/** Radius of a snapshot's dot: the more there are, the smaller. */
export function pointRadius(count: number): number {
  return count <= 40 ? 3.8 : count <= 120 ? 3 : 2.3;
}

/** Start and end; where they fall together (a single snapshot) the end stands inside the start. */
function endShapes(points: readonly PlacedPoint[], color: string, theme: Theme): Shape[] {
  const first = points[0];
  const last = points[points.length - 1];
  if (first === undefined || last === undefined) return [];
  return [...startMark(first.x, first.y, color, theme), ...endMark(last.x, last.y, color, theme)];
}

/** Pieces of the path between snapshots without finite coordinates. */
function placePoints(path: FigurePath, toPixel: ToPixel): PlacedPoint[][] {
  const pieces: PlacedPoint[][] = [[]];
  for (const point of path.points) {
    const [x, y] = toPixel(decodeNumber(point.alpha), decodeNumber(point.beta));
    if (Number.isFinite(x) && Number.isFinite(y)) pieces[pieces.length - 1]?.push({ point, x, y });
    else pieces.push([]);
  }
  return pieces.filter((piece) => piece.length > 0);
}

function polyline(points: readonly PlacedPoint[], stroke: string, lineWidth: number): Shape[] {
  if (points.length < 2) return [];
  return [
    {
      type: "polyline",
      shape: { points: points.map(({ x, y }) => [x, y]) },
      style: { stroke, lineWidth, fill: "none", lineJoin: "round", lineCap: "round" },
      silent: true,
    },
  ];
}
