import type { Directions } from "../directions/directions.js";
import { InvalidDataError, InvalidOptionError } from "../errors.js";
import { dot } from "../math/row-kernels.js";
import { type SampledSurface, surfaceGradient } from "./surface-gradient.js";
import type { Trajectory } from "./trajectory.js";

/** How each step of a path lies to the slope of the surface under it. */
export interface StepAngles {
  /**
   * Angle in degrees between step i → i + 1 in the plane and the steepest descent at snapshot i (N − 1):
   * 0 straight down, across the contours; 90 along them; 180 straight up. NaN where the path is off the grid,
   * a loss there is not finite, or step or slope vanish.
   */
  readonly degrees: Float64Array;
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
 * apart show the net step of that epoch only.
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
  const inPlaneStep = new Float64Array(steps);
  const gradientNorm = new Float64Array(steps);
  for (let i = 0; i < steps; i++) {
    const [a, b, nextA, nextB] = coordinates.subarray(2 * i, 2 * i + 4);
    const [u, v] = [nextA - a, nextB - b];
    const [g, h] = surfaceGradient(surface, a, b);
    const length = Math.sqrt(xx * u * u + 2 * xy * u * v + yy * v * v);
    const slope = Math.sqrt((yy * g * g - 2 * xy * g * h + xx * h * h) / determinant);
    const cosine = -(u * g + v * h) / (length * slope);
    degrees[i] = (Math.acos(Math.min(1, Math.max(-1, cosine))) * 180) / Math.PI;
    inPlaneStep[i] = length;
    gradientNorm[i] = slope;
  }
  return { degrees, inPlaneStep, gradientNorm };
}
