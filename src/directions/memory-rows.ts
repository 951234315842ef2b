import { InvalidDataError } from "../errors.js";
import type { RowSource } from "./directions.js";

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
    ...(runLengths === undefined ? {} : { runLengths }),
    async readBlockInto(start, count, out) {
      vectors.forEach((vector, i) => {
        out.set(vector.subarray(start, start + count), i * count);
      });
    },
  };
}
