import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { Directions } from "../directions/directions.js";
import type { Trajectory } from "../directions/project.js";
import { dot } from "../math/row-kernels.js";

/** A loss surface as numbers: rows over beta, columns over alpha. */
export interface SampledSurface {
  readonly alpha: Float64Array;
  readonly beta: Float64Array;
  readonly loss: Float64Array;
}

/**
 * Returns (∂L/∂α, ∂L/∂β) of a sampled surface at any point inside the grid.
 *
 * Derivatives at the grid points are differences of second order (central inside, three-point at the edges),
 * and are interpolated bilinearly in between: exact for a quadratic loss on a uniform grid. NaN outside the
 * grid and where a value that enters is not finite.
 */
export function surfaceGradient(
  { alpha, beta, loss }: SampledSurface,
  a: number,
  b: number,
): readonly [number, number] {
  const width = alpha.length;
  const [i, u] = cellOf(alpha, a);
  const [j, v] = cellOf(beta, b);
  if (i < 0 || j < 0) return [Number.NaN, Number.NaN];
  const row = (y: number) => (x: number) => loss[y * width + x];
  const column = (x: number) => (y: number) => loss[y * width + x];
  const mix = (at: (x: number, y: number) => number): number => {
    let sum = 0;
    for (const [x, wx] of weights(i, u)) for (const [y, wy] of weights(j, v)) sum += wx * wy * at(x, y);
    return sum;
  };
  return [mix((x, y) => derivative(alpha, row(y), x)), mix((x, y) => derivative(beta, column(x), y))];
}

/** The two grid lines next to a position, without one of weight 0, whose values must not enter. */
function weights(index: number, share: number): readonly (readonly [number, number])[] {
  const both = [
    [index, 1 - share],
    [index + 1, share],
  ] as const;
  return both.filter(([, weight]) => weight !== 0);
}

/** Index of the cell and place in it, or −1 outside. A hair outside by rounding counts as the edge. */
function cellOf(axis: Float64Array, at: number): [number, number] {
  const last = axis.length - 1;
  if (last < 2) return [-1, 0];
  const step = (axis[last] - axis[0]) / last;
  const place = (at - axis[0]) / step;
  if (!(place >= -1e-9 && place <= last + 1e-9)) return [-1, 0];
  const index = Math.min(last - 1, Math.max(0, Math.floor(place)));
  return [index, Math.min(1, Math.max(0, place - index))];
}

function derivative(axis: Float64Array, value: (index: number) => number, at: number): number {
  const last = axis.length - 1;
  const step = (axis[last] - axis[0]) / last;
  if (at === 0) return (-3 * value(0) + 4 * value(1) - value(2)) / (2 * step);
  if (at === last) return (3 * value(last) - 4 * value(last - 1) + value(last - 2)) / (2 * step);
  return (value(at + 1) - value(at - 1)) / (2 * step);
}

/** How each step of a path lies to the slope of the surface under it. */
export interface StepAngles {
  /**
   * Angle in degrees between step i → i + 1 in the plane and the steepest descent at snapshot i (N − 1):
   * 0 straight down, across the contours; 90 along them; 180 straight up. NaN where the path is off the grid,
   * a loss there is not finite, or step or slope vanish.
   */
  readonly degrees: Float64Array;
  /**
   * How far each angle may be off, in degrees (N − 1): how far the slope could turn by its difference from that on
   * the grid of every second row and column. The slope comes from differences of the grid, whose error grows with
   * the square of its step, so that this is some three times the error of a smooth surface; 180 where the slope is
   * lost in it, NaN where the coarser grid has fewer than three points a side or does not reach. Absent in older files.
   */
  readonly error?: Float64Array;
  /** Length of each step within the plane, in units of weight space (N − 1). */
  readonly inPlaneStep: Float64Array;
  /** Norm of the in-plane gradient at each step's start, in loss per unit of weight space (N − 1). */
  readonly gradientNorm: Float64Array;
}

/**
 * Returns the angle between each step of a projected path and the direction of steepest descent within the
 * plane.
 *
 * Steps early in training go across the contours; later ones turn along them, until a lower learning rate
 * makes a kink. With directions of any lengths and angles, angles and lengths are those of weight space: the
 * slope in grid coordinates g is the vector G⁻¹g, with G the directions' inner products. Snapshots an epoch
 * apart show the net step of that epoch only. The slope is that of the sampled surface: where the loss bends
 * within a few grid steps angles are off by several degrees; `error` says by how much, roughly.
 *
 * @param trajectory - coordinates on the plane (N, 2).
 * @param surface - the loss over the same plane, on a uniform grid of at least 3 × 3.
 * @throws {@link InvalidDataError} if the trajectory is not on a plane; {@link InvalidOptionError} if the grid is
 * too small or there are not two directions.
 * @see Li et al. 2018, appendix B.2.
 */
export function stepAngles(
  trajectory: Pick<Trajectory, "coordinates" | "dimensions">,
  surface: SampledSurface,
  { vectors }: Pick<Directions, "vectors">,
): StepAngles {
  const { coordinates, dimensions } = trajectory;
  if (dimensions !== 2) throw new InvalidDataError("trajectory", "coordinates on a plane", `${dimensions}`);
  if (vectors.length < 2) throw new InvalidOptionError("directions", "two vectors", String(vectors.length));
  if (surface.alpha.length < 3 || surface.beta.length < 3) {
    const got = `${surface.alpha.length} × ${surface.beta.length}`;
    throw new InvalidOptionError("surface", "a grid of at least 3 × 3 points", got);
  }
  const [xx, xy, yy] = [
    dot(vectors[0], vectors[0]),
    dot(vectors[0], vectors[1]),
    dot(vectors[1], vectors[1]),
  ];
  const determinant = xx * yy - xy * xy;
  const steps = Math.max(0, coordinates.length / 2 - 1);
  const degrees = new Float64Array(steps);
  const error = new Float64Array(steps);
  const coarse = everySecond(surface);
  const inPlaneStep = new Float64Array(steps);
  const gradientNorm = new Float64Array(steps);
  for (let i = 0; i < steps; i++) {
    const [a, b, nextA, nextB] = coordinates.subarray(2 * i, 2 * i + 4);
    const [u, v] = [nextA - a, nextB - b];
    const length = Math.sqrt(xx * u * u + 2 * xy * u * v + yy * v * v);
    const norm = (x: number, y: number) =>
      Math.sqrt((yy * x * x - 2 * xy * x * y + xx * y * y) / determinant);
    const [g, h] = surfaceGradient(surface, a, b);
    const [coarseG, coarseH] = surfaceGradient(coarse, a, b);
    const slope = norm(g, h);
    const cosine = -(u * g + v * h) / (length * slope);
    degrees[i] = (Math.acos(Math.min(1, Math.max(-1, cosine))) * 180) / Math.PI;
    const turn = norm(coarseG - g, coarseH - h) / slope;
    error[i] = turn < 1 ? (Math.asin(turn) * 180) / Math.PI : turn >= 1 ? 180 : Number.NaN;
    inPlaneStep[i] = length;
    gradientNorm[i] = slope;
  }
  return { degrees, error, inPlaneStep, gradientNorm };
}

/** Every second row and column of a sampled surface. */
function everySecond({ alpha, beta, loss }: SampledSurface): SampledSurface {
  const isKept = (_: number, i: number): boolean => i % 2 === 0;
  const width = alpha.length;
  return {
    alpha: alpha.filter(isKept),
    beta: beta.filter(isKept),
    loss: loss.filter((_, i) => (i % width) % 2 === 0 && Math.floor(i / width) % 2 === 0),
  };
}
