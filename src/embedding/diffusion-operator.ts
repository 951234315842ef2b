import { rowSums, type SparseMatrix, scaleRows } from "./sparse-matrix.js";

/**
 * Returns the diffusion operator P = D⁻¹·K, D the diagonal of row sums: each row of P sums to 1.
 *
 * @param kernel - K (N, N) with positive row sums.
 * @see Moon et al. 2019, online methods.
 */
export function diffusionOperator(kernel: SparseMatrix): SparseMatrix {
  return scaleRows(
    kernel,
    rowSums(kernel).map((sum) => 1 / sum),
  );
}

/**
 * Returns the symmetric D^(−1/2)·K·D^(−1/2), which has the eigenvalues of P (not its singular values).
 *
 * @param kernel - K (N, N), symmetric.
 */
export function symmetricDiffusionOperator(kernel: SparseMatrix): SparseMatrix {
  const factors = rowSums(kernel).map((sum) => 1 / Math.sqrt(sum));
  const scaled = scaleRows(kernel, factors);
  return { ...scaled, values: scaled.values.map((value, p) => value * factors[kernel.indices[p]]) };
}
