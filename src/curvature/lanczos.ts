import { symmetricEigenByQl } from "../backend/linear-algebra/decompositions.js";
import { wholeNumber } from "../base/check-option.js";
import { EvaluationError, InvalidOptionError } from "../base/errors.js";
import type { Stoppable } from "../base/work.js";
import type { SymmetricOperator } from "./symmetric-operator.js";
import { addScaledInto, dot, norm, normalVector, orthogonalizeInto, scaled } from "./vectors.js";

/** A Krylov basis with the operator on it: A·Q = Q·T + β·q·eᵀ. */
export interface LanczosBasis {
  /** Orthonormal vectors q_1 … q_m (n each). */
  readonly basis: readonly Float64Array[];
  /** Diagonal of T (m). */
  readonly diagonal: readonly number[];
  /** Off-diagonal of T (m): the last entry couples to the vector that would come next; 0 where the space is complete. */
  readonly offDiagonal: readonly number[];
}

/** How a Krylov basis grows. */
export interface LanczosOptions extends Stoppable {
  readonly steps: number;
  readonly start: Float64Array;
  /** Vectors that the basis stays orthogonal to. Default none. */
  readonly deflated?: readonly Float64Array[];
  /** Asked after each step; true ends early. Default never. */
  readonly isEnough?: (found: LanczosBasis) => boolean;
  /** Gives a new direction where the space is complete and n is not reached; null: stop there. Default null. */
  readonly restart?: ((steps: number) => Float64Array) | null;
}

/** What is lost of a product's length to float32 rounding, with room: below it the space is complete. */
const BREAKDOWN = 1e-9;

/**
 * Runs the Lanczos method with full reorthogonalisation: one product a step, all vectors kept.
 *
 * Cost: m products, O(m²·n) for orthogonality, m·n numbers of memory.
 *
 * @throws {@link EvaluationError} if a product is not finite.
 * @see Golub & Van Loan, Matrix Computations, section 10.1.
 */
export async function lanczos(operator: SymmetricOperator, options: LanczosOptions): Promise<LanczosBasis> {
  const { steps, start, deflated = [], isEnough, restart = null, signal } = options;
  const basis: Float64Array[] = [];
  const diagonal: number[] = [];
  const offDiagonal: number[] = [];
  let q: Float64Array | null = unit(start, deflated);
  let largest = 0;
  while (q !== null && basis.length < steps) {
    basis.push(q);
    const w = await operator.apply(q, signal);
    const length = norm(w);
    if (!Number.isFinite(length)) {
      throw new EvaluationError(`Lanczos step ${basis.length}`, "a finite product", String(length));
    }
    largest = Math.max(largest, length);
    diagonal.push(dot(q, w));
    orthogonalizeInto(w, [...deflated, ...basis]);
    const beta = norm(w);
    const isComplete = beta <= BREAKDOWN * largest || deflated.length + basis.length >= operator.size;
    offDiagonal.push(isComplete ? 0 : beta);
    if (isEnough?.({ basis, diagonal, offDiagonal })) break;
    if (!isComplete) q = scaled(w, 1 / beta);
    else if (restart === null || deflated.length + basis.length >= operator.size) q = null;
    else q = unit(restart(basis.length), [...deflated, ...basis]);
  }
  return { basis, diagonal, offDiagonal };
}

function unit(vector: Float64Array, against: readonly Float64Array[]): Float64Array | null {
  const own = vector.slice();
  const before = norm(own);
  orthogonalizeInto(own, against);
  const length = norm(own);
  return length <= 1e-10 * before || length === 0 ? null : scaled(own, 1 / length);
}

/** Eigenpairs of the tridiagonal matrix, largest first: `vectors` as rows (m, m). */
export function ritzPairs({ diagonal, offDiagonal }: LanczosBasis): {
  readonly values: Float64Array;
  readonly vectors: Float64Array;
} {
  const m = diagonal.length;
  const matrix = new Float64Array(m * m);
  for (let i = 0; i < m; i++) {
    matrix[i * m + i] = diagonal[i] as number;
    if (i + 1 < m) {
      matrix[i * m + i + 1] = offDiagonal[i] as number;
      matrix[(i + 1) * m + i] = offDiagonal[i] as number;
    }
  }
  return symmetricEigenByQl(matrix, m);
}

/** Options of {@link topEigenpairs}. */
export interface EigenpairOptions extends Stoppable {
  /** How many. Default 5. */
  readonly count?: number | undefined;
  /**
   * "magnitude" (default), one end of the spectrum ("largest", "smallest"), or both in turn: "ends" gives the largest,
   * the smallest, the second largest and so on.
   */
  readonly which?: "magnitude" | "largest" | "smallest" | "ends" | undefined;
  /** Products at most; more resolve close eigenvalues. Default 100 + 2·count. */
  readonly products?: number | undefined;
  /** Ends when the residual of each pair, relative to the largest |λ| found, is below it. Default 1e-4. */
  readonly tolerance?: number | undefined;
  /** First vector of the iteration, such as an eigenvector from nearby: fewer products. Default random. */
  readonly start?: Float64Array | undefined;
  /** Seed of the random start. Default 0. */
  readonly seed?: number | undefined;
  /** Called after each product. Default none. */
  readonly onProgress?: ((products: number) => void) | undefined;
}

/** Eigenpairs with their true residuals. */
export interface Eigenpairs {
  /** Eigenvalues in the order asked for (k). */
  readonly values: Float64Array;
  /** Unit eigenvectors (k of n each); the entry of largest magnitude is positive. */
  readonly vectors: readonly Float64Array[];
  /** |A·v − λ·v|, from a product of its own each (k). */
  readonly residuals: Float64Array;
  /** Whether each residual is within the tolerance. */
  readonly isConverged: boolean;
  /** Products used, with those for the residuals. */
  readonly products: number;
}

/** Steps between two looks at the eigenvalues, which cost O(m³). */
const LOOK_EVERY = 5;

/**
 * Returns the eigenpairs of largest magnitude (or at one end) of a symmetric operator, by the Lanczos method with full
 * reorthogonalisation, with their true residuals.
 *
 * An eigenvalue that occurs several times is found once, unless the Krylov space is complete before the products are
 * used up. Pairs that have not converged are returned as they are; `isConverged` and `residuals` tell.
 *
 * @throws {@link InvalidOptionError} if an option cannot be used.
 * @throws {@link EvaluationError} if a product is not finite.
 * @example const { values, residuals } = await topEigenpairs(hessianOperator(point, layout), { count: 5 });
 */
export async function topEigenpairs(
  operator: SymmetricOperator,
  options: EigenpairOptions = {},
): Promise<Eigenpairs> {
  const { which = "magnitude", tolerance = 1e-4, seed = 0, signal, onProgress } = options;
  const count = Math.min(wholeNumber("count", options.count ?? 5), operator.size);
  const products = Math.max(count, wholeNumber("products", options.products ?? 100 + 2 * count));
  if (!(tolerance >= 0))
    throw new InvalidOptionError("tolerance", "a number of at least 0", String(tolerance));
  const order = orderBy(which);
  const start = options.start ?? normalVector(operator.size, seed, "lanczos");
  if (start.length !== operator.size || norm(start) === 0) {
    throw new InvalidOptionError(
      "start",
      `a vector of ${operator.size} numbers, not all zero`,
      `${start.length} numbers`,
    );
  }
  const isEnough = (found: LanczosBasis): boolean => {
    const m = found.diagonal.length;
    onProgress?.(m);
    const beta = found.offDiagonal[m - 1] as number;
    if (m < count || (m % LOOK_EVERY !== 0 && beta > 0)) return false;
    const { values, vectors } = ritzPairs(found);
    const largest = Math.max(Math.abs(values[0]), Math.abs(values[m - 1]));
    const wanted = order(values).slice(0, count);
    // A complete space holds no further eigenvalues than these: others may wait outside it.
    return (
      beta > 0 && wanted.every((i) => beta * Math.abs(vectors[i * m + m - 1]) <= 0.5 * tolerance * largest)
    );
  };
  const found = await lanczos(operator, {
    steps: Math.min(operator.size, products),
    start,
    isEnough,
    restart: (steps) => normalVector(operator.size, seed, "lanczos", steps),
    signal,
  });
  const { values, vectors } = ritzPairs(found);
  const m = found.diagonal.length;
  const largest = Math.max(Math.abs(values[0]), Math.abs(values[m - 1]));
  const wanted = order(values).slice(0, count);
  const pairs = wanted.map((i) => {
    const vector = new Float64Array(operator.size);
    found.basis.forEach((q, k) => {
      addScaledInto(vector, vectors[i * m + k], q);
    });
    return { value: values[i], vector: withSign(scaled(vector, 1 / norm(vector))) };
  });
  const residuals = new Float64Array(pairs.length);
  for (const [k, { value, vector }] of pairs.entries()) {
    const image = await operator.apply(vector, signal);
    addScaledInto(image, -value, vector);
    residuals[k] = norm(image);
  }
  return {
    values: Float64Array.from(pairs, ({ value }) => value),
    vectors: pairs.map(({ vector }) => vector),
    residuals,
    isConverged: residuals.every((residual) => residual <= tolerance * largest || residual === 0),
    products: m + pairs.length,
  };
}

function orderBy(which: string): (values: Float64Array) => number[] {
  const orders: Readonly<Record<string, (values: Float64Array) => number[]>> = {
    magnitude: (values) => ordered(values, (value) => -Math.abs(value)),
    largest: (values) => ordered(values, (value) => -value),
    smallest: (values) => ordered(values, (value) => value),
    ends(values) {
      const falling = ordered(values, (value) => -value);
      return falling.map((_, k) => falling.at(k % 2 === 0 ? k / 2 : -(k + 1) / 2) as number);
    },
  };
  const order = Object.hasOwn(orders, which) ? orders[which] : undefined;
  if (order !== undefined) return order;
  const known = Object.keys(orders).map((name) => JSON.stringify(name));
  throw new InvalidOptionError("which", `one of ${known.join(", ")}`, JSON.stringify(which));
}

function ordered(values: Float64Array, key: (value: number) => number): number[] {
  return Array.from(values, (_, i) => i).sort((a, b) => key(values[a]) - key(values[b]) || a - b);
}

/** The vector or its negative: the entry of largest magnitude is positive. */
function withSign(vector: Float64Array): Float64Array {
  let largest = 0;
  for (const value of vector) if (Math.abs(value) > Math.abs(largest)) largest = value;
  return largest < 0 ? scaled(vector, -1) : vector;
}
