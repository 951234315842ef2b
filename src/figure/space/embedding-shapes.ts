import { decodeNumber } from "../../base/json.js";
import { disc, endMark, type Shape, startMark } from "../draw/marks.js";
import { type RunStroke, runStroke } from "../draw/option-parts.js";
import { type Theme, valueColor } from "../draw/palette.js";
import { FONT_STACK } from "../draw/placed-text.js";
import { pointRadius } from "../draw/surface-shapes.js";
import type { ColorScale, EmbeddingFigure, EmbeddingPath, EmbeddingPoint } from "../embedding-figure.js";
import { boxCorners, coordinatesOf, type Scene, type ScenePlace } from "./embedding-scene.js";

/** A snapshot that can be drawn, at its place. */
export interface PlacedSnapshot extends ScenePlace {
  readonly pathIndex: number;
  readonly pointIndex: number;
  readonly point: EmbeddingPoint;
}

/** More snapshots than this in space crowd each other: their rims are thin. */
const FEW = 150;
/** How large starts and ends are with at most so many runs; 0.5 with more. */
const MARK_SIZES: readonly (readonly [runs: number, size: number])[] = [
  [8, 1],
  [12, 0.7],
];

/** A shape and how near to the eye it is. */
interface Layer {
  readonly depth: number;
  readonly shapes: readonly Shape[];
}

/** Returns the colour of a share of the scale, from low to high. */
export function scaleColor(share: number): string {
  // The palest end would be lost on white paper.
  return valueColor(share * 0.97);
}

/** Returns the snapshots of every path, in order, up to a count of the figure's progress. */
export function placeSnapshots(
  { paths, progress }: EmbeddingFigure,
  scene: Scene,
  until = Number.POSITIVE_INFINITY,
): PlacedSnapshot[][] {
  return paths.map(({ points }, pathIndex) =>
    points.flatMap((point, pointIndex) => {
      const place = scene.place(coordinatesOf(point));
      const isShown = point[progress] <= until && Number.isFinite(place.x) && Number.isFinite(place.y);
      return isShown ? [{ ...place, pathIndex, pointIndex, point }] : [];
    }),
  );
}

/**
 * Returns lines, points, starts and ends. In three dimensions what is nearer to the eye covers what is behind it,
 * far lines are paler and each path has a shadow on the floor.
 */
export function scenePathShapes(figure: EmbeddingFigure, scene: Scene, theme: Theme, until: number): Shape[] {
  const placed = placeSnapshots(figure, scene, until);
  const isFlat = figure.dimensions === 2;
  const radius = pointRadius(Math.max(1, ...figure.paths.map(({ points }) => points.length))) + 0.4;
  const total = figure.paths.reduce((sum, { points }) => sum + points.length, 0);
  const rim = isFlat || total <= FEW ? 1.1 : 0.4;
  const runs = placed.map((snapshots, pathIndex) => {
    const stroke = runStroke(pathIndex, theme);
    const points = snapshots.map((snapshot) => pointLayer(snapshot, figure, stroke, radius, rim, theme));
    const lines = isFlat ? flatLine(snapshots, stroke, theme) : segments(snapshots, stroke, theme);
    return { lines, points };
  });
  const shapesOf = (layers: readonly Layer[]): Shape[] => layers.flatMap(({ shapes }) => shapes);
  const ends = endShapes(placed, figure.paths, theme);
  if (!isFlat) {
    const layers = runs.flatMap(({ lines, points }) => [...lines, ...points]);
    return [
      ...shadows(figure, scene, until, theme),
      ...shapesOf([...layers].sort((a, b) => a.depth - b.depth)),
      ...ends,
    ];
  }
  // Rims first: no point hides the colour of its neighbours.
  const points = runs.flatMap((run) => run.points);
  return [
    ...shapesOf(runs.flatMap(({ lines }) => lines)),
    ...points.flatMap(({ shapes }) => shapes.slice(0, 1)),
    ...points.flatMap(({ shapes }) => shapes.slice(1)),
    ...ends,
  ];
}

/** A snapshot: its rim, then its colour. */
function pointLayer(
  { x, y, depth, scale, point }: PlacedSnapshot,
  figure: EmbeddingFigure,
  { color }: RunStroke,
  radius: number,
  rim: number,
  theme: Theme,
): Layer {
  const fill = figure.scale === null ? color : pointColor(point, figure.color, figure.scale);
  const r = radius * scale;
  const rimColor = fill === null ? theme.hatch : theme.halo;
  // A point lies on top of the segments that meet in it.
  return {
    depth: depth + 1e-3,
    shapes: [disc(x, y, r + rim, rimColor), disc(x, y, r, fill ?? theme.unknown)],
  };
}

/** Colour of a snapshot on the scale; null where its value is not known. */
export function pointColor(
  point: EmbeddingPoint,
  color: EmbeddingFigure["color"],
  { kind, min, max }: ColorScale,
): string | null {
  const value = decodeNumber(color === "loss" ? point.loss : point.stepSize);
  if (!Number.isFinite(value)) return null;
  const at = kind === "log" ? Math.log(Math.max(value, min) / min) : value - min;
  const whole = kind === "log" ? Math.log(max / min) : max - min;
  return scaleColor(whole > 0 ? at / whole : 0.5);
}

function flatLine(
  snapshots: readonly PlacedSnapshot[],
  { color, lineDash }: RunStroke,
  theme: Theme,
): Layer[] {
  if (snapshots.length < 2) return [];
  const points = snapshots.map(({ x, y }) => [x, y]);
  const stroke = (style: Record<string, unknown>): Shape => ({
    type: "polyline",
    shape: { points },
    style: { fill: "none", lineJoin: "round", lineCap: "round", ...style },
    silent: true,
  });
  const dashes = lineDash === null ? {} : { lineDash };
  return [
    {
      depth: 0,
      shapes: [
        stroke({ stroke: theme.halo, lineWidth: 3.4, opacity: 0.8 }),
        stroke({ stroke: color, lineWidth: 1.5, ...dashes }),
      ],
    },
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
    const shape = { x1: from.x, y1: from.y, x2: to.x, y2: to.y };
    const dashes = lineDash === null ? {} : { lineDash };
    const line = (style: Record<string, unknown>): Shape => ({
      type: "line",
      shape,
      style: { lineCap: "round", ...style },
      silent: true,
    });
    return {
      depth,
      shapes: [
        line({ stroke: theme.halo, lineWidth: 3.2 * scale, opacity: 0.7 }),
        line({ stroke: color, lineWidth: 1.6 * scale, opacity: nearness(depth), ...dashes }),
      ],
    };
  });
}

/** Opacity of a line: what is far is paler. */
function nearness(depth: number): number {
  return Math.min(1, Math.max(0.45, 0.75 + 0.35 * depth));
}

/** Paths on the floor, which show where in the room they are. */
function shadows(figure: EmbeddingFigure, scene: Scene, until: number, theme: Theme): Shape[] {
  const floor = scene.ranges[2]?.[0] ?? 0;
  return placeSnapshots(figure, scene, until).flatMap((snapshots): Shape[] => {
    if (snapshots.length < 2) return [];
    const points = snapshots.map(({ point }) => {
      const [a = 0, b = 0] = coordinatesOf(point);
      const { x, y } = scene.place([a, b, floor]);
      return [x, y];
    });
    const style = { fill: "none", stroke: theme.muted, opacity: 0.28, lineWidth: 1.4, lineJoin: "round" };
    return [{ type: "polyline", shape: { points }, style, silent: true }];
  });
}

/** Starts, then ends; an end is drawn once the last snapshot is shown. */
function endShapes(
  placed: readonly (readonly PlacedSnapshot[])[],
  paths: readonly EmbeddingPath[],
  theme: Theme,
): Shape[] {
  const shown = placed.flatMap((snapshots, pathIndex) => {
    const [first, last] = [snapshots[0], snapshots.at(-1)];
    return first === undefined || last === undefined ? [] : [{ first, last, pathIndex }];
  });
  const size = MARK_SIZES.find(([runs]) => paths.length <= runs)?.[1] ?? 0.5;
  const starts = shown.flatMap(({ first, pathIndex }, index) => {
    const later = shown.slice(index + 1);
    const covered = later.filter((other) => Math.hypot(other.first.x - first.x, other.first.y - first.y) < 2);
    const rings = Math.min(covered.length, 4);
    return startMark(first.x, first.y, runStroke(pathIndex, theme).color, theme, rings, size);
  });
  const ends = shown.flatMap(({ last, pathIndex }) =>
    last.pointIndex === (paths[pathIndex] as EmbeddingPath).points.length - 1
      ? endMark(last.x, last.y, runStroke(pathIndex, theme).color, theme, size)
      : [],
  );
  return [...starts, ...ends];
}

/** The box around a three-dimensional embedding: floor, back walls with a grid, and names of the axes. */
export function boxShapes({ axes }: EmbeddingFigure, scene: Scene, theme: Theme): Shape[] {
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
    ...axisNames(axes, faces, scene, theme),
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
  const polyline = (points: readonly (readonly [number, number])[], stroke: string): Shape => ({
    type: "polyline",
    shape: { points },
    style: { fill: "none", stroke, lineWidth: 1 },
    silent: true,
  });
  const inner = [0.25, 0.5, 0.75].flatMap((share) => [
    polyline([at(share, 0), at(share, 1)], theme.faint),
    polyline([at(0, share), at(1, share)], theme.faint),
  ]);
  return [...inner, polyline([at(0, 0), at(1, 0), at(1, 1), at(0, 1), at(0, 0)], theme.line)];
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
    return {
      type: "text",
      x: x + side * 15 * normal[0],
      y: y + side * 15 * normal[1],
      rotation: -angle,
      style: {
        text: name,
        fontFamily: FONT_STACK,
        fontSize: 13,
        fill: theme.text,
        align: "center",
        verticalAlign: "middle",
      },
      silent: true,
    };
  });
}
