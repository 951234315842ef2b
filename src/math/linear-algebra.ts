import type { LandscapeWarning } from "../base/warning.js";
import { mirrorLowerInto } from "./row-kernels.js";

/** Eigen-decomposition of a real symmetric matrix, largest eigenvalue first. */
export interface SymmetricEigen {
  /** Eigenvalues (n), non-increasing. */
  readonly values: Float64Array;
  /** Eigenvectors as rows (n, n), row-major: row i belongs to `values[i]` and has length 1. */
  readonly vectors: Float64Array;
}

/** Rows from which a Gram matrix is much larger than the processor's caches. */
const MANY_ROWS = 2000;

/**
 * Columns of a block of `addGramInto` at least: to add a product to the Gram matrix costs as much as some 100 columns of
 * it, and as much as many more where the matrix is larger than the caches.
 */
export function leastGramColumns(rows: number): number {
  return rows < MANY_ROWS ? 384 : 2048;
}

/** Blocks multiplied in one call: fewer calls, and still within the third cache. */
const BLOCKS_PER_CALL = 4;
/** float32 values of a block up to which others in its call gain anything: more are larger than the caches by themselves. */
const SHARED_VALUES = 1_600_000;

/** Returns how many blocks of a size are worth a call of `addGramInto` together. */
export function gramBlocksPerCall(rows: number, columns: number): number {
  return rows * columns > SHARED_VALUES ? 1 : BLOCKS_PER_CALL;
}

/** Adds products X·Xᵀ of matrices of a certain number of rows. Whoever opens one closes it. */
export interface GramAdder {
  /** What multiplies, for provenance: the name of the linear algebra, or that of a library that it hands the work to. */
  readonly name: string;
  /** Why something slower multiplies than is installed. */
  readonly warnings: readonly LandscapeWarning[];
  /**
   * As `addGramInto` of the linear algebra, but what lies above the diagonal may be left as it is: `mirrorLowerInto`
   * completes the matrix once, after the last block.
   */
  addInto(gram: Float64Array, blocks: Float32Array, columns: number, count?: number): Promise<void>;
  /** Frees what was prepared; after the last call has ended. */
  close(): Promise<void>;
}

/** An adder that prepares nothing. */
export function plainGramAdder(name: string, addInto: GramAdder["addInto"]): GramAdder {
  return { name, warnings: [], addInto, close: async () => undefined };
}

/**
 * `addGramInto` by what adds to one triangle, which it closes.
 *
 * Memory: one more matrix (rows, rows).
 */
export async function addGramBy(
  adder: GramAdder,
  gram: Float64Array,
  blocks: Float32Array,
  rows: number,
  columns: number,
  count?: number,
): Promise<void> {
  try {
    const sum = new Float64Array(rows * rows);
    await adder.addInto(sum, blocks, columns, count);
    mirrorLowerInto(sum, rows);
    for (let i = 0; i < sum.length; i++) gram[i] += sum[i];
  } finally {
    await adder.close();
  }
}

/** Opens what adds the Gram products of matrices of `rows` rows: the port's own, or call by call. */
export async function openGram(algebra: LinearAlgebra, rows: number): Promise<GramAdder> {
  if (algebra.openGram !== undefined) return algebra.openGram(rows);
  return plainGramAdder(algebra.name, (gram, blocks, columns, count) =>
    algebra.addGramInto(gram, blocks, rows, columns, count),
  );
}

/**
 * The heavy linear algebra that pure code needs, behind a port.
 *
 * Pure folders (`math/`, `directions/`, `embedding/`) take an object of this
 * interface; `src/backend/` implements it for native TensorFlow, WASM, worker threads and plain
 * JavaScript. All matrices are flat and row-major. Implementations may compute products in float32
 * but sum blocks in float64.
 */
export interface LinearAlgebra {
  /** What does the work, for provenance: "native", "wasm", "js", … */
  readonly name: string;

  /** Whether `rowProducts` runs at the machine's rate, and not in JavaScript. Default: not. */
  readonly hasFastRowProducts?: boolean;

  /**
   * Adds Σ_b X_b·X_bᵀ into `gram`: the product of one wide matrix whose columns come in blocks, several at a time,
   * since every call has its price.
   *
   * @param gram - (rows, rows) float64, updated in place.
   * @param blocks - X_b (rows, columns) float32, one block after another.
   * @param count - number of blocks. Default 1.
   */
  addGramInto(
    gram: Float64Array,
    blocks: Float32Array,
    rows: number,
    columns: number,
    count?: number,
  ): Promise<void>;

  /**
   * Prepares many products of matrices of so many rows, in the place of `addGramInto`: who replaces one replaces both.
   * Default: nothing is prepared.
   */
  openGram?(rows: number): Promise<GramAdder>;

  /**
   * Returns A·B as float64 (rows, columns).
   *
   * @param a - A (rows, inner) float64.
   * @param b - B (inner, columns) float32.
   */
  multiply(
    a: Float64Array,
    b: Float32Array,
    rows: number,
    inner: number,
    columns: number,
  ): Promise<Float64Array>;

  /**
   * Returns A·Aᵀ (rows, rows) in float64 throughout.
   *
   * @param matrix - A (rows, columns) float64; the cost falls with its share of zeros.
   */
  rowProducts(matrix: Float64Array, rows: number, columns: number): Promise<Float64Array>;

  /** Returns all eigenpairs of a symmetric float64 matrix (n, n). */
  symmetricEigen(matrix: Float64Array, n: number): Promise<SymmetricEigen>;

  /** Returns the singular values (min(rows, columns)) of a float64 matrix, non-increasing. */
  singularValues(matrix: Float64Array, rows: number, columns: number): Promise<Float64Array>;
}
