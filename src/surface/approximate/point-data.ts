import { createUniform } from "../../math/random.js";
import type { Estimate } from "./estimate.js";
import type { Stencils } from "./stencils.js";

/** What is known of a grid point. */
export const UNKNOWN = 0;
/** Evaluated on the subsample. */
export const SAMPLED = 1;
/** Evaluated on all samples. */
export const EXACT = 2;

/** The knowledge of one quantity (the loss, or a metric) over a grid. */
export interface QuantityData {
  /** Value over all samples (H·W); NaN where the point is not EXACT. */
  readonly exact: Float64Array;
  /** Values on the subsample, sample by sample (H·W); null where it has not been evaluated. */
  readonly samples: (Float64Array | null)[];
}

/** The knowledge of all quantities over a grid. */
export interface PointData {
  readonly width: number;
  readonly height: number;
  /** UNKNOWN, SAMPLED or EXACT (H·W). */
  readonly state: Uint8Array;
  readonly loss: QuantityData;
  readonly metrics: Readonly<Record<string, QuantityData>>;
}

/** Makes a grid of which nothing is known. */
export function createPointData(width: number, height: number, metricNames: readonly string[]): PointData {
  const points = width * height;
  const quantity = (): QuantityData => ({
    exact: new Float64Array(points).fill(Number.NaN),
    samples: new Array<Float64Array | null>(points).fill(null),
  });
  return {
    width,
    height,
    state: new Uint8Array(points),
    loss: quantity(),
    metrics: Object.fromEntries(metricNames.map((name) => [name, quantity()])),
  };
}

/** The flat indices of the points of a state. */
export function pointsOf({ state }: PointData, wanted: number): number[] {
  return Array.from(state.keys()).filter((point) => state[point] === wanted);
}

/** The ends of the grid, which no other points surround. */
export function cornersOf({ width, height }: Pick<PointData, "width" | "height">): ReadonlySet<number> {
  const last = (height - 1) * width;
  return new Set([0, width - 1, last, last + width - 1]);
}

/** A point to be evaluated next, and how: SAMPLED or EXACT. */
export interface ChosenPoint {
  readonly point: number;
  readonly state: number;
}

/** Points on a side of a plane's first lattice. */
const SIDE = 5;
/** Points of the first lattice of a line at most. */
const ON_LINE = 7;

/**
 * The first points to know, which reach the ends of the grid: on a plane nine and the four between them, or nine
 * alone where these are too many; on a line up to seven.
 *
 * @param most - points that may be evaluated, roughly: nine (three of a line) are there in any case.
 */
export function latticePoints({ width, height }: PointData, most: number): number[] {
  const cross = (columns: readonly number[], rows: readonly number[]): number[] =>
    rows.flatMap((row) => columns.map((column) => row * width + column));
  if (height === 1) return spread(width, Math.max(3, Math.min(ON_LINE, Math.floor(most))));
  const outer = cross(spread(width, 3), spread(height, 3));
  if (Math.min(width, height) < SIDE || most < outer.length + 4) return outer;
  const [columns, rows] = [spread(width, SIDE), spread(height, SIDE)];
  return [...outer, ...cross([columns[1], columns[3]], [rows[1], rows[3]])];
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
  /** Most of them to evaluate on all samples. */
  readonly exactCount: number;
}

/**
 * Chooses the points whose error is largest, and too large: each is evaluated on the subsample as long as the
 * sampling error that would be left is small enough, on all samples where it is not, which takes some
 * thirty times as long for 10,000 samples. Two points are no closer to each other than to what is known.
 */
export function choosePoints(
  data: PointData,
  { errors, sampling }: Estimate,
  { tolerance, hasSubsample, stencils, count, exactCount }: ChoiceOptions,
): ChosenPoint[] {
  const { state } = data;
  const exact = pointsOf(data, EXACT);
  const known = [...exact, ...pointsOf(data, SAMPLED)];
  const candidates = Array.from(errors.keys())
    .filter((point) => state[point] !== EXACT && errors[point] > tolerance)
    .sort((a, b) => (errors[b] > errors[a] ? 1 : errors[b] < errors[a] ? -1 : a - b));
  const chosen: ChosenPoint[] = [];
  let exactLeft = exactCount;
  for (const point of candidates) {
    if (chosen.length >= count) break;
    const needsExact = !hasSubsample || state[point] === SAMPLED || sampling[point] > tolerance;
    if (needsExact && exactLeft === 0) continue;
    const among = state[point] === UNKNOWN && !needsExact ? known : exact;
    const [nearest] = stencils.nearest(point, among, 1);
    const room = nearest === undefined ? 1 : stencils.distance(point, nearest);
    if (chosen.some((other) => stencils.distance(point, other.point) < room)) continue;
    if (needsExact) exactLeft--;
    chosen.push({ point, state: needsExact ? EXACT : SAMPLED });
  }
  return chosen;
}
