import type { SceneView, Tick } from "../draw/figure-frame.js";
import { line, NAME_SIZE, type PlacedText, TICK_SIZE, textWidth } from "../draw/placed-text.js";
import type { PointScene } from "./point-scene.js";
import type { SurfaceScene } from "./surface-scene.js";

/** A place in the box: alpha to the right, beta to the back, height up; the box's centre is 0. */
export type ScenePoint = readonly [x: number, y: number, z: number];

/** How far two places are apart. */
export function distance(a: ScenePoint, b: ScenePoint): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/** a + b. */
export function plus(a: ScenePoint, b: ScenePoint): ScenePoint {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
}

/** a − b. */
export function minus(a: ScenePoint, b: ScenePoint): ScenePoint {
  return plus(a, times(b, -1));
}

/** factor·a. */
export function times(a: ScenePoint, factor: number): ScenePoint {
  return [a[0] * factor, a[1] * factor, a[2] * factor];
}

/** a × b. */
export function cross(a: ScenePoint, b: ScenePoint): ScenePoint {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

/** a at length 1; 0 stays 0. */
export function unit(a: ScenePoint): ScenePoint {
  return times(a, 1 / (Math.hypot(...a) || 1));
}

/** Sides of the box. */
export interface SceneBox {
  readonly width: number;
  readonly depth: number;
  readonly height: number;
}

/** Parallel projection of the box onto the picture. */
export interface Projection {
  readonly view: SceneView;
  /** Px for each unit of the box. */
  readonly scale: number;
  /** Place in px. */
  toScreen(point: ScenePoint): readonly [x: number, y: number];
  /** Unit vectors of the picture in the box: to its right, to its top, and out of it. */
  readonly right: ScenePoint;
  readonly up: ScenePoint;
  readonly toward: ScenePoint;
  /** How near something on the ground is: it may hide what has less. */
  nearness(x: number, y: number): number;
}

/** A view that shows the valley and both walls. */
export const DEFAULT_VIEW: SceneView = { elevation: 40, azimuth: 32 };

/** Elevations that keep the surface's upper side in sight. */
export const ELEVATIONS = [5, 90] as const;

/** Returns a view turned by some degrees, held above the ground, azimuth in (−180, 180]. */
export function turnView(view: SceneView, azimuth: number, elevation: number): SceneView {
  const turned = (((view.azimuth + azimuth + 180) % 360) + 360) % 360;
  return {
    ...view,
    azimuth: turned === 0 ? 180 : turned - 180,
    elevation: Math.min(ELEVATIONS[1], Math.max(ELEVATIONS[0], view.elevation + elevation)),
  };
}

/** Least and greatest zoom. */
const ZOOMS = [0.6, 6] as const;

/** Returns a view that is nearer (factor above 1) or farther. */
export function zoomView(view: SceneView, factor: number): SceneView {
  return { ...view, zoom: Math.min(ZOOMS[1], Math.max(ZOOMS[0], (view.zoom ?? 1) * factor)) };
}

/** Returns the parallel projection with the box's centre at (`x`, `y`) px. */
export function createProjection(
  view: SceneView,
  scale: number,
  [x, y]: readonly [number, number],
): Projection {
  const [a, b] = [(view.elevation * Math.PI) / 180, (view.azimuth * Math.PI) / 180];
  const [sinA, cosA, sinB, cosB] = [Math.sin(a), Math.cos(a), Math.sin(b), Math.cos(b)];
  return {
    view,
    scale,
    right: [cosB, sinB, 0],
    up: [-sinA * sinB, sinA * cosB, cosA],
    toward: [cosA * sinB, -cosA * cosB, sinA],
    toScreen: ([px, py, pz]) => [
      x + scale * (px * cosB + py * sinB),
      y - scale * (pz * cosA + sinA * (py * cosB - px * sinB)),
    ],
    nearness: (px, py) => px * sinB - py * cosB,
  };
}

/** Half the width and half the height, in units of the box, that the box takes from a view. */
export function extentOf({ width, depth, height }: SceneBox, view: SceneView): readonly [number, number] {
  const { toScreen } = createProjection(view, 1, [0, 0]);
  const corners = [-1, 1].flatMap((i) => [-1, 1].flatMap((j) => [-1, 1].map((k) => [i, j, k] as const)));
  const places = corners.map(([i, j, k]) => toScreen([(i * width) / 2, (j * depth) / 2, (k * height) / 2]));
  return [Math.max(...places.map(([px]) => px)), Math.max(...places.map(([, py]) => py))];
}

/** A line of the box in px. */
export interface SceneLine {
  readonly from: readonly [x: number, y: number];
  readonly to: readonly [x: number, y: number];
  /** Edges with ticks, and the grid on floor and walls. */
  readonly tone: "edge" | "grid";
}

/** Names of the axes. */
export interface SceneNames {
  readonly x: string;
  readonly y: string;
  readonly z: string;
}

/** Floor and walls behind the surface, and the texts of the axes around it. */
export interface SceneFurniture {
  readonly lines: readonly SceneLine[];
  readonly texts: readonly PlacedText[];
}

/** Distances of tick labels and names from their edge, in px. */
const LABEL_DISTANCE = 7;
const NAME_DISTANCE = 30;

/**
 * Returns floor, back walls and axes of the box as lines and texts in px.
 *
 * Ticks of alpha and beta stand on the edges of the floor that are in front, those of the height on the
 * upright edge that is furthest to the left. Texts are shifted into `[left, right]`, and a tick label that
 * would touch another or a name is left out.
 */
export function sceneFurniture(
  { box, ticks }: Pick<SurfaceScene | PointScene, "box" | "ticks">,
  projection: Projection,
  names: SceneNames,
  [left, right]: readonly [number, number],
): SceneFurniture {
  const [hx, hy, hz] = [box.width / 2, box.depth / 2, box.height / 2];
  // The side of each axis that is in front: the texts go there, the walls opposite.
  const fx = projection.nearness(1, 0) >= 0 ? hx : -hx;
  const fy = projection.nearness(0, 1) > 0 ? hy : -hy;
  const corners: readonly (readonly [number, number])[] = [
    [fx, -fy],
    [-fx, fy],
  ];
  const screenX = ([x, y]: readonly [number, number]): number => projection.toScreen([x, y, 0])[0];
  const [zx, zy] = [...corners].sort((a, b) => screenX(a) - screenX(b))[0] as readonly [number, number];
  const segment = (from: ScenePoint, to: ScenePoint, tone: SceneLine["tone"]): SceneLine => ({
    from: projection.toScreen(from),
    to: projection.toScreen(to),
    tone,
  });
  const lines = [
    ...ticks.x.flatMap(({ value: x }) => [
      segment([x, -hy, -hz], [x, hy, -hz], "grid"),
      segment([x, -fy, -hz], [x, -fy, hz], "grid"),
    ]),
    ...ticks.y.flatMap(({ value: y }) => [
      segment([-hx, y, -hz], [hx, y, -hz], "grid"),
      segment([-fx, y, -hz], [-fx, y, hz], "grid"),
    ]),
    ...ticks.z.flatMap(({ value: z }) => [
      segment([-hx, -fy, z], [hx, -fy, z], "grid"),
      segment([-fx, -hy, z], [-fx, hy, z], "grid"),
    ]),
    segment([-hx, fy, -hz], [hx, fy, -hz], "edge"),
    segment([fx, -hy, -hz], [fx, hy, -hz], "edge"),
    segment([zx, zy, -hz], [zx, zy, hz], "edge"),
    segment([-hx, -fy, -hz], [hx, -fy, -hz], "edge"),
    segment([-fx, -hy, -hz], [-fx, hy, -hz], "edge"),
  ];
  const away = (from: ScenePoint, to: ScenePoint, outside: ScenePoint): Edge => {
    const [p, q, o] = [from, to, outside].map(projection.toScreen) as [Place, Place, Place];
    return { from: p, to: q, out: outward(p, q, o) };
  };
  const center: ScenePoint = [0, 0, -hz];
  const edges: readonly (readonly [Edge, readonly Tick[], (tick: Tick) => ScenePoint, string])[] = [
    [away([-hx, fy, -hz], [hx, fy, -hz], center), ticks.x, ({ value }) => [value, fy, -hz], names.x],
    [away([fx, -hy, -hz], [fx, hy, -hz], center), ticks.y, ({ value }) => [fx, value, -hz], names.y],
    [away([zx, zy, -hz], [zx, zy, hz], [0, 0, 0]), ticks.z, ({ value }) => [zx, zy, value], names.z],
  ];
  const bounds = [left, right] as const;
  const outline = boxOutline(box).map(
    ([from, to]) => [projection.toScreen(from), projection.toScreen(to)] as const,
  );
  const hasLabels = edges.some(([, axisTicks]) => axisTicks.some(({ label }) => label !== ""));
  const distance = hasLabels ? NAME_DISTANCE : LABEL_DISTANCE;
  const nameTexts = edges.map(([edge, , , name], index) =>
    index === 2 ? heightName(edge, name, outline, bounds) : nameText(edge, name, bounds, distance),
  );
  const texts: PlacedText[] = [];
  for (const [edge, axisTicks, at] of edges) {
    for (const tick of axisTicks) {
      if (tick.label === "") continue;
      const [x, y] = projection.toScreen(at(tick));
      const shift = clearance(tick.label, TICK_SIZE, edge.out, LABEL_DISTANCE);
      const text = line(tick.label, x + edge.out[0] * shift, y + edge.out[1] * shift, {
        size: TICK_SIZE,
        tone: "muted",
        x: bounds,
      });
      if (![...texts, ...nameTexts].some((other) => touches(text, other))) texts.push(text);
    }
  }
  return { lines, texts: [...texts, ...nameTexts] };
}

type Place = readonly [x: number, y: number];

/** An edge in px with the direction away from the box. */
interface Edge {
  readonly from: Place;
  readonly to: Place;
  readonly out: Place;
}

/** Unit vector across an edge, away from the inside. */
function outward(from: Place, to: Place, inside: Place): Place {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = Math.hypot(dx, dy) || 1;
  const normal: Place = [dy / length, -dx / length];
  const side = (inside[0] - from[0]) * normal[0] + (inside[1] - from[1]) * normal[1];
  return side > 0 ? [-normal[0], -normal[1]] : normal;
}

/**
 * The name of the height axis, above its edge: it ends a little to the right of the edge where there is room
 * for that, and stands as high as it must to clear the box below it.
 */
function heightName(
  { from, to }: Edge,
  name: string,
  outline: readonly (readonly [Place, Place])[],
  bounds: readonly [number, number],
): PlacedText {
  const half = textWidth(name, NAME_SIZE) / 2;
  const text = line(name, from[0] + 8 - half, Math.min(from[1], to[1]) - 18, { x: bounds });
  const tops = outline.flatMap(([p, q]) => heightsWithin(p, q, text.x - half - 2, text.x + half + 2));
  return { ...text, y: Math.min(text.y, ...tops.map((top) => top - NAME_SIZE * 0.9)) };
}

/** Heights of both ends of the part of a line that lies between two verticals; none if it lies outside. */
function heightsWithin(p: Place, q: Place, left: number, right: number): number[] {
  const [a, b] = p[0] <= q[0] ? [p, q] : [q, p];
  if (b[0] < left || a[0] > right) return [];
  const at = (x: number): number =>
    b[0] === a[0] ? Math.min(a[1], b[1]) : a[1] + ((x - a[0]) / (b[0] - a[0])) * (b[1] - a[1]);
  return [at(Math.max(a[0], left)), at(Math.min(b[0], right))];
}

/** The upper edges of the box. */
function boxOutline({ width, depth, height }: SceneBox): (readonly [ScenePoint, ScenePoint])[] {
  const [x, y, z] = [width / 2, depth / 2, height / 2];
  const corners: readonly ScenePoint[] = [
    [-x, -y, z],
    [x, -y, z],
    [x, y, z],
    [-x, y, z],
  ];
  return corners.map((corner, k) => [corner, corners[(k + 1) % 4] as ScenePoint] as const);
}

function nameText(edge: Edge, name: string, bounds: readonly [number, number], distance: number): PlacedText {
  const [x, y] = [(edge.from[0] + edge.to[0]) / 2, (edge.from[1] + edge.to[1]) / 2];
  const shift = clearance(name, NAME_SIZE, edge.out, distance);
  return line(name, x + edge.out[0] * shift, y + edge.out[1] * shift, { x: bounds });
}

/** How far the middle of a text must be from an edge for its box to be `distance` px away. */
function clearance(text: string, size: number, out: Place, distance: number): number {
  return distance + (Math.abs(out[0]) * textWidth(text, size)) / 2 + Math.abs(out[1]) * size * 0.6;
}

function touches(a: PlacedText, b: PlacedText): boolean {
  const half = (text: PlacedText): number => textWidth(text.text, text.size, text.weight) / 2;
  return Math.abs(a.x - b.x) < half(a) + half(b) + 4 && Math.abs(a.y - b.y) < (a.size + b.size) * 0.6;
}
