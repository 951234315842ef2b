import type { PersistencePair } from "./persistence.js";

/** What a plot of a persistence diagram needs: points above the diagonal, and those that never die. */
export interface PersistenceDiagram {
  /** Births and deaths of features that die, by dimension. */
  readonly finite: readonly { readonly dimension: 0 | 1; readonly birth: number; readonly death: number }[];
  /** Births of features that never die, by dimension. */
  readonly essential: readonly { readonly dimension: 0 | 1; readonly birth: number }[];
  /** Smallest and largest finite coordinate; [0, 0] if there are no pairs. */
  readonly range: readonly [number, number];
}

/** Returns persistence pairs as the points of a diagram. */
export function persistenceDiagram(pairs: readonly PersistencePair[]): PersistenceDiagram {
  const finite = pairs.filter(({ death }) => Number.isFinite(death));
  const essential = pairs.filter(({ death }) => !Number.isFinite(death));
  let [low, high] = [Infinity, -Infinity];
  for (const { birth, death } of pairs) {
    low = Math.min(low, birth);
    high = Math.max(high, Number.isFinite(death) ? death : birth);
  }
  return {
    finite: finite.map(({ dimension, birth, death }) => ({ dimension, birth, death })),
    essential: essential.map(({ dimension, birth }) => ({ dimension, birth })),
    range: pairs.length === 0 ? [0, 0] : [low, high],
  };
}

/**
 * Returns the Betti curve of a dimension: how many features are alive in the sublevel set of each threshold,
 * birth ≤ threshold < death.
 *
 * @param thresholds - levels (m), in any order.
 * @returns counts (m).
 */
export function bettiCurve(
  pairs: readonly PersistencePair[],
  dimension: 0 | 1,
  thresholds: ArrayLike<number>,
): Int32Array {
  const own = pairs.filter((pair) => pair.dimension === dimension);
  return Int32Array.from(
    thresholds,
    (level) => own.filter(({ birth, death }) => birth <= level && level < death).length,
  );
}

/**
 * Returns the total persistence of a dimension: the sum of death − birth over the features that die.
 */
export function totalPersistence(pairs: readonly PersistencePair[], dimension: 0 | 1): number {
  let sum = 0;
  for (const pair of pairs) {
    if (pair.dimension === dimension && Number.isFinite(pair.death)) sum += pair.death - pair.birth;
  }
  return sum;
}
