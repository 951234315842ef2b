import { linearSumAssignment } from "linear-sum-assignment";
import { InvalidDataError } from "../base/errors.js";

/**
 * Returns the assignment of rows to columns with the largest sum of values.
 *
 * Jonker and Volgenant's shortest augmenting paths, O(n³).
 *
 * @param values - (n, n), row-major, finite.
 * @returns for each row its column (n).
 * @throws {@link InvalidDataError} if a value is not finite: no assignment is best then.
 * @see Crouse 2016; the package linear-sum-assignment.
 */
export function bestAssignment(values: Float64Array, n: number): Int32Array {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new InvalidDataError(`assignment, entry ${bad}`, "finite similarities", String(values[bad]));
  }
  const rows = Array.from({ length: n }, (_, i) => values.subarray(i * n, (i + 1) * n));
  // The option is spelt so.
  const { rowAssignments } = linearSumAssignment(rows, { maximaze: true });
  return Int32Array.from(rowAssignments);
}
