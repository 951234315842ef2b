import { isInside, type Rect } from "./figure-frame.js";
import { formatLevels } from "./format-number.js";
import type { Place } from "./panel-kind.js";
import { line, type PlacedText, textWidth } from "./placed-text.js";
import { MOST_DOTS } from "./thinning.js";

/** A level at its place on its isoline. */
export interface IsolineLabel {
  readonly text: PlacedText;
  /** In radians, counter-clockwise; never upside down. */
  readonly rotation: number;
}

/** Size of the labels, room around each, and the least distance between two, in px. */
const SIZE = 11;
const AROUND = 3;
const APART = 34;
/** Least length of the chord of a labelled stretch, as a share of its arc. */
const STRAIGHT = 0.94;
/** One label for so many px of a line, and the most for a level. */
const PER_LABEL = 320;
const MOST_LABELS = 2;

/** A stretch of a line where a label could go. */
interface Stretch {
  readonly line: number;
  readonly from: number;
  readonly to: number;
  readonly at: Place;
  readonly angle: number;
  readonly straightness: number;
}

/**
 * Places levels on their isolines, as in figure 1 of Li et al. 2018, and leaves a gap in the line behind each.
 *
 * A label goes where its line is straightest, inside the map, off the paths, the obstacles and other labels. A line
 * without such a place has none.
 *
 * @param isolines - by level: lines in px.
 * @param paths - drawn snapshots in px, path by path.
 * @returns the lines without the gaps, by level, and the labels.
 */
export function placeIsolineLabels(
  isolines: readonly { readonly level: number; readonly lines: readonly (readonly Place[])[] }[],
  map: Rect,
  paths: readonly (readonly Place[])[],
  obstacles: readonly Rect[],
): { readonly lines: readonly (readonly (readonly Place[])[])[]; readonly labels: readonly IsolineLabel[] } {
  const path = paths.flatMap((points) => spread(alongPath(points)));
  const texts = formatLevels(isolines.map(({ level }) => level));
  const labels: IsolineLabel[] = [];
  const taken: Place[] = [];
  const lines = isolines.map(({ lines: own }, index) => {
    const text = texts[index] as string;
    const width = textWidth(text, SIZE) + 2 * AROUND;
    const inner = {
      x: map.x + width / 2,
      y: map.y + width / 2,
      width: map.width - width,
      height: map.height - width,
    };
    const isFree = ({ at }: Stretch): boolean =>
      isInside(inner, at) &&
      taken.every((other) => distance(other, at) > APART) &&
      path.every((point) => distance(point, at) > width / 2 + 6) &&
      obstacles.every((box) => !isInside(grown(box, width / 2), at));
    const candidates = own
      .flatMap((points, number) => stretchesOf(points, number, width))
      .filter(({ straightness }) => straightness >= STRAIGHT)
      .sort((a, b) => scoreOf(b) - scoreOf(a));
    const total = own.reduce((sum, points) => sum + lengthOf(points), 0);
    const most = Math.min(MOST_LABELS, Math.max(1, Math.floor(total / PER_LABEL)));
    const chosen: Stretch[] = [];
    for (const stretch of candidates) {
      if (chosen.length >= most) break;
      // Two labels of one level stand far from each other.
      if (!isFree(stretch) || chosen.some(({ at }) => distance(at, stretch.at) < PER_LABEL / 2)) continue;
      chosen.push(stretch);
      taken.push(stretch.at);
      labels.push({ text: line(text, stretch.at.x, stretch.at.y, { size: SIZE }), rotation: stretch.angle });
    }
    return own.flatMap((points, number) =>
      withGaps(
        points,
        chosen.filter((one) => one.line === number),
      ),
    );
  });
  return { lines, labels };
}

/** Places along a path, a few px apart. */
function alongPath(points: readonly Place[]): Place[] {
  return points.flatMap((point, i) => {
    const next = points[i + 1];
    if (next === undefined) return [point];
    const steps = Math.min(200, Math.max(1, Math.ceil(distance(point, next) / 5)));
    return Array.from({ length: steps }, (_, k) => ({
      x: point.x + (k / steps) * (next.x - point.x),
      y: point.y + (k / steps) * (next.y - point.y),
    }));
  });
}

/** Of a long path, one place in each square of a few px: as many as the map has room for. */
function spread(path: Place[]): Place[] {
  if (path.length <= 20 * MOST_DOTS) return path;
  const squares = new Map(
    path.map((place) => [`${Math.round(place.x / 3)},${Math.round(place.y / 3)}`, place]),
  );
  return [...squares.values()];
}

/** Straight first, then level. */
function scoreOf({ straightness, angle }: Stretch): number {
  return straightness - 0.02 * Math.abs(Math.sin(angle));
}

/** Stretches of a line that are as long as a label, a few px apart. */
function stretchesOf(points: readonly Place[], number: number, width: number): Stretch[] {
  const stretches: Stretch[] = [];
  let to = 0;
  let arc = 0;
  let skipped = Number.POSITIVE_INFINITY;
  for (let from = 0; from + 1 < points.length; from++) {
    while (to + 1 < points.length && arc < width) {
      arc += distance(points[to] as Place, points[to + 1] as Place);
      to++;
    }
    if (arc < width) break;
    const [a, b] = [points[from] as Place, points[to] as Place];
    if (skipped >= 6) {
      skipped = 0;
      const turned = b.x >= a.x ? Math.atan2(a.y - b.y, b.x - a.x) : Math.atan2(b.y - a.y, a.x - b.x);
      const at = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
      stretches.push({ line: number, from, to, at, angle: turned, straightness: distance(a, b) / arc });
    }
    const step = distance(a, points[from + 1] as Place);
    skipped += step;
    arc -= step;
  }
  return stretches;
}

/** The pieces of a line between its labels. */
function withGaps(points: readonly Place[], gaps: readonly Stretch[]): Place[][] {
  const pieces: Place[][] = [];
  let from = 0;
  for (const gap of [...gaps].sort((a, b) => a.from - b.from)) {
    pieces.push(points.slice(from, gap.from + 1));
    from = gap.to;
  }
  pieces.push(points.slice(from));
  return pieces.filter((piece) => piece.length > 1);
}

function grown({ x, y, width, height }: Rect, by: number): Rect {
  return { x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by };
}

function lengthOf(points: readonly Place[]): number {
  return points.reduce((sum, point, i) => (i === 0 ? 0 : sum + distance(points[i - 1] as Place, point)), 0);
}

function distance(a: Place, b: Place): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
