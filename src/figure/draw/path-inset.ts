import { decodeNumber } from "../../base/json.js";
import type { Figure, MapPanel, Path } from "../figure.js";
import { refineGrid, toHeights } from "./contours.js";
import { edgesOf, isInside, planeToPixel, type Rect } from "./figure-frame.js";
import type { Theme } from "./palette.js";
import { pathShapes, placePath } from "./paths.js";
import { valueAt } from "./scales.js";
import { frameShape, rectangle, type Shape, stroke } from "./shapes.js";

/** An enlarged part of a map at its place. */
export interface PathInset {
  /** Where it is drawn, and what it enlarges, in px of the map. */
  readonly rect: Rect;
  readonly source: Rect;
  /** The part of the plane. */
  readonly alpha: readonly [number, number];
  readonly beta: readonly [number, number];
  /** Snapshots from which on each path is enlarged, by path. */
  readonly firsts: readonly number[];
}

/** Share of the snapshots that is enlarged, and the least number of snapshots of a path that has an inset. */
const LAST = 0.2;
const LEAST_SNAPSHOTS = 10;
/** Widest spread in px of snapshots that pile up, and how many times wider the whole path must be. */
const PILED_UP = 26;
const WHOLE = 5;
/** Side of the inset as a share of the map's shorter side, its bounds in px, and its distance from the edge. */
const SHARE = 0.3;
const LEAST = 84;
const MOST = 170;
const MARGIN = 10;

/**
 * Returns where the last fifth of a path is enlarged: only of a single path, where those snapshots pile up; null where
 * they do not, or where no corner of the map is free of the path.
 *
 * @param until - the place of the time line up to which the path is drawn; an unfinished path has no inset.
 */
export function insetOf(
  panel: MapPanel,
  figure: Figure,
  rect: Rect,
  until = Number.POSITIVE_INFINITY,
): PathInset | null {
  const [path] = panel.paths;
  if (path === undefined || panel.paths.length > 1 || panel.values === null) return null;
  const run = figure.runs[path.run];
  if ((run?.[figure.progress].at(-1) ?? 0) > until) return null;
  const points = placePath(path, figure, planeToPixel(panel, rect)).flat();
  if (points.length < LEAST_SNAPSHOTS) return null;
  const first = points.length - Math.max(3, Math.ceil(points.length * LAST));
  const last = boundsOf(points.slice(first));
  const whole = boundsOf(points);
  const spread = Math.max(last.width, last.height);
  if (!(spread > 0.5 && spread <= PILED_UP && Math.max(whole.width, whole.height) >= WHOLE * spread))
    return null;
  const side = Math.min(MOST, Math.max(LEAST, SHARE * Math.min(rect.width, rect.height)));
  if (side > 0.45 * Math.min(rect.width, rect.height)) return null;
  const half = spread * 0.7;
  const source = {
    x: last.x + last.width / 2 - half,
    y: last.y + last.height / 2 - half,
    width: 2 * half,
    height: 2 * half,
  };
  const isOn = (box: Rect): boolean =>
    isInside(rect, box) && isInside(rect, { x: box.x + box.width, y: box.y + box.height });
  const place = cornersOf(rect, side)
    .filter((corner) => points.every((point) => !isInside(grown(corner, 12), point)))
    .sort((a, b) => distanceOf(b, source) - distanceOf(a, source))
    .at(-1);
  if (place === undefined || !isOn(source)) return null;
  const [a, b] = [edgesOf(panel.alpha), edgesOf(panel.beta)];
  const alphaAt = (x: number): number => a.min + ((x - rect.x) / rect.width) * (a.max - a.min);
  const betaAt = (y: number): number => b.min + ((rect.y + rect.height - y) / rect.height) * (b.max - b.min);
  return {
    rect: place,
    source,
    alpha: [alphaAt(source.x), alphaAt(source.x + source.width)],
    beta: [betaAt(source.y + source.height), betaAt(source.y)],
    firsts: [points[first]?.snapshot ?? 0],
  };
}

/** Draws the contours of a part of a map, as `surfaceShapes` does. */
type DrawSurface = (
  panel: MapPanel,
  figure: Figure,
  rect: Rect,
  obstacles: readonly Rect[],
  theme: Theme,
) => Shape[];

/** Returns an inset: contours and path enlarged, in a frame. */
export function insetShapes(
  { rect, alpha, beta, firsts }: PathInset,
  panel: MapPanel,
  figure: Figure,
  drawSurface: DrawSurface,
  theme: Theme,
): Shape[] {
  const part = partOf(panel, alpha, beta);
  const paths = panel.paths.map((path, i): Path => {
    const first = firsts[i] ?? 0;
    return { ...path, at: path.at.map((at, snapshot) => (snapshot < first ? ["NaN", "NaN"] : at)) };
  });
  const own = { ...figure, hidden: [...(figure.hidden ?? []), "labels" as const] };
  const marks = pathShapes(figure, paths, planeToPixel(part, rect), theme, { hasStarts: false });
  return [
    rectangle({ x: rect.x - 2, y: rect.y - 2, width: rect.width + 4, height: rect.height + 4 }, theme.halo),
    ...drawSurface({ ...part, paths: [] }, own, rect, [], theme),
    ...marks,
    frameShape(rect, theme),
  ];
}

/** Returns the frame of what an inset enlarges, and lines to the inset: they go below the paths. */
export function insetLines({ rect, source }: PathInset, theme: Theme): Shape[] {
  const line = { stroke: theme.text, lineWidth: 0.8, opacity: 0.7 };
  const [from, to] = connectors(rect, source);
  return [rectangle(source, "none", line), stroke(from[0], from[1], line), stroke(to[0], to[1], line)];
}

type Line = readonly [readonly [number, number], readonly [number, number]];

/** Lines from the sides of the enlarged part to the inset. */
function connectors(rect: Rect, source: Rect): readonly [Line, Line] {
  const isRight = rect.x > source.x;
  const near = isRight ? rect.x : rect.x + rect.width;
  const side = isRight ? source.x + source.width : source.x;
  return [
    [
      [side, source.y],
      [near, rect.y],
    ],
    [
      [side, source.y + source.height],
      [near, rect.y + rect.height],
    ],
  ];
}

/** Fine points of a part of a map: cubic where the map is, cut exactly at the edges of the part. */
function partOf(
  panel: MapPanel,
  alpha: readonly [number, number],
  beta: readonly [number, number],
): MapPanel {
  const width = panel.alpha.length;
  const height = panel.beta.length;
  const factor = panel.interpolation === "linear" ? 1 : 8;
  // As the map itself: interpolated in height.
  const scale = panel.scale ?? { kind: "linear", levels: [] };
  const fine = refineGrid(toHeights((panel.values ?? []).map(decodeNumber), scale), width, height, factor);
  const toValue = valueAt(scale);
  const [a, b] = [edgesOf(panel.alpha), edgesOf(panel.beta)];
  const steps = 24;
  const line = ([low, high]: readonly [number, number]): number[] =>
    Array.from({ length: steps + 1 }, (_, i) => low + (i / steps) * (high - low));
  const [x, y] = [line(alpha), line(beta)];
  const values = y.flatMap((v) =>
    x.map((u) => {
      const i = ((u - a.min) / (a.max - a.min)) * (fine.width - 1);
      const j = ((v - b.min) / (b.max - b.min)) * (fine.height - 1);
      const value = toValue(bilinear(fine.values, fine.width, fine.height, i, j));
      return Number.isFinite(value) ? value : ("NaN" as const);
    }),
  );
  return { ...panel, alpha: x, beta: y, values, interpolation: "linear" };
}

function bilinear(values: Float64Array, width: number, height: number, i: number, j: number): number {
  const i0 = Math.min(Math.max(Math.floor(i), 0), width - 2);
  const j0 = Math.min(Math.max(Math.floor(j), 0), height - 2);
  const at = (di: number, dj: number): number => values[(j0 + dj) * width + i0 + di] as number;
  const [u, v] = [i - i0, j - j0];
  return (1 - v) * ((1 - u) * at(0, 0) + u * at(1, 0)) + v * ((1 - u) * at(0, 1) + u * at(1, 1));
}

function boundsOf(points: readonly { readonly x: number; readonly y: number }[]): Rect {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { x, y } of points) {
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}

function cornersOf({ x, y, width, height }: Rect, side: number): Rect[] {
  const [left, right] = [x + MARGIN, x + width - MARGIN - side];
  const [top, bottom] = [y + MARGIN, y + height - MARGIN - side];
  const box = { width: side, height: side };
  return [
    { x: right, y: top, ...box },
    { x: right, y: bottom, ...box },
    { x: left, y: top, ...box },
    { x: left, y: bottom, ...box },
  ];
}

function grown({ x, y, width, height }: Rect, by: number): Rect {
  return { x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by };
}

function distanceOf(a: Rect, b: Rect): number {
  return Math.hypot(a.x + a.width / 2 - b.x - b.width / 2, a.y + a.height / 2 - b.y - b.height / 2);
}
