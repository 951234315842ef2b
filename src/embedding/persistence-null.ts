import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { InvalidOptionError } from "../errors.js";
import type { Graph } from "./neighbour-graph.js";
import { type PersistenceOptions, type PersistencePair, sublevelPersistence } from "./persistence.js";
import { totalPersistence } from "./persistence-diagram.js";

/** Options of {@link persistenceNull}. */
export interface PersistenceNullOptions extends PersistenceOptions {
  /** How often the values are permuted. Default 200. */
  readonly permutations?: number;
  /** Seed of the permutations. Default 0. */
  readonly seed?: number;
  /** Number that sums a diagram up. Default: total persistence of dimension 0. */
  readonly statistic?: (pairs: readonly PersistencePair[]) => number;
  /** When it is aborted, its reason is thrown. Default none. */
  readonly signal?: AbortSignal;
}

/** A statistic of a function on a graph against that of the same values in random places. */
export interface PersistenceNull {
  /** Statistic of the function as it is. */
  readonly observed: number;
  /** Statistic of each permutation, increasing. */
  readonly permuted: Float64Array;
  /** (1 + permutations at most as large as observed) / (1 + permutations): small if smoother than chance. */
  readonly pLower: number;
  /** The same for permutations at least as large: small if rougher than chance. */
  readonly pUpper: number;
}

/**
 * Compares the persistence of a function on a graph with that of its values permuted over the vertices.
 *
 * The graph and the histogram of values stay, where they are is lost: a landscape whose loss follows the
 * geometry has fewer and shallower basins than its permutations.
 *
 * @throws {@link InvalidOptionError} if permutations < 1.
 * @throws {@link InvalidDataError} if the values are not N finite numbers.
 */
export function persistenceNull(
  graph: Graph,
  values: ArrayLike<number>,
  options: PersistenceNullOptions = {},
): PersistenceNull {
  const { permutations = 200, seed = 0, complex = "graph", signal } = options;
  const statistic = options.statistic ?? ((pairs) => totalPersistence(pairs, 0));
  if (!Number.isInteger(permutations) || permutations < 1) {
    throw new InvalidOptionError("permutations", "an integer ≥ 1", String(permutations));
  }
  const generator = xoroshiro128plus(seed);
  const observed = statistic(sublevelPersistence(graph, values, { complex }));
  const shuffled = Float64Array.from(values);
  const permuted = new Float64Array(permutations);
  for (let p = 0; p < permutations; p++) {
    signal?.throwIfAborted();
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = uniformInt(generator, 0, i);
      const swap = shuffled[i];
      shuffled[i] = shuffled[j];
      shuffled[j] = swap;
    }
    permuted[p] = statistic(sublevelPersistence(graph, shuffled, { complex }));
  }
  const share = (test: (value: number) => boolean): number =>
    (1 + permuted.filter(test).length) / (1 + permutations);
  return {
    observed,
    permuted: permuted.sort(),
    pLower: share((value) => value <= observed),
    pUpper: share((value) => value >= observed),
  };
}
