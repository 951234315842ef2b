import type { Surface } from "./surface.js";

/** How an axis is refined: both ends first, then again and again the middle of what lies between. */
export interface AxisRefinement {
  /** Refinement (W) that brings each index: 0 for the ends. */
  readonly level: Int32Array;
  /** The two indices of lower levels (W) between which each one lies; an end lies between itself. */
  readonly low: Int32Array;
  readonly high: Int32Array;
}

/** Returns how an axis of `length` points is refined. */
export function refineAxis(length: number): AxisRefinement {
  const level = new Int32Array(length);
  const [low, high] = [0, 1].map(() => Int32Array.from({ length }, (_, i) => i)) as [Int32Array, Int32Array];
  let intervals: (readonly [number, number])[] = [[0, length - 1]];
  for (let depth = 1; intervals.length > 0; depth++) {
    const halves: (readonly [number, number])[] = [];
    for (const [from, to] of intervals) {
      if (to - from < 2) continue;
      const middle = (from + to) >> 1;
      level[middle] = depth;
      low[middle] = from;
      high[middle] = to;
      halves.push([from, middle], [middle, to]);
    }
    intervals = halves;
  }
  return { level, low, high };
}

/**
 * Returns the flat indices j·W + i of a grid from coarse to fine, so that every beginning of the order is a
 * usable picture: corners, middle, middles of edges, and so on, each refinement halving the gaps. Within a
 * refinement, cells' middles come before edges', and neighbours in the order lie far apart.
 *
 * @example const order = coarseToFine(25, 25); // corners first
 */
export function coarseToFine(width: number, height: number): number[] {
  const [x, y] = [refineAxis(width), refineAxis(height)];
  const groups: number[][] = [];
  for (let j = 0; j < height; j++) {
    for (let i = 0; i < width; i++) {
      const [a, b] = [x.level[i] as number, y.level[j] as number];
      const group = 2 * Math.max(a, b) + (a === b ? 0 : 1);
      groups[group] ??= [];
      (groups[group] as number[]).push(j * width + i);
    }
  }
  return groups.flatMap((points) => spread(points ?? [], width));
}

/** Puts points into the order of reversed ranks along a curve that keeps neighbours together. */
function spread(points: readonly number[], width: number): number[] {
  const codes = new Map(points.map((index) => [index, zCode(index % width, Math.floor(index / width))]));
  const along = [...points].sort((a, b) => (codes.get(a) as number) - (codes.get(b) as number));
  const bits = Math.ceil(Math.log2(Math.max(1, along.length)));
  const order: number[] = [];
  for (let k = 0; k < 2 ** bits; k++) {
    const index = along[reversed(k, bits)];
    if (index !== undefined) order.push(index);
  }
  return order;
}

/** Place on the Z-shaped curve: the bits of both coordinates in turn. */
function zCode(i: number, j: number): number {
  let code = 0;
  for (let bit = 0, weight = 1; bit < 24; bit++, weight *= 4) {
    code += ((i >> bit) & 1) * weight + ((j >> bit) & 1) * 2 * weight;
  }
  return code;
}

/** The lowest `bits` bits, last first. */
function reversed(value: number, bits: number): number {
  let result = 0;
  for (let bit = 0; bit < bits; bit++) result = result * 2 + ((value >> bit) & 1);
  return result;
}

/**
 * Returns a surface that stopped early with the points in between filled in, for pictures: each missing value
 * is interpolated linearly between the coarser grid points around it, as the order of evaluation refines them.
 * Evaluated values stay; a complete surface is returned as it is.
 *
 * The result still says which values were computed (`partial`).
 *
 * @example const whole = fillPartial(surface); // for a picture only
 */
export function fillPartial(surface: Surface): Surface {
  const { partial, loss, metrics } = surface;
  if (partial === undefined) return surface;
  const fill = filler(surface.alpha, surface.beta, partial.evaluated);
  return {
    ...surface,
    loss: fill(loss),
    metrics: Object.fromEntries(Object.entries(metrics).map(([name, values]) => [name, fill(values)])),
  };
}

function filler(alpha: Float64Array, beta: Float64Array, evaluated: Uint8Array) {
  const [x, y] = [refineAxis(alpha.length), refineAxis(beta.length)];
  const width = alpha.length;
  const missing = Array.from(evaluated.keys()).filter((index) => evaluated[index] === 0);
  const levelOf = (index: number) =>
    Math.max(x.level[index % width] as number, y.level[Math.floor(index / width)] as number);
  missing.sort((a, b) => levelOf(a) - levelOf(b));
  return (values: Float64Array): Float64Array => {
    const filled = values.slice();
    for (const index of missing) {
      const [i, j] = [index % width, Math.floor(index / width)];
      const level = levelOf(index);
      const columns = around(alpha, x, i, level);
      const rows = around(beta, y, j, level);
      let value = 0;
      for (const row of rows) {
        for (const column of columns) {
          value += row.share * column.share * (filled[row.index * width + column.index] as number);
        }
      }
      // A corner has nothing coarser around it.
      filled[index] = level === 0 ? nearest(values, evaluated, index, width) : value;
    }
    return filled;
  };
}

/** The coordinates of lower level around one, with shares; itself if it is of lower level. */
function around(
  axis: Float64Array,
  { level, low, high }: ReturnType<typeof refineAxis>,
  at: number,
  now: number,
): { readonly index: number; readonly share: number }[] {
  if ((level[at] as number) < now) return [{ index: at, share: 1 }];
  const [from, to] = [low[at] as number, high[at] as number];
  const share =
    ((axis[at] as number) - (axis[from] as number)) / ((axis[to] as number) - (axis[from] as number));
  return [
    { index: from, share: 1 - share },
    { index: to, share },
  ];
}

/** The evaluated value that lies nearest on the grid; NaN if there is none. */
function nearest(values: Float64Array, evaluated: Uint8Array, index: number, width: number): number {
  let best = Number.POSITIVE_INFINITY;
  let value = Number.NaN;
  for (const [other, isKnown] of evaluated.entries()) {
    if (isKnown === 0) continue;
    const across = (other % width) - (index % width);
    const up = Math.floor(other / width) - Math.floor(index / width);
    const distance = across * across + up * up;
    if (distance >= best) continue;
    best = distance;
    value = values[other] as number;
  }
  return value;
}
