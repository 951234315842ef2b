import { InvalidOptionError } from "../errors.js";
import { axisAroundZero, axisFromRange, checkPoints } from "./axis.js";
import type { GridRange } from "./range.js";
import type { Grid } from "./surface.js";

/** Options of {@link createGrid}; either `coordinates` or `range` is needed. */
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
  readonly points?: number | readonly [number, number];
  /** Coordinates taken literally, as `parseRange` gives them; nothing else counts then. Default none. */
  readonly range?: GridRange;
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
 */
export function createGrid(options: GridOptions): Grid {
  const { range, coordinates, dimensions = 2, margin = 0.2, points = 21 } = options;
  if (range !== undefined) return gridFromRange(range);
  if (coordinates === undefined) {
    throw new InvalidOptionError("createGrid", "coordinates of a path, or a range", "neither");
  }
  if (!(Number.isFinite(margin) && margin >= 0)) {
    throw new InvalidOptionError("margin", "a finite number of at least 0", String(margin));
  }
  const counts = typeof points === "number" ? [points, points] : points;
  checkSize(counts[0] as number, dimensions === 1 ? 1 : (counts[1] as number));
  const extents = pathExtents(coordinates, dimensions);
  const axes = extents.map((extent, axis) => {
    checkPoints(axis === 0 ? "points along alpha" : "points along beta", counts[axis] as number, 3);
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
  throw new InvalidOptionError("points", `at most ${MOST_GRID_POINTS} in all`, `${alpha} × ${beta}`);
}

function gridFromRange({ alpha, beta }: GridRange): Grid {
  checkSize(alpha.points, beta?.points ?? 1);
  return {
    alpha: axisFromRange("range along alpha", alpha),
    beta: beta === null ? Float64Array.of(0) : axisFromRange("range along beta", beta),
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
