import type { FigurePoint } from "./figure.js";

/** True for the snapshot that is the centre of the plane: no distance to it, so no share of it. */
export function isCenter(point: FigurePoint): boolean {
  return point.alpha === 0 && point.beta === 0 && point.distance === 0;
}
