import { tridiagonalEigenvaluesInto, tridiagonalizeInto } from "./tridiagonal.js";

/**
 * Returns the singular values of a matrix, without vectors, in plain JavaScript.
 *
 * They are the square roots of the eigenvalues of A·Aᵀ (or AᵀA, whichever is smaller). Squaring costs
 * accuracy at the small end only: the absolute error of σ is about ε·σ₁²/σ, so 1e-13·σ₁ at
 * σ = 1e-3·σ₁; what lies below 6e-8·σ₁ cannot be told from zero and is returned as 0.
 * Cost: 2/3·n³ multiply-adds for n = min(rows, columns), plus one product that skips zeros.
 *
 * @param matrix - (rows, columns) row-major; not changed.
 * @returns (min(rows, columns)) values, non-increasing.
 */
export function singularValues(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const wide = rows <= columns;
  const n = wide ? rows : columns;
  const gram = new Float64Array(n * n);
  if (wide) addRowGramInto(gram, matrix, rows, columns);
  else addColumnGramInto(gram, matrix, rows, columns);
  const values = tridiagonalEigenvaluesInto(tridiagonalizeInto(gram, n));
  const floor = 16 * Number.EPSILON * (values[0] ?? 0);
  return values.map((value) => (value > floor ? Math.sqrt(value) : 0));
}

/** Adds A·Aᵀ (lower triangle), column by column through the transpose, skipping zeros. */
function addRowGramInto(gram: Float64Array, matrix: Float64Array, rows: number, columns: number): void {
  const transposed = new Float64Array(matrix.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) transposed[j * rows + i] = matrix[i * columns + j];
  }
  addColumnGramInto(gram, transposed, columns, rows);
}

/** Adds AᵀA (lower triangle) as a sum of outer products of rows, skipping zeros. */
function addColumnGramInto(gram: Float64Array, matrix: Float64Array, rows: number, columns: number): void {
  const indices = new Int32Array(columns);
  const values = new Float64Array(columns);
  for (let i = 0; i < rows; i++) {
    let count = 0;
    for (let j = 0; j < columns; j++) {
      const value = matrix[i * columns + j];
      if (value === 0) continue;
      indices[count] = j;
      values[count++] = value;
    }
    for (let p = 0; p < count; p++) {
      const row = indices[p] * columns;
      const value = values[p];
      for (let q = 0; q <= p; q++) gram[row + indices[q]] = gram[row + indices[q]] + value * values[q];
    }
  }
}
