import { InvalidDataError } from "../base/errors.js";

/** A real symmetric tridiagonal matrix. */
export interface Tridiagonal {
  /** Diagonal (n). */
  readonly diagonal: Float64Array;
  /** Sub-diagonal (n): entry i couples i − 1 and i, entry 0 is unused and 0. */
  readonly subdiagonal: Float64Array;
}

/**
 * Reduces a symmetric matrix to tridiagonal form with the same eigenvalues; destroys its lower triangle.
 *
 * Householder reflections from the last row upwards. The rank-two update of one step and the product
 * A·u of the next are fused into a single pass over the lower triangle, four rows at a time, so that each
 * entry is read and written once a step.
 * Cost: 2/3·n³ multiply-adds, n²/2 entries of memory traffic a step.
 *
 * @param a - (n, n) row-major; only the lower triangle is read and it is overwritten.
 * @see Golub & Van Loan, Matrix Computations, section 8.3.1.
 */
export function tridiagonalizeInto(a: Float64Array, n: number): Tridiagonal {
  const diagonal = new Float64Array(n);
  const subdiagonal = new Float64Array(n);
  // A ← A − v·wᵀ − w·vᵀ is pending until the next pass over the matrix.
  let v = new Float64Array(n);
  let w = new Float64Array(n);
  let u = new Float64Array(n);
  let p = new Float64Array(n);
  for (let i = n - 1; i >= 0; i--) {
    const row = i * n;
    for (let j = 0; j <= i; j++) a[row + j] = a[row + j] - v[i] * w[j] - w[i] * v[j];
    diagonal[i] = a[row + i];
    if (i === 0) break;
    subdiagonal[i] = reflectorInto(u, a.subarray(row, row + i));
    p.fill(0, 0, i);
    updateAndMultiplyInto(p, a, n, i, v, w, u);
    // Two-sided reflection H·A·H, H = I − u·uᵀ with |u|² = 2: A − u·qᵀ − q·uᵀ, q = A·u − (uᵀ·A·u / 2)·u.
    let half = 0;
    for (let j = 0; j < i; j++) half += p[j] * u[j];
    half /= 2;
    for (let j = 0; j < i; j++) p[j] = p[j] - half * u[j];
    [v, w, u, p] = [u, p, v, w];
  }
  return { diagonal, subdiagonal };
}

/** Writes u with |u|² = 2 (or 0) so that (I − u·uᵀ)·x is zero but for its last entry, which it returns. */
function reflectorInto(u: Float64Array, x: Float64Array): number {
  const last = x.length - 1;
  let scale = 0;
  for (let j = 0; j < last; j++) scale = Math.max(scale, Math.abs(x[j]));
  if (scale === 0) {
    u.fill(0, 0, last + 1);
    return x[last];
  }
  scale = Math.max(scale, Math.abs(x[last]));
  let sum = 0;
  for (let j = 0; j < last; j++) sum += (x[j] / scale) ** 2;
  const alpha = x[last] / scale;
  const norm = Math.sqrt(sum + alpha * alpha);
  const beta = alpha > 0 ? -norm : norm;
  const head = alpha - beta;
  const length = Math.sqrt((sum + head * head) / 2);
  for (let j = 0; j < last; j++) u[j] = x[j] / scale / length;
  u[last] = head / length;
  return beta * scale;
}

/** Applies A −= v·wᵀ + w·vᵀ to the leading (m, m) lower triangle and adds A·u to `p`. */
function updateAndMultiplyInto(
  p: Float64Array,
  a: Float64Array,
  n: number,
  m: number,
  v: Float64Array,
  w: Float64Array,
  u: Float64Array,
): void {
  let r = 0;
  for (; r + 3 < m; r += 4) {
    updateFourRowsInto(p, a, n, r, v, w, u);
    for (let i = r; i < r + 4; i++) updateRowInto(p, a, n, i, r, v, w, u);
  }
  for (; r < m; r++) updateRowInto(p, a, n, r, 0, v, w, u);
}

/** The columns before r of the rows r…r + 3. */
function updateFourRowsInto(
  p: Float64Array,
  a: Float64Array,
  n: number,
  r: number,
  v: Float64Array,
  w: Float64Array,
  u: Float64Array,
): void {
  const at0 = r * n;
  const at1 = at0 + n;
  const at2 = at1 + n;
  const at3 = at2 + n;
  const [v0, v1, v2, v3] = [v[r], v[r + 1], v[r + 2], v[r + 3]];
  const [w0, w1, w2, w3] = [w[r], w[r + 1], w[r + 2], w[r + 3]];
  const [u0, u1, u2, u3] = [u[r], u[r + 1], u[r + 2], u[r + 3]];
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  for (let j = 0; j < r; j++) {
    const vj = v[j];
    const wj = w[j];
    const uj = u[j];
    const x0 = a[at0 + j] - v0 * wj - w0 * vj;
    const x1 = a[at1 + j] - v1 * wj - w1 * vj;
    const x2 = a[at2 + j] - v2 * wj - w2 * vj;
    const x3 = a[at3 + j] - v3 * wj - w3 * vj;
    a[at0 + j] = x0;
    a[at1 + j] = x1;
    a[at2 + j] = x2;
    a[at3 + j] = x3;
    s0 += x0 * uj;
    s1 += x1 * uj;
    s2 += x2 * uj;
    s3 += x3 * uj;
    p[j] = p[j] + (x0 * u0 + x1 * u1 + (x2 * u2 + x3 * u3));
  }
  p[r] = p[r] + s0;
  p[r + 1] = p[r + 1] + s1;
  p[r + 2] = p[r + 2] + s2;
  p[r + 3] = p[r + 3] + s3;
}

/** The columns from…i of row i. */
function updateRowInto(
  p: Float64Array,
  a: Float64Array,
  n: number,
  i: number,
  from: number,
  v: Float64Array,
  w: Float64Array,
  u: Float64Array,
): void {
  const row = i * n;
  let sum = 0;
  for (let j = from; j < i; j++) {
    const x = a[row + j] - v[i] * w[j] - w[i] * v[j];
    a[row + j] = x;
    sum += x * u[j];
    p[j] = p[j] + x * u[i];
  }
  const last = a[row + i] - 2 * v[i] * w[i];
  a[row + i] = last;
  p[i] = p[i] + sum + last * u[i];
}

/**
 * Returns the eigenvalues of a symmetric tridiagonal matrix, largest first.
 *
 * QL iteration with implicit shifts, without vectors; destroys its argument. Cost: O(n²).
 *
 * The error is of the order of ε times the largest entry (or 1e-150 where all are smaller).
 *
 * @throws {@link InvalidDataError} if an entry is not finite.
 * @see Golub & Van Loan, Matrix Computations, section 8.3.3.
 */
export function tridiagonalEigenvaluesInto({ diagonal: d, subdiagonal }: Tridiagonal): Float64Array {
  const n = d.length;
  const e = new Float64Array(n);
  e.set(subdiagonal.subarray(1));
  let largest = 0;
  for (let i = 0; i < n; i++) largest += Math.abs(d[i]) + Math.abs(e[i]);
  if (!Number.isFinite(largest)) {
    throw new InvalidDataError("tridiagonal matrix", "finite numbers", String(largest));
  }
  // Couplings below this change no eigenvalue; squares of such numbers would underflow.
  const floor = Math.max(1e-32 * largest, 1e-150);
  for (let l = 0; l < n; l++) {
    for (let iteration = 0; ; iteration++) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]) > floor + Number.EPSILON * (Math.abs(d[m]) + Math.abs(d[m + 1])))
        m++;
      if (m === l) break;
      if (iteration === 60) throw new Error(`eigenvalue ${l}: no convergence in 60 iterations`);
      qlStep(d, e, l, m);
    }
  }
  return d.sort().reverse();
}

/** One implicit QL sweep over the unreduced block l…m, with Wilkinson's shift. */
function qlStep(d: Float64Array, e: Float64Array, l: number, m: number): void {
  const slope = (d[l + 1] - d[l]) / (2 * e[l]);
  const root = Math.hypot(slope, 1);
  let g = d[m] - d[l] + e[l] / (slope + (slope < 0 ? -root : root));
  let s = 1;
  let c = 1;
  let shift = 0;
  for (let i = m - 1; i >= l; i--) {
    const f = s * e[i];
    const b = c * e[i];
    const r = Math.sqrt(f * f + g * g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1] = d[i + 1] - shift;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - shift;
    const t = (d[i] - g) * s + 2 * c * b;
    shift = s * t;
    d[i + 1] = g + shift;
    g = c * t - b;
  }
  d[l] = d[l] - shift;
  e[l] = g;
  e[m] = 0;
}

/**
 * Returns the singular values of a matrix, without vectors, in plain JavaScript.
 *
 * They are the square roots of the eigenvalues of A·Aᵀ (or AᵀA, whichever is smaller). Squaring costs
 * accuracy at the small end only: the absolute error of σ is about ε·σ₁²/σ, so 1e-13·σ₁ at
 * σ = 1e-3·σ₁; what lies below 6e-8·σ₁ cannot be told from zero and is returned as 0.
 * Cost: 2/3·n³ multiply-adds for n = min(rows, columns), plus one product that skips zeros.
 *
 * @param matrix - (rows, columns) row-major; not changed.
 * @returns (min(rows, columns)) values, non-increasing.
 */
export function singularValues(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const wide = rows <= columns;
  const n = wide ? rows : columns;
  const gram = new Float64Array(n * n);
  if (wide) addRowGramInto(gram, matrix, rows, columns);
  else addColumnGramInto(gram, matrix, rows, columns);
  const values = tridiagonalEigenvaluesInto(tridiagonalizeInto(gram, n));
  const floor = 16 * Number.EPSILON * (values[0] ?? 0);
  return values.map((value) => (value > floor ? Math.sqrt(value) : 0));
}

/** Adds A·Aᵀ (lower triangle), column by column through the transpose, skipping zeros. */
function addRowGramInto(gram: Float64Array, matrix: Float64Array, rows: number, columns: number): void {
  const transposed = new Float64Array(matrix.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) transposed[j * rows + i] = matrix[i * columns + j];
  }
  addColumnGramInto(gram, transposed, columns, rows);
}

/** Adds AᵀA (lower triangle) as a sum of outer products of rows, skipping zeros. */
function addColumnGramInto(gram: Float64Array, matrix: Float64Array, rows: number, columns: number): void {
  const indices = new Int32Array(columns);
  const values = new Float64Array(columns);
  for (let i = 0; i < rows; i++) {
    let count = 0;
    for (let j = 0; j < columns; j++) {
      const value = matrix[i * columns + j];
      if (value === 0) continue;
      indices[count] = j;
      values[count++] = value;
    }
    for (let p = 0; p < count; p++) {
      const row = indices[p] * columns;
      const value = values[p];
      for (let q = 0; q <= p; q++) gram[row + indices[q]] = gram[row + indices[q]] + value * values[q];
    }
  }
}
