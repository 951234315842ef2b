import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { LinearAlgebra, SymmetricEigen } from "./linear-algebra.js";
import { addScaledInto, dot } from "./vectors.js";

/** Returns A·x for each of some vectors (n) and a symmetric A (n, n). */
export type ApplyOperator = (vectors: readonly Float64Array[]) => readonly Float64Array[];

/** The eigenpairs of largest magnitude. */
export interface TopEigenpairs extends SymmetricEigen {
  /** Largest residual |A·x − λ·x|, relative to the largest |λ|. */
  readonly residual: number;
}

/** Options of {@link topEigenpairs}. */
export interface TopEigenOptions {
  /** Vectors iterated together, `k` at least; more than `k` of them resolve close eigenvalues. Default k + 2. */
  readonly blockSize?: number;
  /** Blocks in a Krylov basis before it is restarted. Default 8. */
  readonly depth?: number;
  /** Blocks after which convergence is looked at, before the depth is reached. Default the depth. */
  readonly lookEvery?: number;
  /** Restarts at most. Default 40. */
  readonly restarts?: number;
  /** Largest residual |A·x − λ·x|, relative to the largest |λ|. Default 1e-10. */
  readonly tolerance?: number;
  /** Seed of the first block. Default 0. */
  readonly seed?: number;
}

/**
 * Returns the `k` eigenpairs of largest magnitude of a symmetric operator.
 *
 * Block Krylov subspaces with full reorthogonalisation and Rayleigh–Ritz restarts. If the tolerance is not
 * reached within the restarts the best pairs found are returned.
 *
 * @param apply - returns A·x for each of some vectors (n).
 * @returns `values` (k) by decreasing magnitude and `vectors` (k, n), rows of length 1.
 * @see Golub & Van Loan, Matrix Computations, section 10.3.6.
 */
export async function topEigenpairs(
  apply: ApplyOperator,
  n: number,
  k: number,
  algebra: LinearAlgebra,
  options: TopEigenOptions = {},
): Promise<TopEigenpairs> {
  const { depth = 8, restarts = 40, tolerance = 1e-10, seed = 0, lookEvery = depth } = options;
  const blockSize = Math.max(k, options.blockSize ?? k + 2);
  let block = randomBlock(n, Math.min(n, blockSize), seed);
  for (let restart = 0; ; restart++) {
    const isLast = restart + 1 >= restarts;
    const krylov: KrylovBasis = { basis: [], images: [] };
    let next: readonly Float64Array[] = block;
    for (let level = 1; level <= depth; level++) {
      next = extendInto(krylov, apply, next, n);
      if (level % lookEvery !== 0 && level < depth) continue;
      const { basis, images } = krylov;
      const { values, order, vectors } = await ritzPairs(basis, images, algebra);
      const size = Math.min(blockSize, basis.length);
      const ritz = Array.from({ length: size }, (_, r) => combine(basis, vectors, order[r]));
      const largest = Math.abs(values[order[0]]);
      const left = residual(images, vectors, order, values, ritz, k);
      if (left <= tolerance * largest || basis.length === n || (isLast && level === depth)) {
        return {
          residual: largest > 0 ? left / largest : 0,
          values: Float64Array.from({ length: k }, (_, r) => values[order[r]]),
          vectors: Float64Array.from(ritz.slice(0, k).flatMap((vector) => [...vector])),
        };
      }
      block = ritz;
    }
  }
}

function randomBlock(n: number, size: number, seed: number): Float64Array[] {
  const generator = xoroshiro128plus(seed);
  return Array.from({ length: size }, () => new Float64Array(n).map(() => 2 * uniformFloat64(generator) - 1));
}

/** Orthonormal basis of span{X, A·X, A²·X, …}, with the image A·q of each of its vectors. */
interface KrylovBasis {
  readonly basis: Float64Array[];
  readonly images: Float64Array[];
}

/** Adds a block to the basis and returns its images, from which the next block is made. */
function extendInto(
  { basis, images }: KrylovBasis,
  apply: ApplyOperator,
  block: readonly Float64Array[],
  n: number,
): readonly Float64Array[] {
  const first = basis.length;
  for (const x of block) {
    const q = basis.length === n ? undefined : orthonormalized(x, basis);
    if (q !== undefined) basis.push(q);
  }
  const found = apply(basis.slice(first));
  images.push(...found);
  return found;
}

/** x made orthogonal to the basis (twice, for rounding) and of length 1; undefined if nothing is left. */
function orthonormalized(x: Float64Array, basis: readonly Float64Array[]): Float64Array | undefined {
  const q = x.slice();
  const before = Math.sqrt(dot(q, q));
  for (let pass = 0; pass < 2; pass++) for (const b of basis) addScaledInto(q, -dot(q, b), b);
  const length = Math.sqrt(dot(q, q));
  if (!(length > 1e-12 * before)) return undefined;
  const factor = 1 / length;
  for (let i = 0; i < q.length; i++) q[i] = q[i] * factor;
  // A vector that lost most of its length is orthogonal to rounding of what was lost: once more.
  if (length < 1e-4 * before) {
    for (const b of basis) addScaledInto(q, -dot(q, b), b);
    const again = 1 / Math.sqrt(dot(q, q));
    for (let i = 0; i < q.length; i++) q[i] = q[i] * again;
  }
  return q;
}

async function ritzPairs(
  basis: readonly Float64Array[],
  images: readonly Float64Array[],
  algebra: LinearAlgebra,
): Promise<SymmetricEigen & { readonly order: readonly number[] }> {
  const size = basis.length;
  const projected = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      const value = (dot(basis[i], images[j]) + dot(basis[j], images[i])) / 2;
      projected[i * size + j] = value;
      projected[j * size + i] = value;
    }
  }
  const { values, vectors } = await algebra.symmetricEigen(projected, size);
  const order = Array.from(values.keys()).sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b);
  return { values, vectors, order };
}

function combine(basis: readonly Float64Array[], coefficients: Float64Array, row: number): Float64Array {
  const out = new Float64Array(basis[0].length);
  basis.forEach((b, i) => {
    addScaledInto(out, coefficients[row * basis.length + i], b);
  });
  return out;
}

function residual(
  images: readonly Float64Array[],
  vectors: Float64Array,
  order: readonly number[],
  values: Float64Array,
  ritz: readonly Float64Array[],
  k: number,
): number {
  let largest = 0;
  for (let r = 0; r < k; r++) {
    const image = combine(images, vectors, order[r]);
    addScaledInto(image, -values[order[r]], ritz[r]);
    largest = Math.max(largest, Math.sqrt(dot(image, image)));
  }
  return largest;
}

/**
 * Returns A·x for each vector (n) and a dense symmetric A (n, n), four vectors at a time so that the matrix is
 * read a quarter as often.
 */
export function symmetricTimes(
  matrix: Float64Array,
  vectors: readonly Float64Array[],
  n: number,
): readonly Float64Array[] {
  const images = vectors.map(() => new Float64Array(n));
  const products = new Float64Array(8);
  for (let v = 0; v < vectors.length; v += 4) {
    // Missing vectors of the last four repeat the last one, and a last row alone is taken twice.
    const [x0, x1, x2, x3] = [0, 1, 2, 3].map((r) => vectors[Math.min(v + r, vectors.length - 1)]);
    const some = images.slice(v, v + 4);
    for (let i = 0; i < n; i += 2) {
      const next = Math.min(i + 1, n - 1);
      twoRowsTimesFourInto(products, matrix, i * n, next * n, x0, x1, x2, x3);
      for (let r = 0; r < some.length; r++) {
        some[r][i] = products[r];
        some[r][next] = products[4 + r];
      }
    }
  }
  return images;
}

/**
 * Writes the inner products of two rows of a matrix with four vectors. A function of its own: it is compiled after
 * some rows, in the middle of the first product.
 */
function twoRowsTimesFourInto(
  out: Float64Array,
  matrix: Float64Array,
  row: number,
  row1: number,
  x0: Float64Array,
  x1: Float64Array,
  x2: Float64Array,
  x3: Float64Array,
): void {
  let [s0, s1, s2, s3, t0, t1, t2, t3] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let j = 0; j < x0.length; j++) {
    const value = matrix[row + j];
    const value1 = matrix[row1 + j];
    s0 += value * x0[j];
    s1 += value * x1[j];
    s2 += value * x2[j];
    s3 += value * x3[j];
    t0 += value1 * x0[j];
    t1 += value1 * x1[j];
    t2 += value1 * x2[j];
    t3 += value1 * x3[j];
  }
  out[0] = s0;
  out[1] = s1;
  out[2] = s2;
  out[3] = s3;
  out[4] = t0;
  out[5] = t1;
  out[6] = t2;
  out[7] = t3;
}
