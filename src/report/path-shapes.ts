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

/** A run's colour, and its path in pieces. */
interface Run {
  readonly color: string;
  readonly pieces: readonly (readonly PlacedPoint[])[];
}

/** Returns the colour of a run: blue if it is alone, else its place in Okabe and Ito's palette. */
export function runColor(index: number, theme: Theme): string {
  return theme.runs[index % theme.runs.length] as string;
}

/**
 * Returns the paths with their marks: one rim around everything, lines, snapshots, starts and ends, and on
 * top of all the drops of the learning rate, which are smaller than the star that they may lie on.
 *
 * @param firstColor - place of the first path in the palette of runs; default 0.
 * @param radius - of a snapshot's dot; default by the number of snapshots.
 */
export function pathShapes(
  figure: Pick<TrajectoryFigure, "surface" | "paths">,
  map: Rect,
  theme: Theme,
  firstColor = 0,
  radius: number = pointRadius(Math.max(...figure.paths.map((path) => path.points.length))),
): Shape[] {
  const toPixel = planeToPixel(figure, map);
  const runs = figure.paths.map((path, index) => ({
    color: runColor(firstColor + index, theme),
    pieces: placePoints(path, toPixel),
  }));
  const isSingle = runs.length === 1;
  const drops = runs.flatMap(({ color, pieces }) =>
    pieces
      .flat()
      .filter(({ point }) => point.rateDropped)
      .flatMap(({ x, y }) => dropMark(x, y, isSingle ? null : color, theme)),
  );
  return [
    ...runs.flatMap(({ pieces }) => pieces.flatMap((piece) => polyline(piece, theme.halo, 3.6))),
    ...runs.flatMap(({ pieces }) => pieces.flat().map(({ x, y }) => disc(x, y, radius + 1.1, theme.halo))),
    ...runs.flatMap(({ color, pieces }) => pieces.flatMap((piece) => polyline(piece, color, 1.5))),
    ...runs.flatMap(({ color, pieces }) => pieces.flat().map(({ x, y }) => disc(x, y, radius, color))),
    ...endShapes(runs, theme),
    ...drops,
  ];
}

/** Radius of a snapshot's dot: the more there are, the smaller. */
export function pointRadius(count: number): number {
  return count <= 40 ? 3.8 : count <= 120 ? 3 : 2.3;
}

/** Starts, then ends: where both fall together (a single snapshot) the end stands inside the start. */
function endShapes(runs: readonly Run[], theme: Theme): Shape[] {
  const ends = runs.flatMap(({ color, pieces }) => {
    const points = pieces.flat();
    const [first, last] = [points[0], points[points.length - 1]];
    return first === undefined || last === undefined ? [] : [{ color, first, last }];
  });
  const starts = ends.flatMap(({ color, first }, index) => {
    const isHere = ({ first: { x, y } }: { first: PlacedPoint }): boolean =>
      Math.hypot(x - first.x, y - first.y) < 2;
    return startMark(first.x, first.y, color, theme, ends.slice(index + 1).filter(isHere).length);
  });
  return [...starts, ...ends.flatMap(({ color, last }) => endMark(last.x, last.y, color, theme))];
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
