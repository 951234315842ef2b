import { InvalidOptionError } from "../base/errors.js";
import { refuseRenamed } from "../base/option-names.js";
import { coarseToFine } from "./coarse-to-fine.js";
import type { Grid } from "./surface.js";

/** Literal coordinates along an axis: `size` of them from `from` to `to`, both included. */
export interface AxisGrid {
  readonly from: number;
  readonly to: number;
  readonly size: number;
}

/**
 * Returns literal coordinates along an axis; both ends are exact, and so is 0 where they step on it.
 *
 * @throws {@link InvalidOptionError} if they are upside down, not finite or of less than 2 points.
 */
export function axisOfGrid(where: string, axis: AxisGrid): Float64Array {
  refuseRenamed(axis, "axis");
  const { from, to, size } = axis;
  if (!Number.isFinite(from) || !Number.isFinite(to) || from >= to) {
    throw new InvalidOptionError(where, "two finite numbers, the smaller first", `${from} to ${to}`);
  }
  checkPoints(where, size, 2);
  const last = size - 1;
  const tolerance = (to - from) * 1e-12;
  return Float64Array.from({ length: size }, (_, i) => {
    const value = (from * (last - i) + to * i) / last;
    return Math.abs(value) < tolerance ? 0 : value;
  });
}

/**
 * Returns coordinates (i − i₀)·h, with 0 exactly at i₀, that cover [low, high] with the smallest step h.
 *
 * @param low - at most 0.
 * @param high - at least 0.
 */
export function axisAroundZero(low: number, high: number, points: number): Float64Array {
  let origin = 0;
  let step = Number.POSITIVE_INFINITY;
  for (let i = 0; i < points; i++) {
    const needed = Math.max(stepToReach(-low, i), stepToReach(high, points - 1 - i));
    if (needed < step) {
      step = needed;
      origin = i;
    }
  }
  return Float64Array.from({ length: points }, (_, i) => (i - origin) * step);
}

/** The step with which `steps` steps reach `distance`; (i − i₀)·h is never rounded to less than it. */
function stepToReach(distance: number, steps: number): number {
  if (distance === 0) return 0;
  if (steps === 0) return Number.POSITIVE_INFINITY;
  const step = distance / steps;
  return step * steps >= distance ? step : step * (1 + Number.EPSILON);
}

/** Points of an axis at most: no picture shows more, and a mistyped number must not take all memory. */
const MOST_POINTS = 100_000;

/** Checks a number of grid points. */
export function checkPoints(where: string, points: number, least: number): void {
  if (Number.isInteger(points) && points >= least && points <= MOST_POINTS) return;
  const bound = points > MOST_POINTS ? `at most ${MOST_POINTS}` : `at least ${least}`;
  throw new InvalidOptionError(where, `a whole number of points, ${bound}`, String(points));
}

/** A grid of literal coordinates, axis by axis; `beta` is null for a line. */
export interface GridAxes {
  readonly alpha: AxisGrid;
  readonly beta: AxisGrid | null;
}

const FORM = '"x0:x1:nx,y0:y1:ny", such as "-1:1:21,-0.5:2:26"';

/**
 * Parses the grid of a plane, "x0:x1:nx,y0:y1:ny", or of a line, "x0:x1:nx": from, to (both included) and the
 * number of points along alpha, then along beta.
 *
 * @throws {@link InvalidOptionError} naming what is wrong.
 * @example const { alpha, beta } = parseGrid("-1:1:25,-1:1:25");
 */
export function parseGrid(text: string): GridAxes {
  const axes = text.split(",");
  if (axes.length > 2) throw new InvalidOptionError("grid", FORM, JSON.stringify(text));
  const [alpha, beta] = axes.map((axis, i) => parseAxis(axis, i === 0 ? "alpha" : "beta", text));
  return { alpha: alpha as AxisGrid, beta: beta ?? null };
}

function parseAxis(axis: string, name: string, text: string): AxisGrid {
  const parts = axis.split(":").map((part) => part.trim());
  const [from, to, size] = parts.map(Number);
  if (parts.length !== 3 || parts.includes("") || [from, to, size].some(Number.isNaN)) {
    throw new InvalidOptionError("grid", FORM, JSON.stringify(text));
  }
  const grid = { from: from as number, to: to as number, size: size as number };
  axisOfGrid(`grid along ${name}`, grid);
  return grid;
}

/** Room beyond the path on each side, as a share of its extent. */
export const DEFAULT_MARGIN = 0.2;
/** Points along each axis, unless asked for otherwise. */
export const DEFAULT_SIZE = 21;

/** Options of {@link createGrid}; either `coordinates` or `grid` is needed. */
export interface GridOptions {
  /** Coordinates of the path (N, dimensions), row-major; the grid covers them and (0, 0). */
  readonly coordinates?: ArrayLike<number>;
  /** Coordinates per row of `coordinates`: 2 for a plane, 1 for a line. Default 2. */
  readonly dimensions?: 1 | 2;
  /**
   * Room beyond the path on each side, as a share of its extent along the axis. Default 0.2: end points lie
   * inside the picture, with ground to see around them.
   */
  readonly margin?: number;
  /** Points along each axis, one number or [alpha, beta]; at least 3. Default 21. */
  readonly size?: number | readonly [number, number];
  /** Coordinates taken literally, as `parseGrid` gives them; nothing else counts then. Default none. */
  readonly grid?: GridAxes;
}

/** An extent below this share of the other axis's is rounding noise of a straight path. */
const STRAIGHT = 1e-6;

/** An extent below this is none: coordinates that come from float32 weights do not reach it. */
const NONE = 1e-30;

/**
 * Returns a uniform grid around a path: alpha[i] = (i − i₀)·h with alpha[i₀] = 0 exactly, per axis, covering
 * the path and its margin with the smallest step that does. Where the path does not move along an axis, the
 * grid reaches half the other axis's extent to both sides (1 where it moves along neither).
 *
 * @throws {@link InvalidOptionError} if coordinates are not finite, or an option cannot be used.
 * @example const grid = createGrid({ coordinates, margin: 0.2 });
 */
export function createGrid(options: GridOptions): Grid {
  refuseRenamed(options, "grid");
  const { grid, coordinates, dimensions = 2, margin = DEFAULT_MARGIN, size = DEFAULT_SIZE } = options;
  if (grid !== undefined) return literalGrid(grid);
  if (coordinates === undefined) {
    throw new InvalidOptionError("createGrid", "coordinates of a path, or a grid", "neither");
  }
  if (!(Number.isFinite(margin) && margin >= 0)) {
    throw new InvalidOptionError("margin", "a finite number of at least 0", String(margin));
  }
  const counts = typeof size === "number" ? [size, size] : size;
  checkSize(counts[0] as number, dimensions === 1 ? 1 : (counts[1] as number));
  const extents = pathExtents(coordinates, dimensions);
  const axes = extents.map((extent, axis) => {
    checkPoints(axis === 0 ? "size along alpha" : "size along beta", counts[axis] as number, 3);
    const { low, high } = widened(extent, extents[1 - axis]);
    const room = margin * (high - low);
    return axisAroundZero(low - room, high + room, counts[axis] as number);
  });
  return { alpha: axes[0] as Float64Array, beta: axes[1] ?? Float64Array.of(0) };
}

/** Points of a grid at most (2048 × 2048): its values are held in memory. */
const MOST_GRID_POINTS = 2 ** 22;

function checkSize(alpha: number, beta: number): void {
  if (!(alpha * beta > MOST_GRID_POINTS)) return;
  throw new InvalidOptionError("size", `at most ${MOST_GRID_POINTS} in all`, `${alpha} × ${beta}`);
}

function literalGrid({ alpha, beta }: GridAxes): Grid {
  checkSize(alpha.size, beta?.size ?? 1);
  return {
    alpha: axisOfGrid("grid along alpha", alpha),
    beta: beta === null ? Float64Array.of(0) : axisOfGrid("grid along beta", beta),
  };
}

interface Extent {
  readonly low: number;
  readonly high: number;
}

/** The extent of a path, with the origin, along each axis. */
function pathExtents(coordinates: ArrayLike<number>, dimensions: number): Extent[] {
  if (coordinates.length === 0 || coordinates.length % dimensions !== 0) {
    const expected = `N × ${dimensions} numbers`;
    throw new InvalidOptionError("coordinates", expected, `${coordinates.length} numbers`);
  }
  return Array.from({ length: dimensions }, (_, axis) => {
    let low = 0;
    let high = 0;
    for (let i = axis; i < coordinates.length; i += dimensions) {
      const value = coordinates[i] as number;
      if (!Number.isFinite(value)) {
        const got = `${value} for snapshot ${Math.floor(i / dimensions)}`;
        throw new InvalidOptionError("coordinates", "finite numbers", got);
      }
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    return { low, high };
  });
}

function widened(extent: Extent, other: Extent | undefined): Extent {
  const width = extent.high - extent.low;
  const otherWidth = other === undefined ? 0 : other.high - other.low;
  if (width > Math.max(STRAIGHT * otherWidth, NONE)) return extent;
  const half = otherWidth > NONE ? otherWidth / 2 : 1;
  return { low: -half, high: half };
}

/** Returns the flat indices of all grid points in an order. */
export type PointOrder = (width: number, height: number) => Iterable<number>;

/**
 * Returns the order in which the points of a grid are evaluated, by default from coarse to fine.
 *
 * @throws {@link InvalidOptionError} if an order does not have each point once.
 */
export function pointOrder({ alpha, beta }: Grid, order: PointOrder = coarseToFine): readonly number[] {
  const points = alpha.length * beta.length;
  const indices = [...order(alpha.length, beta.length)];
  const valid = indices.filter((index) => Number.isInteger(index) && index >= 0 && index < points);
  if (indices.length === points && new Set(valid).size === points) return indices;
  throw new InvalidOptionError("order", `each of ${points} grid points once`, `${indices.length} indices`);
}

/** Flat index of the point (0, 0), or −1 where the grid does not have it. */
export function originIndex({ alpha, beta }: Grid): number {
  const i = alpha.indexOf(0);
  const j = beta.indexOf(0);
  return i === -1 || j === -1 ? -1 : j * alpha.length + i;
}
