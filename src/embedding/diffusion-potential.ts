import { InvalidOptionError } from "../errors.js";
import type { SparseMatrix } from "./sparse-matrix.js";

/** Options of {@link diffusionPower}. */
export interface DiffusionPowerOptions {
  /**
   * Entries of intermediate rows below this are dropped. Default 0: none. Rows of P^t err by at most
   * t·N·drop; a small value keeps rows sparse where diffusion does not reach far.
   */
  readonly drop?: number;
}

/**
 * Returns P^t, dense row-major (N, N).
 *
 * Row by row: a row vector is multiplied by P t − 1 times from the right, and stays as sparse as diffusion
 * leaves it. Cost: at most t·N·entries(P) multiply-adds, in a working set of one row and P.
 *
 * @param t - an integer ≥ 1.
 */
export function diffusionPower(
  operator: SparseMatrix,
  t: number,
  options: DiffusionPowerOptions = {},
): Float64Array {
  if (!Number.isInteger(t) || t < 1) throw new InvalidOptionError("t", "an integer ≥ 1", String(t));
  const { drop = 0 } = options;
  const n = operator.rows;
  const power = new Float64Array(n * n);
  let row = new Float64Array(n);
  let next = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let [low, high] = [i, i];
    row.fill(0);
    row[i] = 1;
    for (let step = 0; step < t; step++) {
      next.fill(0);
      [low, high] = multiplyRowInto(next, row, operator, low, high, drop);
      [row, next] = [next, row];
    }
    power.set(row, i * n);
  }
  return power;
}

/** Adds row·P to `next`; the row is 0 outside low…high. Returns the range of columns that were touched. */
function multiplyRowInto(
  next: Float64Array,
  row: Float64Array,
  { offsets, indices, values }: SparseMatrix,
  low: number,
  high: number,
  drop: number,
): [number, number] {
  let first = row.length;
  let last = -1;
  for (let k = low; k <= high; k++) {
    const weight = row[k];
    if (weight <= drop) continue;
    const end = offsets[k + 1];
    for (let p = offsets[k]; p < end; p++) {
      const j = indices[p];
      next[j] = next[j] + weight * values[p];
    }
    if (end === offsets[k]) continue;
    first = Math.min(first, indices[offsets[k]]);
    last = Math.max(last, indices[end - 1]);
  }
  return [first, last];
}

/**
 * Returns the diffusion potential U of P^t for the informational distance constant γ.
 *
 * γ = 1: U = −ln(P^t + 1e-7). γ = −1: U = P^t. Otherwise U = (P^t)^c / c with c = (1 − γ)/2.
 * Between 0.99 and 1 the values grow like 1/c and lose precision.
 *
 * @param power - P^t of any shape, entries ≥ 0.
 * @throws {@link InvalidOptionError} if γ is outside [−1, 1].
 * @see Moon et al. 2019, online methods.
 */
export function diffusionPotential(power: Float64Array, gamma = 1): Float64Array {
  if (!(gamma >= -1 && gamma <= 1)) throw new InvalidOptionError("gamma", "−1 ≤ gamma ≤ 1", String(gamma));
  if (gamma === 1) return power.map((p) => -Math.log(p + 1e-7));
  if (gamma === -1) return power.slice();
  const c = (1 - gamma) / 2;
  return power.map((p) => p ** c / c);
}
