import { decodeNumber } from "../../base/json.js";
import type { FigurePath, FigurePoint, TrajectoryFigure } from "../figure.js";
import { type Contour, type GridPoint, surfaceContours, unknownCells } from "./contours.js";
import type { Rect } from "./figure-frame.js";
import { formatLevels } from "./format-number.js";
import { disc, dropMark, endMark, hatchPath, round, type Shape, startMark } from "./marks.js";
import { surfaceColors, type Theme } from "./palette.js";
import { FONT_STACK } from "./placed-text.js";

/** From grid coordinates to px. */
export type ToPixel = (alpha: number, beta: number) => readonly [x: number, y: number];

/** Returns the mapping of a figure's plane onto its map; beta grows upwards. */
export function planeToPixel(figure: Pick<TrajectoryFigure, "surface">, map: Rect): ToPixel {
  const { alpha, beta } = figure.surface;
  const [a0, a1] = [alpha[0] as number, alpha[alpha.length - 1] as number];
  const [b0, b1] = [beta[0] as number, beta[beta.length - 1] as number];
  return (a, b) => [
    map.x + ((a - a0) / (a1 - a0)) * map.width,
    map.y + map.height - ((b - b0) / (b1 - b0)) * map.height,
  ];
}

/** Returns the filled contours, their lines and the hatched cells of a surface. */
export function surfaceShapes(
  figure: Pick<TrajectoryFigure, "surface" | "scale" | "interpolation">,
  map: Rect,
  theme: Theme,
  colors: readonly string[] = surfaceColors(figure.scale.levels.length + 1),
): Shape[] {
  const grid = { ...figure.surface, loss: figure.surface.loss.map(decodeNumber) };
  const contours = surfaceContours(grid, figure.scale, figure.interpolation);
  const toPixel = planeToPixel(figure, map);
  return [
    rectangle(map, colors[0] as string),
    ...contours.flatMap((contour, index) => contourShapes(contour, colors[index + 1] as string, toPixel)),
    ...unknownCells(grid).flatMap(({ alpha, beta }) => {
      const [x, y] = toPixel(alpha[0], beta[1]);
      const [x1, y1] = toPixel(alpha[1], beta[0]);
      return unknownShapes({ x, y, width: x1 - x, height: y1 - y }, theme);
    }),
  ];
}

/** Returns a grey, hatched rectangle: no finite loss here. */
export function unknownShapes(rect: Rect, theme: Theme): Shape[] {
  return [
    rectangle(rect, theme.unknown),
    path(hatchPath(rect), { fill: "none", stroke: theme.hatch, lineWidth: 1 }),
  ];
}

/** Returns the colour bar with a label at each level, thinned out where they would touch. */
export function colorBarShapes(
  figure: Pick<TrajectoryFigure, "scale">,
  bar: Rect,
  theme: Theme,
  colors: readonly string[] = surfaceColors(figure.scale.levels.length + 1),
): Shape[] {
  const { levels } = figure.scale;
  const step = bar.height / colors.length;
  const stride = Math.max(1, Math.ceil(16 / step));
  const bands = colors.map((color, index) =>
    rectangle(
      { ...bar, y: bar.y + bar.height - (index + 1) * step, height: step + (index > 0 ? 0.5 : 0) },
      color,
    ),
  );
  const texts = formatLevels(levels);
  const labels = texts.flatMap((text, index): Shape[] => {
    const y = bar.y + bar.height - (index + 1) * step;
    const tick = path(`M${round(bar.x + bar.width - 4)} ${round(y)}H${round(bar.x + bar.width + 3)}`, {
      fill: "none",
      stroke: theme.line,
      lineWidth: 1,
    });
    if (index % stride !== 0) return [];
    return [tick, label(text, bar.x + bar.width + 6, y, theme)];
  });
  const frame = rectangle(bar, "none", { stroke: theme.line, lineWidth: 1 });
  return [...bands, frame, ...labels];
}

function contourShapes(contour: Contour, color: string, toPixel: ToPixel): Shape[] {
  return [
    path(contour.rings.map((ring) => `${trace(ring, toPixel)}Z`).join(""), { fill: color }),
    path(contour.lines.map((line) => trace(line, toPixel)).join(""), {
      fill: "none",
      stroke: "#000000",
      opacity: 0.38,
      lineWidth: 0.7,
    }),
  ];
}

function trace(points: readonly GridPoint[], toPixel: ToPixel): string {
  return points
    .map(([alpha, beta], index) => {
      const [x, y] = toPixel(alpha, beta);
      return `${index === 0 ? "M" : "L"}${round(x)} ${round(y)}`;
    })
    .join("");
}

function rectangle({ x, y, width, height }: Rect, fill: string, style: Record<string, unknown> = {}): Shape {
  return { type: "rect", shape: { x, y, width, height }, style: { fill, ...style }, silent: true };
}

function path(pathData: string, style: Record<string, unknown>): Shape {
  return { type: "path", shape: { pathData }, style, silent: true };
}

function label(text: string, x: number, y: number, theme: Theme): Shape {
  return {
    type: "text",
    x,
    y,
    style: {
      text,
      fontFamily: FONT_STACK,
      fontSize: 12,
      fill: theme.muted,
      align: "left",
      verticalAlign: "middle",
    },
    silent: true,
  };
}

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
