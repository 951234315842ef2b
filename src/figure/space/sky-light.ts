import type { SceneMesh } from "./mesh-builder.js";
import { type Projection, plus, type ScenePoint, times, unit } from "./scene-view.js";

/** A height field over a rectangular grid. */
export interface HeightField {
  /** (w) and (h): places along both axes, equally spaced, increasing. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** (h, w), row-major; NaN is a hole. */
  readonly z: Float64Array;
}

/** Steps in columns and rows that lead from grid point to grid point in 16 directions, counter-clockwise. */
const AZIMUTHS: readonly (readonly [columns: number, rows: number])[] = [
  ...[
    [1, 0],
    [2, 1],
    [1, 1],
    [1, 2],
  ],
  ...[
    [0, 1],
    [-1, 2],
    [-1, 1],
    [-2, 1],
  ],
  ...[
    [-1, 0],
    [-2, -1],
    [-1, -1],
    [-1, -2],
  ],
  ...[
    [0, -1],
    [1, -2],
    [1, -1],
    [2, -1],
  ],
] as [number, number][];

/**
 * Returns the share of the sky that each place of a height field sees, by solid angle, from a horizontal plane: the
 * mean over 16 azimuths of 1 − sin h, where h is the height of the horizon. What lies beyond the grid hides nothing.
 *
 * Azimuths lead from grid point to grid point, so that nothing is interpolated; each counts for the angle around it.
 * The horizon is looked for at growing distances: a small ridge far away can be missed.
 * Cost: O(16 · w · h · log(w + h)) time.
 *
 * @returns (h, w) in [0, 1]: 1 on a plain and in a hole, 1 − sin γ at the apex of a conical pit of slope γ.
 * @see Dozier and Frew 1990 for horizons; Zakšek et al. 2011 for the sky-view factor by solid angle.
 */
export function skyView({ x, y, z }: HeightField): Float64Array {
  const [width, height] = [x.length, y.length];
  const [dx, dy] = [stepOf(x), stepOf(y)];
  const angles = AZIMUTHS.map(([columns, rows]) => Math.atan2(rows * dy, columns * dx));
  const visible = new Float64Array(z.length);
  const horizon = new Float64Array(z.length);
  for (const [k, [columns, rows]] of AZIMUTHS.entries()) {
    const around = (angles[(k + 1) % angles.length] as number) - (angles.at(k - 1) as number);
    const share = ((around + 2 * Math.PI) % (2 * Math.PI)) / (4 * Math.PI);
    horizon.fill(0);
    const far = Math.max(width, height);
    for (let steps = 1; steps < far; steps += Math.max(1, Math.floor(steps / 3)))
      raiseInto(
        horizon,
        z,
        width,
        steps * columns,
        steps * rows,
        steps * Math.hypot(columns * dx, rows * dy),
      );
    for (let at = 0; at < z.length; at++) {
      const slope = horizon[at] as number;
      visible[at] = (visible[at] as number) + share * (1 - slope / Math.sqrt(1 + slope * slope));
    }
  }
  return visible;
}

/** Raises each horizon to the slope at which the field is seen some columns and rows away. */
function raiseInto(
  horizon: Float64Array,
  z: Float64Array,
  width: number,
  columns: number,
  rows: number,
  distance: number,
): void {
  const height = z.length / width;
  const ahead = rows * width + columns;
  for (let j = Math.max(0, -rows); j < Math.min(height, height - rows); j++) {
    for (let i = Math.max(0, -columns); i < Math.min(width, width - columns); i++) {
      const at = j * width + i;
      const slope = ((z[at + ahead] as number) - (z[at] as number)) / distance;
      // Holes are NaN and raise nothing.
      if (slope > (horizon[at] as number)) horizon[at] = slope;
    }
  }
}

function stepOf(axis: Float64Array): number {
  return ((axis[axis.length - 1] as number) - (axis[0] as number)) / Math.max(1, axis.length - 1);
}

/**
 * Returns the unit normals of a height field, (h, w, 3), by Horn's weighted differences over 3 × 3 places. Beyond
 * the edge, and across holes, the field goes on as it is.
 *
 * @see Horn 1981, Hill shading and the reflectance map.
 */
export function hornNormals({ x, y, z }: HeightField): Float32Array {
  const [width, height] = [x.length, y.length];
  const [dx, dy] = [stepOf(x), stepOf(y)];
  const inside = (j: number, i: number): number =>
    j < 0 || i < 0 || j >= height || i >= width ? Number.NaN : (z[j * width + i] as number);
  /** A place, or where the line through the place opposite and the middle leads. */
  const at = (j: number, i: number, dj: number, di: number): number => {
    const value = inside(j + dj, i + di);
    if (!Number.isNaN(value)) return value;
    const middle = z[j * width + i] as number;
    const opposite = inside(j - dj, i - di);
    if (!Number.isNaN(opposite)) return 2 * middle - opposite;
    // At a corner both ends may be missing: the axes tell the slope.
    if (dj !== 0 && di !== 0) return at(j, i, dj, 0) + at(j, i, 0, di) - middle;
    return middle;
  };
  const normals = new Float32Array(3 * z.length);
  for (let j = 0; j < height; j++) {
    for (let i = 0; i < width; i++) {
      const side = (dj: number, di: number): number => at(j, i, dj, di);
      const east = side(-1, 1) + 2 * side(0, 1) + side(1, 1);
      const west = side(-1, -1) + 2 * side(0, -1) + side(1, -1);
      const north = side(1, -1) + 2 * side(1, 0) + side(1, 1);
      const south = side(-1, -1) + 2 * side(-1, 0) + side(-1, 1);
      const [p, q] = [(east - west) / (8 * dx), (north - south) / (8 * dy)];
      const length = Math.hypot(p, q, 1);
      const k = 3 * (j * width + i);
      normals[k] = -p / length;
      normals[k + 1] = -q / length;
      normals[k + 2] = 1 / length;
    }
  }
  return normals;
}

/** Share of the light that comes from the whole sky; the rest comes from the key light. */
export const SKY = 0.5;

/**
 * Returns how bright a face is: the sky that it sees and the key light by Lambert's law, n · l. A face turned to the
 * light under the open sky has 1, so no colour is brighter than in the colour bar.
 *
 * @param sky - share of the sky that it sees.
 * @param facing - n · l.
 */
export function brightness(sky: number, facing: number): number {
  return SKY * sky + (1 - SKY) * Math.max(0, facing);
}

/** Where the key light comes from, as shares of right, up and towards the eye of the picture. */
const KEY = unit([-0.62, 0.66, 0.42]);

/** Returns the unit vector to the key light in the box: it stays at the upper left of the picture however that is turned. */
export function keyLight({ right, up, toward }: Projection): ScenePoint {
  return plus(plus(times(right, KEY[0]), times(up, KEY[1])), times(toward, KEY[2]));
}

/** Returns how bright each corner of a mesh is. Paths are lit less harshly than the surface: their colours are names. */
export function litCorners({ normal, sky }: SceneMesh, [lx, ly, lz]: ScenePoint): Float32Array {
  return sky.map((share, k) => {
    const facing =
      (normal[3 * k] as number) * lx +
      (normal[3 * k + 1] as number) * ly +
      (normal[3 * k + 2] as number) * lz;
    return brightness(share, facing);
  });
}
