import { decodeNumber } from "../../base/json.js";
import type { Rect, SceneView } from "../draw/figure-frame.js";
import { type RunStroke, runStroke, type Theme } from "../draw/palette.js";
import type { Target } from "../draw/panel-kind.js";
import { markSize, type PathStyle, pointRadius, startAndEndShapes } from "../draw/paths.js";
import { line } from "../draw/placed-text.js";
import { disc, type Point, polyline, type Shape, stroke, textShape } from "../draw/shapes.js";
import type { Figure, ScatterPanel } from "../figure.js";

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

/** A snapshot that can be drawn, at its place in the box. */
interface PlacedSnapshot extends ScenePlace {
  readonly run: number;
  readonly snapshot: number;
  readonly at: readonly number[];
}

/** More snapshots than this crowd each other in 3-D: their rims are thin. */
const FEW = 150;

/** A shape and how near to the eye it is. */
interface Layer {
  readonly depth: number;
  readonly shapes: readonly Shape[];
}

/** The snapshots of every path, in order, as far as they are shown. */
function placeSnapshots(
  { runs, progress }: Figure,
  { paths }: ScatterPanel,
  scene: Scene,
  until = Number.POSITIVE_INFINITY,
): PlacedSnapshot[][] {
  return paths.map(({ run, at }) =>
    at.flatMap((encoded, snapshot) => {
      const coordinates = encoded.map(decodeNumber);
      const place = scene.place(coordinates);
      const count = runs[run]?.[progress][snapshot] ?? 0;
      const isShown = count <= until && Number.isFinite(place.x) && Number.isFinite(place.y);
      return isShown ? [{ ...place, run, snapshot, at: coordinates }] : [];
    }),
  );
}

/** Returns where the snapshots of a scatter in three dimensions are. */
export function spaceTargets(figure: Figure, panel: ScatterPanel, scene: Scene, until?: number): Target[] {
  return placeSnapshots(figure, panel, scene, until).flat();
}

/**
 * Returns lines, points, starts and ends in three dimensions: what is nearer to the eye covers what is behind it,
 * far lines are paler and each path has a shadow on the floor.
 */
export function spacePathShapes(
  figure: Figure,
  panel: ScatterPanel,
  scene: Scene,
  theme: Theme,
  { colorOf, until }: PathStyle = {},
): Shape[] {
  const placed = placeSnapshots(figure, panel, scene, until);
  const strokeOf = (run: number): RunStroke => runStroke(figure.runs[run]?.color ?? 0, theme);
  const radius = pointRadius(Math.max(1, ...panel.paths.map(({ at }) => at.length))) + 0.4;
  const rim = panel.paths.reduce((sum, { at }) => sum + at.length, 0) <= FEW ? 1.1 : 0.4;
  const layers = placed.flatMap((snapshots) => [
    ...segments(snapshots, strokeOf(snapshots[0]?.run ?? 0), theme),
    ...snapshots.map(({ x, y, depth, scale, run, snapshot }): Layer => {
      const data = figure.runs[run];
      const fill =
        colorOf === undefined || data === undefined ? strokeOf(run).color : colorOf(data, snapshot);
      const r = radius * scale;
      // A point lies on top of the segments that meet in it.
      return {
        depth: depth + 1e-3,
        shapes: [
          disc(x, y, r + rim, fill === null ? theme.hatch : theme.halo),
          disc(x, y, r, fill ?? theme.unknown),
        ],
      };
    }),
  ]);
  const ends = placed.flatMap((snapshots, index) => {
    const [first, last] = [snapshots[0], snapshots.at(-1)];
    if (first === undefined || last === undefined) return [];
    const isWhole = last.snapshot === (panel.paths[index]?.at.length ?? 0) - 1;
    return [{ color: strokeOf(first.run).color, first, last, isWhole }];
  });
  return [
    ...shadows(placed, scene, theme),
    ...[...layers].sort((a, b) => a.depth - b.depth).flatMap(({ shapes }) => shapes),
    ...startAndEndShapes(ends, markSize(panel.paths.length), theme),
  ];
}

function segments(
  snapshots: readonly PlacedSnapshot[],
  { color, lineDash }: RunStroke,
  theme: Theme,
): Layer[] {
  return snapshots.slice(1).map((to, i) => {
    const from = snapshots[i] as PlacedSnapshot;
    // No segment covers the points that it joins.
    const depth = Math.min(from.depth, to.depth);
    const scale = (from.scale + to.scale) / 2;
    const line = (style: Record<string, unknown>): Shape =>
      stroke([from.x, from.y], [to.x, to.y], { lineCap: "round", ...style });
    return {
      depth,
      shapes: [
        line({ stroke: theme.halo, lineWidth: 3.2 * scale, opacity: 0.7 }),
        line({ stroke: color, lineWidth: 1.6 * scale, opacity: nearness(depth), lineDash }),
      ],
    };
  });
}

/** Opacity of a line: what is far is paler. */
function nearness(depth: number): number {
  return Math.min(1, Math.max(0.45, 0.75 + 0.35 * depth));
}

/** Paths on the floor, which show where in the room they are. */
function shadows(placed: readonly (readonly PlacedSnapshot[])[], scene: Scene, theme: Theme): Shape[] {
  const floor = scene.ranges[2]?.[0] ?? 0;
  return placed.flatMap((snapshots): Shape[] => {
    if (snapshots.length < 2) return [];
    const points = snapshots.map(({ at: [a = 0, b = 0] }) => {
      const { x, y } = scene.place([a, b, floor]);
      return [x, y] as const;
    });
    return [polyline(points, { stroke: theme.muted, opacity: 0.28, lineWidth: 1.4, lineJoin: "round" })];
  });
}

/** The box around a three-dimensional scatter: floor, back walls with a grid, and names of the axes. */
export function boxShapes({ axes }: ScatterPanel, scene: Scene, theme: Theme): Shape[] {
  const corners = boxCorners(scene.ranges).map((corner) => ({ corner, ...scene.place(corner) }));
  const middle = scene.place(scene.ranges.map(([min, max]) => (min + max) / 2));
  const isBack = (axis: number, end: number): boolean => {
    const face = corners.filter((_, c) => ((c >> axis) & 1) === end);
    return face.reduce((sum, { depth }) => sum + depth, 0) / 4 < middle.depth;
  };
  const faces = [0, 1, 2].flatMap((axis) =>
    [0, 1].filter((end) => isBack(axis, end)).map((end) => ({ axis, end })),
  );
  return [
    ...faces.flatMap(({ axis, end }) => faceShapes(axis, end, scene, theme)),
    ...axisNames(
      axes.map(({ title }) => title),
      faces,
      scene,
      theme,
    ),
  ];
}

/** Lines of a grid on one wall and the wall's outline. */
function faceShapes(axis: number, end: number, scene: Scene, theme: Theme): Shape[] {
  const others = [0, 1, 2].filter((other) => other !== axis) as [number, number];
  const wall = scene.ranges[axis]?.[end] as number;
  const at = (u: number, v: number): readonly [number, number] => {
    const corner = [0, 0, 0];
    corner[axis] = wall;
    [u, v].forEach((share, i) => {
      const [min, max] = scene.ranges[others[i] as number] as readonly [number, number];
      corner[others[i] as number] = min + share * (max - min);
    });
    const { x, y } = scene.place(corner);
    return [x, y];
  };
  const lines = (points: readonly Point[], color: string): Shape =>
    polyline(points, { stroke: color, lineWidth: 1 });
  const inner = [0.25, 0.5, 0.75].flatMap((share) => [
    lines([at(share, 0), at(share, 1)], theme.faint),
    lines([at(0, share), at(1, share)], theme.faint),
  ]);
  return [...inner, lines([at(0, 0), at(1, 0), at(1, 1), at(0, 1), at(0, 0)], theme.line)];
}

/** Each name along an edge of the floor, or an upright edge, that nothing lies in front of. */
function axisNames(
  names: readonly string[],
  faces: readonly { readonly axis: number; readonly end: number }[],
  scene: Scene,
  theme: Theme,
): Shape[] {
  const backEnd = (axis: number): number => faces.find((face) => face.axis === axis)?.end ?? 0;
  const centre = scene.place(scene.ranges.map(([min, max]) => (min + max) / 2));
  return names.map((name, axis): Shape => {
    const edge = [0, 1].map((share) => {
      const at = scene.ranges.map((range, other) => {
        if (other === axis) return range[share] as number;
        // Floor edges lie in front; the upright axis stands where a back wall ends.
        const end =
          axis === 2 ? (other === 0 ? backEnd(0) : 1 - backEnd(1)) : other === 2 ? 0 : 1 - backEnd(other);
        return range[end] as number;
      });
      return scene.place(at);
    }) as [ScenePlace, ScenePlace];
    const [x, y] = [(edge[0].x + edge[1].x) / 2, (edge[0].y + edge[1].y) / 2];
    let angle = Math.atan2(edge[1].y - edge[0].y, edge[1].x - edge[0].x);
    if (angle > Math.PI / 2) angle -= Math.PI;
    if (angle <= -Math.PI / 2) angle += Math.PI;
    // Off the edge, away from the middle of the box.
    const normal = [-Math.sin(angle), Math.cos(angle)] as const;
    const side = (x - centre.x) * normal[0] + (y - centre.y) * normal[1] < 0 ? -1 : 1;
    const text = line(name, x + side * 15 * normal[0], y + side * 15 * normal[1]);
    return textShape(text, theme, { rotation: -angle });
  });
}
