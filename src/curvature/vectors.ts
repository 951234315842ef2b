import { createNormal } from "../math/random.js";

/** x·y. */
export function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * y[i];
  return sum;
}

/** |x|. */
export function norm(x: Float64Array): number {
  return Math.sqrt(dot(x, x));
}

/** x ← x + factor·y. */
export function addScaledInto(x: Float64Array, factor: number, y: Float64Array): void {
  for (let i = 0; i < x.length; i++) x[i] += factor * y[i];
}

/** factor·x. */
export function scaled(x: Float64Array, factor: number): Float64Array {
  return x.map((value) => factor * value);
}

/** A vector of independent normal numbers for a seed and a key. */
export function normalVector(size: number, seed: number, ...key: (string | number)[]): Float64Array {
  const normal = createNormal(seed, ...key);
  return new Float64Array(size).map(normal);
}

/** Takes out of x what lies along orthonormal vectors; twice, for rounding. */
export function orthogonalizeInto(x: Float64Array, basis: readonly Float64Array[]): void {
  for (let pass = 0; pass < 2; pass++) for (const q of basis) addScaledInto(x, -dot(q, x), q);
}

/**
 * Makes vectors orthonormal one by one (Gram–Schmidt, twice). A vector of which less than `tolerance` of its length
 * is left depends on those before it and is dropped.
 *
 * @returns q: the orthonormal vectors; `coefficients`[i]: entries of vector i along them, so that x_i = Σ r_ki q_k.
 */
export function orthonormalized(
  vectors: readonly Float64Array[],
  tolerance: number,
): { readonly basis: Float64Array[]; readonly coefficients: number[][] } {
  const basis: Float64Array[] = [];
  const coefficients = vectors.map((vector) => {
    const x = vector.slice();
    const before = norm(x);
    const along = basis.map(() => 0);
    for (let pass = 0; pass < 2; pass++) {
      basis.forEach((q, k) => {
        const share = dot(q, x);
        along[k] += share;
        addScaledInto(x, -share, q);
      });
    }
    const left = norm(x);
    if (left <= tolerance * before || left === 0) return along;
    basis.push(scaled(x, 1 / left));
    return [...along, left];
  });
  return { basis, coefficients };
}
