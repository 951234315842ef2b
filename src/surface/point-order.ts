import { InvalidOptionError } from "../errors.js";
import { coarseToFine } from "./coarse-to-fine.js";
import type { Grid } from "./surface.js";

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
