import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import { barriersOf } from "./barrier.js";
import type { Connection } from "./connection.js";
import type { PathLosses } from "./path-losses.js";

/** A pair of solutions, by their numbers, and how high the best known path between them rises. */
export interface TreeEdge {
  readonly pair: readonly [number, number];
  /** Largest loss along the path; may be infinite, not NaN. */
  readonly height: number;
}

/**
 * Returns the edges of a minimum spanning tree: between any two solutions, the path through it has the lowest largest
 * loss of all paths over the known pairs.
 *
 * Kruskal's algorithm, O(E·log E); of equal heights the earlier pair counts.
 *
 * @param count - number of solutions.
 * @param edges - known pairs; together they must join all solutions.
 * @throws {@link InvalidDataError} if a height is NaN, or solutions are left apart.
 * @see Draxler et al. 2018, section 3.3.
 * @example const tree = spanningTree(3, [{ pair: [0, 1], height: 0.4 }, { pair: [0, 2], height: 0.2 }, { pair: [1, 2], height: 0.3 }]); // the last two
 */
export function spanningTree(count: number, edges: readonly TreeEdge[]): TreeEdge[] {
  const bad = edges.find(({ height }) => Number.isNaN(height));
  if (bad !== undefined) throw new InvalidDataError(`pair ${bad.pair.join(", ")}`, "a largest loss", "NaN");
  const tree = grownFrom(count, edges);
  if (tree.length === count - 1) return tree;
  throw new InvalidDataError("tree", `${count - 1} pairs that join ${count} solutions`, `${tree.length}`);
}

function grownFrom(count: number, edges: readonly TreeEdge[]): TreeEdge[] {
  const parts = Array.from({ length: count }, (_, i) => i);
  return [...edges]
    .sort((a, b) => a.height - b.height)
    .filter(({ pair: [i, j] }) => {
      const [from, to] = [parts[i], parts[j]];
      if (from === to) return false;
      parts.forEach((part, k) => {
        if (part === from) parts[k] = to;
      });
      return true;
    });
}

/**
 * Returns the pair that is worth looking at next: first each solution with solution 0; then, across the highest edge of
 * the tree, the first pair that is not known.
 *
 * @returns null where every pair is known.
 * @see Draxler et al. 2018, section 3.3: the tree is improved at its highest saddle.
 */
export function nextPair(count: number, edges: readonly TreeEdge[]): readonly [number, number] | null {
  const isKnown = (i: number, j: number) =>
    edges.some(({ pair }) => pair.includes(i) && pair.includes(j) && i !== j);
  for (let j = 1; j < count; j++) if (!isKnown(0, j)) return [0, j];
  const tree = grownFrom(count, edges);
  for (const highest of [...tree].sort((a, b) => b.height - a.height)) {
    const side = new Set([highest.pair[0]]);
    const rest = tree.filter((edge) => edge !== highest);
    for (let grew = true; grew; ) {
      const before = side.size;
      for (const { pair } of rest) if (pair.some((i) => side.has(i))) for (const i of pair) side.add(i);
      grew = side.size > before;
    }
    for (let i = 0; i < count; i++) {
      for (let j = i + 1; j < count; j++) if (side.has(i) !== side.has(j) && !isKnown(i, j)) return [i, j];
    }
  }
  return null;
}

/** Checks how many pairs are looked at; default twice as many as a tree has, or all. */
export function pairCount(count: number, pairs?: number): number {
  const all = (count * (count - 1)) / 2;
  if (pairs === undefined) return Math.min(all, 2 * (count - 1));
  if (Number.isInteger(pairs) && pairs >= count - 1 && pairs <= all) return pairs;
  throw new InvalidOptionError("pairs", `a whole number from ${count - 1} to ${all}`, String(pairs));
}

/** The path of a connection whose largest loss, on the first set, is lowest; NaN counts as infinite. */
export function lowestPath({ paths }: Connection): { readonly path: PathLosses; readonly height: number } {
  const heights = paths.map((path) => {
    const { maximum } = barriersOf(path)[0].loss;
    return { path, height: Number.isNaN(maximum) ? Number.POSITIVE_INFINITY : maximum };
  });
  return heights.reduce((best, one) => (one.height < best.height ? one : best));
}
