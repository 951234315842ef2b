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
