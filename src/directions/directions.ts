import type { LandscapeWarning } from "../warning.js";

/**
 * A centre θ* and one to three directions through it, all in the full layout of θ.
 *
 * A grid point is θ* + α·vectors[0] + β·vectors[1]. Entries of weights that do not move (non-trainable
 * ones, ignored roles) are 0 in every vector.
 */
export interface Directions {
  /** How the directions were made: "pca", "random", "models", … */
  readonly kind: string;
  /** θ* (parameterCount), float32. */
  readonly center: Float32Array;
  /** k vectors of length parameterCount, float32. */
  readonly vectors: readonly Float32Array[];
  /** A short name for each axis, e.g. "PC 1". */
  readonly labels: readonly string[];
  /** Share of the trajectory's variance along each vector (k), or null where that has no meaning. */
  readonly explainedVarianceRatio: Float64Array | null;
  /** The same shares expected of a random walk with the observed step lengths (k), or null. */
  readonly randomWalkBaseline: Float64Array | null;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * N weight vectors of length D, read block by block so that N·D numbers need not fit in memory.
 */
export interface RowSource {
  /** N, the number of rows (snapshots). */
  readonly rows: number;
  /** D, the number of columns (parameters). */
  readonly columns: number;
  /** Number of rows of each run stacked in this source, in order; absent for one run. */
  readonly runLengths?: readonly number[];
  /** The rows themselves (N arrays of length D), where they are in memory anyway: spares a copy. */
  readonly views?: readonly Float32Array[];
  /**
   * Reads columns [start, start + count) of every row into `out` (rows, count), row-major.
   * Several reads into different arrays may be under way at a time.
   */
  readBlockInto(start: number, count: number, out: Float32Array): Promise<void>;
}
