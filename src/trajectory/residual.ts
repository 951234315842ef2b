import type { ColumnBlock } from "../directions/column-blocks.js";
import type { Directions } from "../directions/directions.js";

/**
 * Adds ‖θ_i − θ* − Σ_k c_ik·d_k‖² over the columns of a block into `residuals`, for the chosen rows.
 *
 * The residual is formed entry by entry in float64, so that a row nearly in the plane keeps its digits.
 */
export function addSquaredResidualsInto(
  residuals: Float64Array,
  chosen: readonly number[],
  block: ColumnBlock,
  { center, vectors }: Pick<Directions, "center" | "vectors">,
  coordinates: Float64Array,
): void {
  const { start, count, rows } = block;
  const k = vectors.length;
  const rest = new Float64Array(count);
  for (const i of chosen) {
    const row = rows[i];
    for (let c = 0; c < count; c++) rest[c] = row[c] - center[start + c];
    vectors.forEach((vector, a) => {
      const coefficient = coordinates[i * k + a];
      for (let c = 0; c < count; c++) rest[c] -= coefficient * vector[start + c];
    });
    let sum = 0;
    for (let c = 0; c < count; c++) sum += rest[c] * rest[c];
    residuals[i] += sum;
  }
}
