import { InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import type { DistanceSource } from "../distance-source.js";
import { nearestNeighbours } from "./trustworthiness.js";

/** Options of {@link pathContinuity}. */
export interface PathContinuityOptions {
  /** How many nearest points count as neighbours in the embedding. Default 5. */
  readonly nNeighbors?: number;
  /** How many steps before and after a snapshot are its neighbours in time. Default 1. */
  readonly window?: number;
}

/** The share of neighbours in time that an embedding keeps as neighbours. */
export interface PathContinuity {
  /** Over all snapshots, in [0, 1]; NaN if no path has two snapshots. */
  readonly mean: number;
  /** For each path, by its number; NaN for a path of one snapshot or none. */
  readonly perPath: Float64Array;
}

/**
 * Returns the share of each path's neighbours in time that are among the nearest points in the embedding.
 *
 * 1: every path stays in one piece; a path torn apart, or points of other paths crowded between its steps,
 * lower it.
 *
 * @param embedded - distances of the N points in the embedding.
 * @param paths - number of the path that each point is on (N), 0, 1, …; rows of a path are in order of time.
 * @throws {@link InvalidDataError} if `paths` does not have N numbers ≥ 0.
 * @example
 * const embedded = distancesFromRows({ rows: coordinates, count: n, dimension: 2 }, "euclidean");
 * const { mean } = pathContinuity(embedded, [0, 0, 0, 1, 1, 1]); // two paths of three points
 */
export function pathContinuity(
  embedded: DistanceSource,
  paths: ArrayLike<number>,
  options: PathContinuityOptions = {},
): PathContinuity {
  const { nNeighbors = 5, window = 1 } = options;
  if (!Number.isInteger(window) || window < 1) {
    throw new InvalidOptionError("window", "an integer ≥ 1", String(window));
  }
  const n = embedded.rows;
  const members = pathMembers(paths, n);
  const neighbours = nearestNeighbours(embedded, nNeighbors);
  const perPath = new Float64Array(members.length);
  let kept = 0;
  let total = 0;
  members.forEach((path, number) => {
    let pathKept = 0;
    let pathTotal = 0;
    path.forEach((i, step) => {
      const near = new Set(neighbours.subarray(i * nNeighbors, (i + 1) * nNeighbors));
      for (let other = Math.max(0, step - window); other <= step + window; other++) {
        if (other === step || other >= path.length) continue;
        pathTotal++;
        if (near.has(path[other])) pathKept++;
      }
    });
    perPath[number] = pathKept / pathTotal;
    kept += pathKept;
    total += pathTotal;
  });
  return { mean: kept / total, perPath };
}

function pathMembers(paths: ArrayLike<number>, n: number): number[][] {
  if (paths.length !== n) throw new InvalidDataError("paths", `${n} numbers`, `${paths.length}`);
  const members: number[][] = [];
  for (let i = 0; i < n; i++) {
    const path = paths[i];
    if (!Number.isInteger(path) || path < 0) {
      throw new InvalidDataError(`paths[${i}]`, "an integer ≥ 0", String(path));
    }
    while (members.length <= path) members.push([]);
    members[path].push(i);
  }
  return members;
}
