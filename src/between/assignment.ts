import { linearSumAssignment } from "linear-sum-assignment";
import { InvalidDataError } from "../base/errors.js";

/** An assignment, and what makes the next one of similar values quick. */
export interface Assignment {
  /** For each row its column (n). */
  readonly columns: Int32Array;
  /** Potentials of rows and columns (n each): with them added, no value is above that of the assigned column. */
  readonly potentials: { readonly rows: Float64Array; readonly columns: Float64Array };
}

/**
 * Returns the assignment of rows to columns with the largest sum of values.
 *
 * Jonker and Volgenant's shortest augmenting paths, O(n³). Potentials shift rows and columns as a whole, which changes
 * the sum of every assignment alike: those of similar values leave short paths only.
 *
 * @param values - (n, n), row-major, finite.
 * @param near - an assignment of similar values; default none.
 * @throws {@link InvalidDataError} if a value is not finite: no assignment is best then.
 * @see Crouse 2016; the package linear-sum-assignment.
 */
export function bestAssignment(values: Float64Array, n: number, near?: Assignment): Assignment {
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    throw new InvalidDataError(`assignment, entry ${i}`, "finite similarities", String(values[i]));
  }
  const { shifted, rows, columns } = shiftedBy(values, n, near);
  const lines = Array.from({ length: n }, (_, i) => shifted.subarray(i * n, (i + 1) * n));
  // The option is spelt so.
  const found = linearSumAssignment(lines, { maximaze: true });
  for (let k = 0; k < n; k++) {
    rows[k] += found.dualVariableForRows[k];
    columns[k] += found.dualVariableForColumns[k];
  }
  return { columns: Int32Array.from(found.rowAssignments), potentials: { rows, columns } };
}

/** Values with potentials added, then each column's largest brought to 0, then each row's. */
function shiftedBy(values: Float64Array, n: number, near: Assignment | undefined) {
  const rows = near?.potentials.rows.slice() ?? new Float64Array(n);
  const columns = new Float64Array(n);
  const largest = new Float64Array(n).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) largest[j] = Math.max(largest[j], values[i * n + j] + rows[i]);
  }
  for (let j = 0; j < n; j++) columns[j] = -largest[j];
  const shifted = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    let top = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < n; j++) top = Math.max(top, values[i * n + j] + columns[j]);
    rows[i] = -top;
    for (let j = 0; j < n; j++) shifted[i * n + j] = values[i * n + j] + rows[i] + columns[j];
  }
  return { shifted, rows, columns };
}
