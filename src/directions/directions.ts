import { InvalidDataError } from "../base/errors.js";
import { defined } from "../base/json.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { ParameterLayout } from "../model/layout.js";

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
  /** Where the rows come from, for errors: the folders of the runs. Default "snapshots". */
  readonly name?: string;
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

/**
 * Returns a source over N weight vectors that are in memory. They are read in place, never copied.
 *
 * @param vectors - N arrays of equal length D.
 * @param runLengths - rows of each run where several runs are stacked; default one run.
 * @throws {@link InvalidDataError} if the lengths differ, or do not add up to N.
 */
export function memoryRowSource(vectors: readonly Float32Array[], runLengths?: readonly number[]): RowSource {
  const columns = vectors[0]?.length ?? 0;
  const odd = vectors.findIndex((vector) => vector.length !== columns);
  if (odd >= 0) {
    throw new InvalidDataError(`row ${odd}`, `${columns} weights as in row 0`, `${vectors[odd].length}`);
  }
  return {
    rows: vectors.length,
    columns,
    views: vectors,
    ...defined({ runLengths }),
    async readBlockInto(start, count, out) {
      vectors.forEach((vector, i) => {
        out.set(vector.subarray(start, start + count), i * count);
      });
    },
  };
}

/**
 * Returns for each weight of a layout a key that stays the same when the model is built again in the same
 * process, or its trainable flags are changed.
 *
 * TF.js numbers layers by a counter of the process ("dense_Dense1", later "dense_Dense7"), so names alone
 * would give the same architecture other random directions each time; a second model with the same layer names
 * gets "kernel_1" for "kernel". The key is the name with its numbers taken out, and the place that the numbers
 * have among the weights of the same remaining name.
 */
export function weightKeys(layout: ParameterLayout): string[] {
  const names = layout.parameters.map(({ name }) => {
    const own = name.replace(REPEATED, "$1");
    return { stem: own.replace(/\d+/g, "#"), numbers: numbersOf(own) };
  });
  return names.map(({ stem, numbers }) => {
    const rank = names.filter((other) => other.stem === stem && isBefore(other.numbers, numbers)).length;
    return `${stem}:${rank}`;
  });
}

/** A weight of a layer whose name TF.js has given before in this process. */
const REPEATED =
  /(\/(?:(?:depthwise_|pointwise_|recurrent_)?kernel|bias|gamma|beta|moving_mean|moving_variance|embeddings|alpha))_\d+$/;

function numbersOf(name: string): number[] {
  return (name.match(/\d+/g) ?? []).map(Number);
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at >= 0 && a[at] < b[at];
}
