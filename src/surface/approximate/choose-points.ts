import { createUniform } from "../../math/random.js";
import type { Estimate } from "./estimate.js";
import { EXACT, type PointData, pointsOf, SAMPLED, UNKNOWN } from "./point-data.js";
import type { Stencils } from "./stencils.js";

/** A point to be evaluated next, and how: SAMPLED or EXACT. */
export interface ChosenPoint {
  readonly point: number;
  readonly state: number;
}

/** A lattice of `count` columns (and rows, of a plane) that reaches the ends of the grid. */
export function latticePoints({ width, height }: PointData, count: number): number[] {
  const columns = spread(width, count);
  return spread(height, count).flatMap((row) => columns.map((column) => row * width + column));
}

function spread(length: number, count: number): number[] {
  const steps = Math.min(length, count) - 1;
  if (steps < 1) return [0];
  return Array.from({ length: steps + 1 }, (_, i) => Math.round((i * (length - 1)) / steps));
}

/** Draws points at random among some, each equally likely. */
export function drawPoints(among: readonly number[], count: number, seed: number, key: string): number[] {
  const random = createUniform(seed, "points", key);
  const pool = [...among];
  const drawn = Math.min(count, pool.length);
  for (let i = 0; i < drawn; i++) {
    const other = i + Math.floor(random() * (pool.length - i));
    [pool[i], pool[other]] = [pool[other], pool[i]];
  }
  return pool.slice(0, drawn);
}

/** How points are chosen. */
export interface ChoiceOptions {
  /** Error that is small enough. */
  readonly tolerance: number;
  /** Whether there is a subsample to evaluate. */
  readonly hasSubsample: boolean;
  readonly stencils: Stencils;
  /** Most points to choose. */
  readonly count: number;
}

/**
 * Chooses the points whose error is largest, and too large: each is evaluated on the subsample where
 * interpolation makes most of its error, on all samples where sampling does. Two points are no closer to each
 * other than to what is known.
 */
export function choosePoints(
  data: PointData,
  { errors, sampling }: Estimate,
  { tolerance, hasSubsample, stencils, count }: ChoiceOptions,
): ChosenPoint[] {
  const { state } = data;
  const exact = pointsOf(data, EXACT);
  const known = [...exact, ...pointsOf(data, SAMPLED)];
  const candidates = Array.from(errors.keys())
    .filter((point) => state[point] !== EXACT && errors[point] > tolerance)
    .sort((a, b) => (errors[b] > errors[a] ? 1 : errors[b] < errors[a] ? -1 : a - b));
  const chosen: ChosenPoint[] = [];
  for (const point of candidates) {
    if (chosen.length >= count) break;
    const interpolation = errors[point] - sampling[point];
    const isSampled = state[point] === SAMPLED;
    const needsExact =
      !hasSubsample || isSampled || (sampling[point] > tolerance / 2 && sampling[point] > interpolation);
    const among = state[point] === UNKNOWN && !needsExact ? known : exact;
    const [nearest] = stencils.nearest(point, among, 1);
    const room = nearest === undefined ? 1 : stencils.distance(point, nearest);
    if (chosen.some((other) => stencils.distance(point, other.point) < room)) continue;
    chosen.push({ point, state: needsExact ? EXACT : SAMPLED });
  }
  return chosen;
}
