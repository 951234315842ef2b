import { cholesky } from "../math/cholesky.js";

/**
 * Makes k nearly orthonormal vectors orthonormal, in place: each loses what it has along those before
 * it and gets length 1 (Gram-Schmidt, by V ← L⁻¹·V with L·Lᵀ their Gram matrix).
 *
 * @param vectors - k vectors of length D, float32.
 * @param gram - their inner products (k, k), float64.
 * @returns L⁻¹ (k, k), row-major, which takes the old vectors to the new ones.
 */
export function orthonormalizeInto(vectors: readonly Float32Array[], gram: Float64Array): Float64Array {
  const k = vectors.length;
  const inverse = invertLower(cholesky(gram, k).lower, k);
  // From the last one backwards: a vector depends only on those before it, which are still the old ones.
  for (let a = k - 1; a >= 0; a--) {
    const target = vectors[a];
    for (let c = 0; c < target.length; c++) {
      let value = 0;
      for (let b = 0; b <= a; b++) value += inverse[a * k + b] * vectors[b][c];
      target[c] = value;
    }
  }
  return inverse;
}

function invertLower(lower: Float64Array, k: number): Float64Array {
  const inverse = new Float64Array(k * k);
  for (let j = 0; j < k; j++) {
    inverse[j * k + j] = 1 / lower[j * k + j];
    for (let i = j + 1; i < k; i++) {
      let value = 0;
      for (let m = j; m < i; m++) value -= lower[i * k + m] * inverse[m * k + j];
      inverse[i * k + j] = value / lower[i * k + i];
    }
  }
  return inverse;
}

/**
 * Returns −1 if the entry of largest magnitude is negative, else 1. Of entries of equal magnitude the
 * first counts.
 */
export function signOfLargestEntry(vector: Float32Array): 1 | -1 {
  let largest = 0;
  let sign: 1 | -1 = 1;
  for (let c = 0; c < vector.length; c++) {
    const magnitude = Math.abs(vector[c]);
    if (magnitude > largest) {
      largest = magnitude;
      sign = vector[c] < 0 ? -1 : 1;
    }
  }
  return sign;
}

/** Changes the sign of every entry, in place. */
export function negateInto(vector: Float32Array): void {
  for (let c = 0; c < vector.length; c++) vector[c] = -vector[c];
}
