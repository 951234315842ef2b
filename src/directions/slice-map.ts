import type { Directions } from "./directions.js";
import { createPlanePoint, type PlanePoint } from "./plane-point.js";

/**
 * Where the points of a slice lie in weight space: any function from grid coordinates to θ.
 *
 * A plane through θ* is one (`Directions` are taken as that); a bilinear surface, which is not affine in
 * its coordinates, is another.
 */
export interface SliceMap {
  /** θ at (0, 0) (parameterCount). */
  readonly center: Float32Array;
  /**
   * Writes θ at the coordinates into `out` (parameterCount), every entry, each computed in float64 and
   * rounded once. At (0, 0) it is `center` bit for bit.
   */
  writeInto(out: Float32Array, alpha: number, beta: number): void;
}

/** What a slice can be taken of: directions through θ*, or any map of points. */
export type SlicePoints = Pick<Directions, "center" | "vectors"> | SliceMap;

/** Whether points are given by a map rather than by directions. */
export function isSliceMap(points: SlicePoints): points is SliceMap {
  return typeof (points as Partial<SliceMap>).writeInto === "function";
}

/** Makes a reused buffer for the points of a slice. */
export function createSlicePoint(slice: SlicePoints): PlanePoint {
  if (!isSliceMap(slice)) return createPlanePoint(slice);
  const theta = Float32Array.from(slice.center);
  return { theta, moveTo: (alpha = 0, beta = 0) => slice.writeInto(theta, alpha, beta) };
}
