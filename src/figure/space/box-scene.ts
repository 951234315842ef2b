import { decodeNumber } from "../../base/json.js";
import type { Rect, SceneView } from "../draw/figure-frame.js";
import type { ScatterPanel } from "../figure.js";

/** The view of a picture that cannot be turned. */
export const BOX_VIEW: SceneView = { azimuth: -55, elevation: 24 };

/** A place on the picture; `depth` grows towards the eye, `scale` is 1 in the middle. */
export interface ScenePlace {
  readonly x: number;
  readonly y: number;
  readonly depth: number;
  readonly scale: number;
}

/** How a scatter is laid onto its rectangle. */
export interface Scene {
  /** Ranges of the axes (2 or 3), with room around the points. */
  readonly ranges: readonly (readonly [min: number, max: number])[];
  place(at: readonly number[]): ScenePlace;
}

/** Room around the points as a share of the longest range. */
const ROOM = 0.05;
/** Room for names around the box, in px. */
export const BOX_NAMES = 26;
/** Distance of the eye from the middle, in half diagonals of the box. */
const EYE = 4;

/**
 * Returns the mapping of a scatter onto a rectangle, one unit equally long on all axes: flat in two dimensions,
 * in perspective in three.
 */
export function sceneOf(panel: ScatterPanel, rect: Rect, view: SceneView = BOX_VIEW): Scene {
  return panel.axes.length === 2 ? flatScene(panel, rect) : spaceScene(panel, rect, view);
}

function flatScene(panel: ScatterPanel, rect: Rect): Scene {
  const [x, y] = roomyRanges(panel) as [[number, number], [number, number]];
  const perPixel = Math.max((x[1] - x[0]) / rect.width, (y[1] - y[0]) / rect.height);
  const stretch = ([min, max]: readonly [number, number], length: number): [number, number] => {
    const missing = (perPixel * length - (max - min)) / 2;
    return [min - missing, max + missing];
  };
  const ranges = [stretch(x, rect.width), stretch(y, rect.height)] as const;
  return {
    ranges,
    place: ([a = Number.NaN, b = Number.NaN]) => ({
      x: rect.x + (a - ranges[0][0]) / perPixel,
      y: rect.y + rect.height - (b - ranges[1][0]) / perPixel,
      depth: 0,
      scale: 1,
    }),
  };
}

function spaceScene(panel: ScatterPanel, whole: Rect, { azimuth, elevation }: SceneView): Scene {
  const rect = {
    x: whole.x + BOX_NAMES,
    y: whole.y + BOX_NAMES,
    width: whole.width - 2 * BOX_NAMES,
    height: whole.height - 2 * BOX_NAMES,
  };
  const ranges = roomyRanges(panel);
  const middle = ranges.map(([min, max]) => (min + max) / 2);
  const half = Math.hypot(...ranges.map(([min, max]) => (max - min) / 2));
  const [turn, tilt] = [(azimuth * Math.PI) / 180, (elevation * Math.PI) / 180];
  const [cosTurn, sinTurn] = [Math.cos(turn), Math.sin(turn)];
  const [cosTilt, sinTilt] = [Math.cos(tilt), Math.sin(tilt)];
  const seen = (at: readonly number[]) => {
    const [a, b, c] = at.map((value, axis) => (value - (middle[axis] as number)) / half) as [
      number,
      number,
      number,
    ];
    const right = -sinTurn * a + cosTurn * b;
    const towards = cosTurn * a + sinTurn * b;
    const depth = cosTilt * towards + sinTilt * c;
    const up = cosTilt * c - sinTilt * towards;
    const scale = EYE / (EYE - depth);
    return { right: right * scale, up: up * scale, depth, scale };
  };
  const corners = boxCorners(ranges).map(seen);
  const edges = (values: readonly number[]): [number, number] => [Math.min(...values), Math.max(...values)];
  const [left, right] = edges(corners.map((corner) => corner.right));
  const [low, high] = edges(corners.map((corner) => corner.up));
  const perUnit = Math.min(rect.width / (right - left), rect.height / (high - low));
  const originX = rect.x + rect.width / 2 - ((left + right) / 2) * perUnit;
  const originY = rect.y + rect.height / 2 + ((low + high) / 2) * perUnit;
  return {
    ranges,
    place: (at) => {
      const place = seen(at);
      return {
        x: originX + place.right * perUnit,
        y: originY - place.up * perUnit,
        depth: place.depth,
        scale: place.scale,
      };
    },
  };
}

/** The eight corners of a box; bit b of a corner's number says at which end of axis b it is. */
export function boxCorners(ranges: readonly (readonly [number, number])[]): number[][] {
  return Array.from({ length: 8 }, (_, corner) =>
    ranges.map((range, axis) => range[(corner >> axis) & 1] as number),
  );
}

/** What the points reach on each axis, and some room; an axis without extent gets that of a tenth of the longest. */
function roomyRanges({ paths, axes }: ScatterPanel): [number, number][] {
  const points = paths.flatMap((path) => path.at.map((at) => at.map(decodeNumber)));
  const finite = points.filter((at) => at.every(Number.isFinite));
  const raw = Array.from(axes, (_, axis): [number, number] => {
    const values = finite.map((at) => at[axis] as number);
    return [
      values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
      values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
    ];
  });
  if (finite.length === 0) return raw.map(() => [-1, 1]);
  const longest = Math.max(...raw.map(([min, max]) => max - min)) || 1;
  return raw.map(([min, max]) => {
    const room = longest * ROOM + Math.max(0, longest * 0.1 - (max - min)) / 2;
    return [min - room, max + room];
  });
}
