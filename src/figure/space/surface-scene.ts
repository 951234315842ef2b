import { decodeNumber, type JsonNumber } from "../../base/json.js";
import { refineGrid } from "../draw/contours.js";
import type { SceneView } from "../draw/figure-frame.js";
import { edgesOf, extentOf, type Tick, ticksOf } from "../draw/figure-frame.js";
import { formatLevels, formatNumber } from "../draw/format-number.js";
import {
  type ContourScale,
  valueAt as lossAt,
  niceTicks,
  heightOf as positionOf,
  scaleOfKind,
} from "../draw/scales.js";
import { MOST_DOTS } from "../draw/thinning.js";
import { columnOf, comparedLoss, type Figure, type MapPanel, type Path, PLANE_LOSS } from "../figure.js";
import { createProjection, distance, type Projection, type SceneBox, type ScenePoint } from "./scene-view.js";

/** A snapshot in the box: on the surface of the plane, and at its own loss. */
export interface ScenePathPoint {
  readonly index: number;
  /** null where the loss there is not known, not finite, or the snapshot lies outside the grid. */
  readonly plane: ScenePoint | null;
  readonly own: ScenePoint | null;
}

/** A path in the box. */
export interface ScenePath {
  /** Position of the run in the figure. */
  readonly run: number;
  /** Snapshots of the run, also those that are not shown: what is left out stays the same while a path grows. */
  readonly count: number;
  readonly points: readonly ScenePathPoint[];
  /** The path along the surface in pieces, draped between the snapshots. */
  readonly draped: readonly (readonly ScenePoint[])[];
}

/** The loss surface as a height field in a box, with the paths on it. */
export interface SurfaceScene {
  readonly kind: ContourScale["kind"];
  readonly box: SceneBox;
  /** (w) and (h): places of the refined grid along alpha and beta, in the box. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** (h, w), row-major: height in the box; NaN is a hole. */
  readonly z: Float64Array;
  /** (h, w), row-major: place in the palette, 0 to 1, as in the map of contours. */
  readonly shade: Float64Array;
  /** Number of bands between contours: a level is crossed wherever `shade` · (bands − 1) + 1/2 is whole. */
  readonly bands: number;
  /** Steps of this grid for each step of the one that is shown. */
  readonly cells: number;
  /** Whether the surface is drawn as the flat cells of the grid that was evaluated. */
  readonly isFaceted: boolean;
  readonly ticks: { readonly x: readonly Tick[]; readonly y: readonly Tick[]; readonly z: readonly Tick[] };
  readonly paths: readonly ScenePath[];
}

/** Options of {@link createSurfaceScene}. */
export interface SurfaceSceneOptions {
  /** Grid steps a side that are aimed at: coarser grids are refined, finer ones thinned. Default 160. */
  readonly steps?: number;
  /** Shows the cells of the grid that was evaluated, without values between its points. Default false. */
  readonly isFaceted?: boolean;
}

const SIDE = 100;
/** Height that the surface takes, and the room under it in which the floor shows its contours. */
const HEIGHT = 50;
const ROOM = 14;

/** What a scene is made of: a map and the runs of its figure. */
export interface SceneSubject {
  readonly panel: MapPanel;
  readonly figure: Pick<Figure, "runs">;
}

/**
 * Returns the scene of a map with values: heights and colours of its surface, and its paths at the loss of the
 * plane and at their own.
 *
 * Heights are linear in the loss, or in what the map's scale makes of it: its logarithm (0 then stands at the least
 * positive loss), or that on both sides of zero. Between grid points they are interpolated as in the map of contours.
 * Grid points without a finite loss are holes, and every cell that touches one is left out.
 */
export function createSurfaceScene(
  { panel, figure: { runs } }: SceneSubject,
  options: SurfaceSceneOptions = {},
): SurfaceScene {
  const { steps = 160, isFaceted = false } = options;
  const scale = panel.scale ?? { kind: "linear", levels: [] };
  const { kind } = scale;
  const grid = fitGrid(panel, steps);
  const own = panel.paths.flatMap(
    ({ run }) => (runs[run] && columnOf(runs[run], comparedLoss(runs[run]))) ?? [],
  );
  const losses = [...(panel.values ?? []), ...own].map(decodeNumber).filter(Number.isFinite);
  const least = losses.reduce((low, loss) => (loss > 0 && loss < low ? loss : low), Number.POSITIVE_INFINITY);
  const toPosition = (loss: number): number =>
    positionOf(scale)(kind === "log" ? Math.max(loss, least) : loss);
  const low = toPosition(losses.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY));
  const high = toPosition(losses.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY));
  const span = high > low ? high - low : 1;
  const toHeight = (position: number): number =>
    ((position - low) / span) * HEIGHT + ROOM - (HEIGHT + ROOM) / 2;
  const box = boxOf(panel);
  const place = (axis: readonly number[], side: number) => (value: number) =>
    ((value - edgesOf(axis).min) / extentOf(axis) - 0.5) * side;
  const toX = place(panel.alpha, box.width);
  const toY = place(panel.beta, box.depth);
  const positions = grid.loss.map((loss) => (Number.isFinite(loss) ? toPosition(loss) : Number.NaN));
  const factor =
    panel.interpolation === "linear" || isFaceted
      ? 1
      : Math.max(1, Math.floor(steps / (Math.max(grid.alpha.length, grid.beta.length) - 1)));
  const fine = refineGrid(positions, grid.alpha.length, grid.beta.length, factor);
  const shadeOf = shadeScale(scale, low, high);
  const axisOf = (axis: readonly number[], count: number, to: (value: number) => number): Float64Array =>
    Float64Array.from({ length: count }, (_, i) => to(valueAt(axis, i / factor)));
  const scene = {
    kind,
    box,
    x: axisOf(grid.alpha, fine.width, toX),
    y: axisOf(grid.beta, fine.height, toY),
    z: fine.values.map(toHeight),
    shade: fine.values.map(shadeOf),
    bands: scale.levels.length + 1,
    cells: factor,
    isFaceted,
  };
  const lossesOf = ({ run }: Path): PathLosses => {
    const data = runs[run];
    if (data === undefined) return { own: [], plane: [] };
    return { own: columnOf(data, comparedLoss(data)) ?? [], plane: columnOf(data, PLANE_LOSS) ?? [] };
  };
  const heightOf = (loss: number): number | null =>
    Number.isFinite(loss) ? toHeight(toPosition(loss)) : null;
  return {
    ...scene,
    ticks: {
      x: ticksOf(panel.alpha, 5).map(moved(toX)),
      y: ticksOf(panel.beta, 5).map(moved(toY)),
      z: heightTicks(scale, low, high).map(moved(toHeight)),
    },
    paths: panel.paths.map((path) => scenePath(path, lossesOf(path), scene, toX, toY, heightOf)),
  };
}

/** Returns the scene with each path only up to a count of the figure's `progress`. */
export function sceneUntil(
  scene: SurfaceScene,
  { runs, progress }: Pick<Figure, "runs" | "progress">,
  until: number | undefined,
): SurfaceScene {
  if (until === undefined) return scene;
  const paths = scene.paths.map(({ run, count, points: all }): ScenePath => {
    const points = all.filter(({ index }) => (runs[run]?.[progress][index] ?? 0) <= until);
    return { run, count, points, draped: drape(points, count, scene) };
  });
  return { ...scene, paths };
}

function moved(to: (value: number) => number): (tick: Tick) => Tick {
  return ({ value, label }) => ({ value: to(value), label });
}

function boxOf({ alpha, beta, aspect }: MapPanel): SceneBox {
  if (aspect !== "equal") return { width: SIDE, depth: SIDE, height: HEIGHT + ROOM };
  const ratio = extentOf(beta) / extentOf(alpha);
  return { width: SIDE / Math.max(1, ratio), depth: SIDE * Math.min(1, ratio), height: HEIGHT + ROOM };
}

/** The grid itself, or every n-th of its lines where it is finer than asked for; the last ones are kept. */
function fitGrid({ alpha, beta, values }: MapPanel, steps: number) {
  const keep = (axis: readonly number[]): number[] => {
    const stride = Math.ceil((axis.length - 1) / steps);
    const kept = axis.map((_, i) => i).filter((i) => i % stride === 0);
    if (kept[kept.length - 1] !== axis.length - 1) kept.push(axis.length - 1);
    return kept;
  };
  const [columns, rows] = [keep(alpha), keep(beta)];
  return {
    alpha: columns.map((i) => alpha[i] as number),
    beta: rows.map((j) => beta[j] as number),
    loss: rows.flatMap((j) => columns.map((i) => decodeNumber(values?.[j * alpha.length + i] ?? null))),
  };
}

/** Value of an axis at a fractional index. */
function valueAt(axis: readonly number[], index: number): number {
  const low = Math.min(Math.floor(index), axis.length - 2);
  const start = axis[low] as number;
  return start + (index - low) * ((axis[low + 1] as number) - start);
}

/**
 * Place in the palette of a position on the height axis: the middle of band i of n + 1 bands has i / n, as
 * the fills of the map have, and between middles it is linear.
 */
function shadeScale(scale: ContourScale, low: number, high: number): (position: number) => number {
  const edges = [low, ...scale.levels.map(positionOf(scale)), high];
  const bands = edges.length - 1;
  return (position) => {
    if (Number.isNaN(position)) return Number.NaN;
    if (bands === 1) return 0.5;
    let band = 0;
    while (band < bands - 1 && position >= (edges[band + 1] as number)) band++;
    const [start, end] = [edges[band] as number, edges[band + 1] as number];
    const share = end > start ? (position - start) / (end - start) : 0.5;
    return Math.min(1, Math.max(0, (band + share - 0.5) / (bands - 1)));
  };
}

/** Ticks of the upright axis: `value` is a position on it, the label says the loss. */
function heightTicks(scale: ContourScale, low: number, high: number): Tick[] {
  const { kind } = scale;
  const [least, most] = [low, high].map(lossAt(scale)) as [number, number];
  if (!(high > low)) return Number.isFinite(low) ? [{ value: low, label: formatNumber(least) }] : [];
  if (kind === "linear")
    return niceTicks(low, high, 5).map((value) => ({ value, label: formatNumber(value, 6) }));
  const { levels } = scaleOfKind([[least, most]], kind, 6);
  const labels = formatLevels(levels);
  return levels.map((level, index) => ({ value: positionOf(scale)(level), label: labels[index] as string }));
}

type FineGrid = Pick<SurfaceScene, "x" | "y" | "z">;

/** Losses of the snapshots of a path: their own, and of the plane. */
interface PathLosses {
  readonly own: readonly (JsonNumber | null)[];
  readonly plane: readonly (JsonNumber | null)[];
}

function scenePath(
  { run, at }: Path,
  losses: PathLosses,
  grid: FineGrid,
  toX: (alpha: number) => number,
  toY: (beta: number) => number,
  heightOf: (loss: number) => number | null,
): ScenePath {
  const placed = at.map(([alpha = "NaN", beta = "NaN"], index): ScenePathPoint => {
    const [x, y] = [toX(decodeNumber(alpha)), toY(decodeNumber(beta))];
    if (!isInside(grid, x, y)) return { index, plane: null, own: null };
    const surface = heightAt(grid, x, y);
    const known = heightOf(decodeNumber(losses.plane[index] ?? null));
    const plane = known ?? (Number.isNaN(surface) ? null : surface);
    const own = heightOf(decodeNumber(losses.own[index] ?? null));
    return { index, plane: plane === null ? null : [x, y, plane], own: own === null ? null : [x, y, own] };
  });
  return { run, count: placed.length, points: placed, draped: drape(placed, placed.length, grid) };
}

function isInside({ x, y }: FineGrid, px: number, py: number): boolean {
  const within = (value: number, axis: Float64Array): boolean =>
    value >= (axis[0] as number) && value <= (axis[axis.length - 1] as number);
  return within(px, x) && within(py, y);
}

/** Height of the drawn surface at a place, bilinear in its cell; NaN in a hole. */
function heightAt({ x, y, z }: FineGrid, px: number, py: number): number {
  const [i, s] = locate(x, px);
  const [j, t] = locate(y, py);
  const at = (row: number, column: number): number => z[row * x.length + column] as number;
  const near = at(j, i) * (1 - s) + at(j, i + 1) * s;
  const far = at(j + 1, i) * (1 - s) + at(j + 1, i + 1) * s;
  return near * (1 - t) + far * t;
}

function locate(axis: Float64Array, value: number): readonly [index: number, share: number] {
  let index = axis.length - 2;
  while (index > 0 && (axis[index] as number) > value) index--;
  const start = axis[index] as number;
  return [index, (value - start) / ((axis[index + 1] as number) - start)];
}

/** The way from snapshot to snapshot along the surface, with a point at least each grid step. */
function drape(points: readonly ScenePathPoint[], count: number, grid: FineGrid): ScenePoint[][] {
  const step = Math.abs((grid.x[1] as number) - (grid.x[0] as number));
  const pieces: ScenePoint[][] = [[]];
  // Of a long path, a point on the one before adds nothing.
  const near = count > MOST_DOTS ? step / 4 : 0;
  let previous: ScenePoint | null = null;
  for (const { plane } of points) {
    if (plane !== null && previous !== null && distance(plane, previous) < near) continue;
    const piece = pieces[pieces.length - 1] as ScenePoint[];
    if (plane === null) {
      if (piece.length > 0) pieces.push([]);
    } else {
      if (previous !== null) piece.push(...between(previous, plane, step, grid));
      piece.push(plane);
    }
    previous = plane;
  }
  return pieces.filter((piece) => piece.length > 0);
}

function between(from: ScenePoint, to: ScenePoint, step: number, grid: FineGrid): ScenePoint[] {
  const count = Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / step);
  return Array.from({ length: Math.max(0, count - 1) }, (_, k): ScenePoint => {
    const t = (k + 1) / count;
    const [x, y] = [from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1])];
    const height = heightAt(grid, x, y);
    return [x, y, Number.isNaN(height) ? from[2] + t * (to[2] - from[2]) : height];
  });
}

/** Azimuths that are tried for a first view: corners a little from the side, so that no axis is seen end on. */
const AZIMUTHS = [32, -32, 58, -58, 122, -122, 148, -148] as const;

/** Returns the view from which most of the paths is in sight: from `first`, or turned about the upright axis. */
export function bestView(scene: SurfaceScene, first: SceneView): SceneView {
  let best = { view: first, share: -1 };
  const points = scene.paths.flatMap(({ draped }) => draped.flat());
  const stride = Math.max(1, Math.ceil(points.length / 200));
  const tried = points.filter((_, k) => k % stride === 0);
  for (const azimuth of [first.azimuth, ...AZIMUTHS]) {
    const view = { ...first, azimuth };
    const { toward } = createProjection(view, 1, [0, 0]);
    const share = tried.filter((point) => isInSight(scene, point, toward)).length / Math.max(1, tried.length);
    // A turn must be worth it.
    if (share > best.share + 0.04) best = { view, share };
  }
  return best.view;
}

/** Whether no part of the surface lies between a place and the eye. */
function isInSight(grid: FineGrid, [px, py, pz]: ScenePoint, toward: ScenePoint): boolean {
  const step = 2 * Math.abs((grid.x[1] as number) - (grid.x[0] as number));
  for (let t = 1 + step; ; t += step) {
    const [x, y] = [px + t * toward[0], py + t * toward[1]];
    if (!isInside(grid, x, y)) return true;
    if (heightAt(grid, x, y) > pz + 1 + t * toward[2]) return false;
  }
}

/** Steps through the box along the line of sight. */
const STEPS = 400;

/**
 * Returns where on the ground the surface is first met behind a place of the picture, as shares of its
 * width and depth in [0, 1]; null where there is only background.
 */
export function pickSurface(
  { box, x, y, z }: SurfaceScene,
  { view, scale, toScreen }: Projection,
  [px, py]: readonly [number, number],
): { readonly right: number; readonly back: number } | null {
  const [a, b] = [(view.elevation * Math.PI) / 180, (view.azimuth * Math.PI) / 180];
  const [sinA, cosA, sinB, cosB] = [Math.sin(a), Math.cos(a), Math.sin(b), Math.cos(b)];
  const [cx, cy] = toScreen([0, 0, 0]);
  const [u, v] = [(px - cx) / scale, (cy - py) / scale];
  // The point of the sight line in the plane through the box's centre, and the direction to the viewer.
  const base = [u * cosB - v * sinA * sinB, u * sinB + v * sinA * cosB, v * cosA] as const;
  const toward = [cosA * sinB, -cosA * cosB, sinA] as const;
  const reach = Math.hypot(box.width, box.depth, box.height) / 2;
  let wasAbove = false;
  for (let k = 0; k <= STEPS; k++) {
    const t = reach * (1 - (2 * k) / STEPS);
    const right = (base[0] + t * toward[0]) / box.width + 0.5;
    const back = (base[1] + t * toward[1]) / box.depth + 0.5;
    if (right < 0 || right > 1 || back < 0 || back > 1) {
      wasAbove = false;
      continue;
    }
    const i = Math.round(right * (x.length - 1));
    const j = Math.round(back * (y.length - 1));
    const height = z[j * x.length + i] as number;
    const isAbove = base[2] + t * toward[2] >= height;
    if (wasAbove && !isAbove) return { right, back };
    wasAbove = isAbove;
  }
  return null;
}
