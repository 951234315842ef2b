import type { DistanceSource } from "./distance-source.js";
import { nearestNeighbours } from "./nearest-neighbours.js";

/** An undirected graph without loops or repeated edges. */
export interface Graph {
  /** How many vertices it has. */
  readonly vertexCount: number;
  /** Edges as pairs of vertices (E, 2), the smaller first, in increasing order. */
  readonly edges: Int32Array;
}

/**
 * Returns the graph that joins each of N points to its k nearest others.
 *
 * @param source - distances of N points to themselves, for the topology of a landscape those of the diffusion
 *   potential.
 * @throws {@link InvalidOptionError} if k < 1 or k > N − 1.
 */
export function neighbourGraph(source: DistanceSource, k = 20): Graph {
  const n = source.rows;
  const neighbours = nearestNeighbours(source, k);
  const keys = new Set<number>();
  neighbours.forEach((j, p) => {
    const i = Math.floor(p / k);
    keys.add(Math.min(i, j) * n + Math.max(i, j));
  });
  const sorted = [...keys].sort((a, b) => a - b);
  return {
    vertexCount: n,
    edges: Int32Array.from(sorted.flatMap((key) => [Math.floor(key / n), key % n])),
  };
}
