import type { DistanceSource } from "./distance-source.js";

/** Pairs of points at distance 0. */
export interface DuplicatePairs {
  /** How many pairs there are. */
  readonly count: number;
  /** The first of them, as [i, j] with i < j; five at most. */
  readonly examples: readonly (readonly [number, number])[];
}

/** A source of distances that notes, as its rows are read, which different points are at distance 0. */
export interface WatchedDistances {
  readonly source: DistanceSource;
  /** The pairs met in the rows read so far. */
  duplicates(): DuplicatePairs;
}

/** Returns the same distances (N, N), watched for duplicates at no further cost in distances. */
export function watchDuplicates(source: DistanceSource): WatchedDistances {
  const examples: [number, number][] = [];
  let count = 0;
  return {
    source: {
      rows: source.rows,
      columns: source.columns,
      readRowInto(out, i) {
        source.readRowInto(out, i);
        for (let j = i + 1; j < source.columns; j++) {
          if (out[j] !== 0) continue;
          count++;
          if (examples.length < 5) examples.push([i, j]);
        }
      },
    },
    duplicates: () => ({ count, examples }),
  };
}
