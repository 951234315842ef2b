import type { LinearAlgebra } from "../math/linear-algebra.js";
import { denseFromSparse, type SparseMatrix } from "./sparse-matrix.js";

/**
 * Returns the von Neumann entropy of the powers 1…tMax of an operator with these singular values.
 *
 * q = s^m/Σ s^m + ε, H_m = −Σ q·ln q, ε the float64 machine epsilon (the reference adds it too).
 *
 * @param singularValues - s (n), ≥ 0, not all 0.
 * @returns H (tMax): entry k belongs to the power k + 1.
 * @see Moon et al. 2019, online methods; reference values: PHATE 1.0.11, `vne.py`.
 */
export function vonNeumannEntropy(singularValues: Float64Array, tMax = 100): Float64Array {
  const powers = singularValues.slice();
  const entropy = new Float64Array(tMax);
  for (let m = 0; m < tMax; m++) {
    let sum = 0;
    for (const power of powers) sum += power;
    let h = 0;
    for (const power of powers) {
      const q = power / sum + Number.EPSILON;
      h -= q * Math.log(q);
    }
    entropy[m] = h;
    for (let i = 0; i < powers.length; i++) powers[i] = powers[i] * singularValues[i];
  }
  return entropy;
}

/**
 * Returns the von Neumann entropy of the powers 1…tMax of a diffusion operator (n, n).
 *
 * From its singular values, as the reference does: P is not symmetric, so they are not its eigenvalues.
 */
export async function operatorEntropy(
  operator: SparseMatrix,
  algebra: LinearAlgebra,
  tMax = 100,
): Promise<Float64Array> {
  const { rows, columns } = operator;
  return vonNeumannEntropy(await algebra.singularValues(denseFromSparse(operator), rows, columns), tMax);
}
