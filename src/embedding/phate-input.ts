import { InvalidDataError } from "../base/errors.js";
import type { PointRows } from "./distance-source.js";

/**
 * N points to embed: as rows, by their Gram matrix (N, N) of inner products, or by their distances (N, N).
 *
 * A Gram matrix stands for points of any dimension: build it out of core, from rows as they are for cosine
 * distance without centring, otherwise best from rows minus a common vector.
 */
export type PhateInput =
  | PointRows
  | { readonly gram: Float64Array; readonly count: number }
  | { readonly distances: Float64Array; readonly count: number };

/**
 * Checks sizes and that every number is finite, and that matrices are symmetric.
 *
 * @throws {@link InvalidDataError} naming the first row or entry that is wrong.
 */
export function checkPhateInput(input: PhateInput): void {
  const { count } = input;
  if (!Number.isInteger(count) || count < 3)
    throw new InvalidDataError("count", "at least 3 points", `${count}`);
  if ("rows" in input) checkRows(input, "rows");
  else if ("gram" in input) checkMatrix(input.gram, count, "gram", true);
  else checkMatrix(input.distances, count, "distances", false);
}

/**
 * Checks that rows have the stated size and are finite.
 *
 * @throws {@link InvalidDataError} naming the rows that are not.
 */
export function checkRows({ rows, count, dimension }: PointRows, where: string): void {
  if (!Number.isInteger(dimension) || dimension < 1) {
    throw new InvalidDataError(`${where}.dimension`, "an integer ≥ 1", `${dimension}`);
  }
  if (rows.length !== count * dimension) {
    throw new InvalidDataError(
      where,
      `${count} × ${dimension} = ${count * dimension} numbers`,
      `${rows.length}`,
    );
  }
  const bad: number[] = [];
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let c = i * dimension; c < (i + 1) * dimension; c++) sum += Math.abs(rows[c]);
    if (!Number.isFinite(sum)) bad.push(i);
  }
  if (bad.length === 0) return;
  const named = bad.slice(0, 5).join(", ") + (bad.length > 5 ? ", …" : "");
  throw new InvalidDataError(where, "finite numbers", `NaN or infinity in ${bad.length} rows (${named})`, {
    hint: "leave those rows out",
  });
}

function checkMatrix(matrix: Float64Array, n: number, where: string, allowNegative: boolean): void {
  if (matrix.length !== n * n) {
    throw new InvalidDataError(where, `${n} × ${n} = ${n * n} numbers`, `${matrix.length}`);
  }
  const entry = (i: number, j: number): string => `${where}[${i}][${j}]`;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = matrix[i * n + j];
      const mirrored = matrix[j * n + i];
      if (!Number.isFinite(value)) throw new InvalidDataError(entry(i, j), "a finite number", `${value}`);
      if (!allowNegative && (value < 0 || (i === j && value !== 0))) {
        throw new InvalidDataError(entry(i, j), i === j ? "0" : "a distance ≥ 0", `${value}`);
      }
      if (!(Math.abs(value - mirrored) <= 1e-6 * (Math.abs(value) + Math.abs(mirrored)))) {
        throw new InvalidDataError(entry(j, i), `${value}, equal to ${entry(i, j)}`, `${mirrored}`);
      }
    }
  }
}
