import { decodeNumber } from "../../base/json.js";
import type { Figure, Path, RunData } from "../figure.js";
import { isInside, type Rect } from "./figure-frame.js";
import { type RunStroke, runStroke, type Theme } from "./palette.js";
import type { Place, Target } from "./panel-kind.js";
import { disc, dropMark, endMark, polyline, type Shape, startMark } from "./shapes.js";
import { hasDot, MOST_DOTS, withoutCloseOnes } from "./thinning.js";

/** A snapshot that can be drawn, at its place. */
export interface PlacedPoint extends Place {
  readonly snapshot: number;
}

/** How the points of a path are filled: null for the grey of what is not known. */
export type PointColor = (run: RunData, snapshot: number) => string | null;

/** How paths are drawn. */
export interface PathStyle {
  /** Default the colour of the run. */
  readonly colorOf?: PointColor | undefined;
  /** Draws only snapshots up to this count of the figure's `progress`. Default all. */
  readonly until?: number | undefined;
  /** Places in the palette of the runs that are left out. Default none. */
  readonly hidden?: ReadonlySet<number> | undefined;
  /** Draws the rings of starts. Default true. */
  readonly hasStarts?: boolean | undefined;
}

/** How large starts and ends are with at most so many runs; 0.5 with more. */
const MARK_SIZES: readonly (readonly [runs: number, size: number])[] = [
  [8, 1],
  [12, 0.7],
];
/** Most rings around each other where several runs start on one spot. */
const MOST_RINGS = 4;

/** A run with its path in pieces. */
interface DrawnRun {
  readonly run: RunData;
  readonly stroke: RunStroke;
  readonly pieces: readonly (readonly PlacedPoint[])[];
  /** Whether nothing is left to come. */
  readonly isWhole: boolean;
}

/** Returns the pieces of a path between snapshots without finite coordinates, as far as it is shown. */
export function placePath(
  path: Path,
  figure: Figure,
  toPixel: (at: readonly number[]) => Place,
  until = Number.POSITIVE_INFINITY,
): PlacedPoint[][] {
  const places = figure.runs[path.run]?.[figure.progress] ?? [];
  const pieces: PlacedPoint[][] = [[]];
  path.at.forEach((at, snapshot) => {
    if ((places[snapshot] ?? 0) > until) return;
    const { x, y } = toPixel(at.map(decodeNumber));
    if (Number.isFinite(x) && Number.isFinite(y)) pieces[pieces.length - 1]?.push({ snapshot, x, y });
    else pieces.push([]);
  });
  return pieces.filter((piece) => piece.length > 0);
}

/** Returns the pieces of the path of a run, inside the plot and beyond it. */
export function pathTraces(
  figure: Figure,
  paths: readonly Path[],
  toPixel: (at: readonly number[]) => Place,
  run: number,
): Place[][] {
  return paths.filter((path) => path.run === run).flatMap((path) => placePath(path, figure, toPixel));
}

/** Returns the drawn snapshots of paths inside a plot. */
export function pathTargets(
  figure: Figure,
  paths: readonly Path[],
  toPixel: (at: readonly number[]) => Place,
  { until, hidden }: Pick<PathStyle, "until" | "hidden">,
  rect: Rect,
): Target[] {
  return paths
    .filter(({ run }) => hidden?.has(figure.runs[run]?.color ?? -1) !== true)
    .flatMap((path) =>
      placePath(path, figure, toPixel, until)
        .flat()
        .map((point) => ({ ...point, run: path.run })),
    )
    .filter((point) => isInside(rect, point));
}

/**
 * Returns the paths of a panel with their marks: one rim around everything, lines, snapshots, drops of the learning
 * rate, and on top of all starts and ends.
 */
export function pathShapes(
  figure: Figure,
  paths: readonly Path[],
  toPixel: (at: readonly number[]) => Place,
  theme: Theme,
  { colorOf, until, hidden, hasStarts = true }: PathStyle = {},
): Shape[] {
  const runs = paths.flatMap((path): DrawnRun[] => {
    const run = figure.runs[path.run];
    if (run === undefined || hidden?.has(run.color) === true) return [];
    const isWhole = until === undefined || (run[figure.progress].at(-1) ?? 0) <= until;
    const pieces = placePath(path, figure, toPixel, until);
    return [{ run, stroke: runStroke(run.color, theme), pieces, isWhole }];
  });
  const radius = pointRadius(Math.max(1, ...paths.map(({ at }) => at.length)));
  const dots = runs.flatMap(({ run, stroke, pieces }) => {
    const dropped = new Set(run.drops);
    // A rate that falls all the time would make a mark of every snapshot.
    const alsoDrops = run.drops.length <= MOST_DOTS / 10;
    return pieces.flat().flatMap(({ snapshot, x, y }) => {
      const isDrop = dropped.has(snapshot);
      if (!hasDot(snapshot, run.step.length) && !(isDrop && alsoDrops)) return [];
      const fill = colorOf === undefined ? stroke.color : colorOf(run, snapshot);
      return [{ x, y, fill, isDrop, stroke }];
    });
  });
  const drops = dots.filter(({ isDrop }) => isDrop);
  return [
    ...runs.flatMap(({ pieces }) => pieces.flatMap((piece) => joined(piece, theme.rim, 5))),
    ...runs.flatMap(({ pieces }) => pieces.flatMap((piece) => joined(piece, theme.halo, 3.6))),
    ...dots.map(({ x, y, fill }) => disc(x, y, radius + 1.1, fill === null ? theme.hatch : theme.halo)),
    ...runs.flatMap(({ stroke: { color, lineDash }, pieces }) =>
      pieces.flatMap((piece) => joined(piece, color, 1.5, lineDash)),
    ),
    ...dots.map(({ x, y, fill }) => disc(x, y, radius, fill ?? theme.unknown)),
    ...drops.flatMap(({ x, y, stroke }) => dropMark(x, y, runs.length === 1 ? null : stroke.color, theme)),
    ...endShapes(runs, hasStarts, theme),
  ];
}

/** Radius of a snapshot's dot: the more there are, the smaller. */
export function pointRadius(count: number): number {
  return count <= 40 ? 3.8 : count <= 120 ? 3 : 2.3;
}

/** How large the marks of starts and ends are in a picture of so many runs. */
export function markSize(runs: number): number {
  return MARK_SIZES.find(([most]) => runs <= most)?.[1] ?? 0.5;
}

/** Starts, then ends: where both fall together (a single snapshot) the end stands inside the start. */
function endShapes(runs: readonly DrawnRun[], hasStarts: boolean, theme: Theme): Shape[] {
  const ends = runs.flatMap(({ stroke: { color }, pieces, isWhole }) => {
    const points = pieces.flat();
    const [first, last] = [points[0], points[points.length - 1]];
    return first === undefined || last === undefined ? [] : [{ color, first, last, isWhole }];
  });
  return startAndEndShapes(ends, markSize(runs.length), theme, hasStarts);
}

/** Where a path starts and ends. */
export interface PathEnds {
  readonly color: string;
  readonly first: Place;
  readonly last: Place;
  /** Whether the end is drawn. */
  readonly isWhole: boolean;
}

/**
 * Returns rings for starts and stars for ends. A few starts on one spot are rings around each other; more share one
 * ring in the colour of text.
 */
export function startAndEndShapes(
  ends: readonly PathEnds[],
  size: number,
  theme: Theme,
  hasStarts = true,
): Shape[] {
  const starts = ends.flatMap(({ color, first }, index) => {
    const isHere = (other: PathEnds): boolean =>
      Math.hypot(other.first.x - first.x, other.first.y - first.y) < 2;
    if (ends.filter(isHere).length > MOST_RINGS)
      return startMark(first.x, first.y, theme.text, theme, 0, size);
    const covered = ends.slice(index + 1).filter(isHere).length;
    return startMark(first.x, first.y, color, theme, covered, size);
  });
  const stars = ends.flatMap(({ color, last, isWhole }) =>
    isWhole ? endMark(last.x, last.y, color, theme, size) : [],
  );
  return [...(hasStarts ? starts : []), ...stars];
}

function joined(
  points: readonly PlacedPoint[],
  stroke: string,
  lineWidth: number,
  lineDash: readonly number[] | null = null,
): Shape[] {
  if (points.length < 2) return [];
  const style = { stroke, lineWidth, lineJoin: "round", lineCap: "round", lineDash };
  return [
    polyline(
      withoutCloseOnes(points).map(({ x, y }) => [x, y]),
      style,
    ),
  ];
}
