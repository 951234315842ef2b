/**
 * Kernels over weight vectors. Rows are float32 arrays of equal length; every sum is float64. Four accumulators break
 * the chain of dependent additions, which otherwise costs more than the reads.
 *
 * @see row-vectors.ts for those over many rows at a time.
 */

/** Returns a·b (float64). */
export function dot(a: Float32Array, b: Float32Array): number {
  const n = a.length;
  const whole = n - (n % 4);
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let c = 0; c < whole; c += 4) {
    s0 += a[c] * b[c];
    s1 += a[c + 1] * b[c + 1];
    s2 += a[c + 2] * b[c + 2];
    s3 += a[c + 3] * b[c + 3];
  }
  for (let c = whole; c < n; c++) s0 += a[c] * b[c];
  return s0 + s1 + (s2 + s3);
}

/** Returns (a − c)·(b − c) (float64, differences taken in float64). */
export function differencesDot(a: Float32Array, b: Float32Array, c: Float32Array): number {
  const n = a.length;
  const whole = n - (n % 4);
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let i = 0; i < whole; i += 4) {
    s0 += (a[i] - c[i]) * (b[i] - c[i]);
    s1 += (a[i + 1] - c[i + 1]) * (b[i + 1] - c[i + 1]);
    s2 += (a[i + 2] - c[i + 2]) * (b[i + 2] - c[i + 2]);
    s3 += (a[i + 3] - c[i + 3]) * (b[i + 3] - c[i + 3]);
  }
  for (let i = whole; i < n; i++) s0 += (a[i] - c[i]) * (b[i] - c[i]);
  return s0 + s1 + (s2 + s3);
}

/**
 * Adds X·Xᵀ into the lower triangle of `gram` (rows, rows) in float64; X (rows, columns) float32.
 * Cost: O(rows²·columns).
 */
export function addGramExactInto(
  gram: Float64Array,
  block: Float32Array,
  rows: number,
  columns: number,
): void {
  for (let i = 0; i < rows; i++) {
    const a = block.subarray(i * columns, (i + 1) * columns);
    for (let j = 0; j <= i; j++) {
      const value = dot(a, block.subarray(j * columns, (j + 1) * columns));
      gram[i * rows + j] = gram[i * rows + j] + value;
    }
  }
}

/** From this share of non-zero entries on the blocked dense loop is faster (measured at n = 500…2000). */
const denseFrom = 0.4;

/** Returns the share of entries that are not 0. */
export function densityOf(values: Float64Array): number {
  let entries = 0;
  for (const value of values) if (value !== 0) entries++;
  return entries / values.length;
}

/**
 * Returns V·Vᵀ (n, n) in float64 JavaScript for a dense row-major V (n, m).
 *
 * Equal rows give bit-equal entries. Cost: n²·m/2 multiply-adds dense, about density² of that where V has many
 * zeros.
 *
 * @param density - of V; it decides between the dense and the sparse loop.
 */
export function rowGram(v: Float64Array, n: number, m: number, density = densityOf(v)): Float64Array {
  const gram = density < denseFrom ? sparseGram(v, n, m, Math.round(density * v.length)) : denseGram(v, n, m);
  mirrorLowerInto(gram, n);
  return gram;
}

/** Side of the squares in which a matrix is mirrored: what is read and what is written stay in the first cache. */
const MIRROR_SIDE = 32;

/** Copies the lower triangle of a matrix (n, n) to the upper one. */
export function mirrorLowerInto(matrix: Float64Array, n: number): void {
  for (let rows = 0; rows < n; rows += MIRROR_SIDE) {
    for (let columns = 0; columns <= rows; columns += MIRROR_SIDE) mirrorSquareInto(matrix, n, rows, columns);
  }
}

function mirrorSquareInto(matrix: Float64Array, n: number, rows: number, columns: number): void {
  for (let i = rows; i < Math.min(n, rows + MIRROR_SIDE); i++) {
    const end = Math.min(i, columns + MIRROR_SIDE);
    for (let j = columns; j < end; j++) matrix[j * n + i] = matrix[i * n + j];
  }
}

/** Lower triangle, three rows by three rows in registers, over column blocks that fit the first cache. */
function denseGram(v: Float64Array, n: number, m: number): Float64Array {
  const padded = Math.ceil(n / 3) * 3;
  const gram = new Float64Array(n * n);
  const width = 512;
  const block = new Float64Array(padded * width);
  const tile = new Float64Array(9);
  for (let from = 0; from < m; from += width) {
    const size = Math.min(width, m - from);
    for (let i = 0; i < n; i++) {
      block.set(v.subarray(i * m + from, i * m + from + size), i * width);
      block.fill(0, i * width + size, (i + 1) * width);
    }
    for (let i = 0; i < padded; i += 3) {
      for (let j = 0; j <= i; j += 3) {
        tileInto(tile, block, i * width, j * width, width, size);
        for (let r = 0; r < 3 && i + r < n; r++) {
          const to = (i + r) * n + j;
          for (let c = 0; c < 3 && j + c < n; c++) gram[to + c] = gram[to + c] + tile[3 * r + c];
        }
      }
    }
  }
  return gram;
}

/** The nine inner products of three rows at `a` with three rows at `b`. */
function tileInto(
  tile: Float64Array,
  x: Float64Array,
  a: number,
  b: number,
  width: number,
  size: number,
): void {
  let [s00, s01, s02, s10, s11, s12, s20, s21, s22] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let k = 0; k < size; k++) {
    const a0 = x[a + k];
    const a1 = x[a + width + k];
    const a2 = x[a + 2 * width + k];
    const b0 = x[b + k];
    const b1 = x[b + width + k];
    const b2 = x[b + 2 * width + k];
    s00 += a0 * b0;
    s01 += a0 * b1;
    s02 += a0 * b2;
    s10 += a1 * b0;
    s11 += a1 * b1;
    s12 += a1 * b2;
    s20 += a2 * b0;
    s21 += a2 * b1;
    s22 += a2 * b2;
  }
  tile[0] = s00;
  tile[1] = s01;
  tile[2] = s02;
  tile[3] = s10;
  tile[4] = s11;
  tile[5] = s12;
  tile[6] = s20;
  tile[7] = s21;
  tile[8] = s22;
}

/** Lower triangle by rows: each non-zero v_ik adds v_ik·v_jk for the rows j ≤ i of column k. */
function sparseGram(v: Float64Array, n: number, m: number, entries: number): Float64Array {
  const gram = new Float64Array(n * n);
  const starts = new Int32Array(m + 1);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < m; k++) if (v[i * m + k] !== 0) starts[k + 1] = starts[k + 1] + 1;
  }
  for (let k = 0; k < m; k++) starts[k + 1] = starts[k + 1] + starts[k];
  // Columns grow as rows are visited: column k holds the rows 0…i when row i is multiplied.
  const ends = starts.slice(0, m);
  const rows = new Int32Array(entries);
  const values = new Float64Array(entries);
  const sums = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    sums.fill(0, 0, i + 1);
    for (let k = 0; k < m; k++) {
      const value = v[i * m + k];
      if (value === 0) continue;
      rows[ends[k]] = i;
      values[ends[k]] = value;
      const end = ++ends[k];
      for (let p = starts[k]; p < end; p++) sums[rows[p]] = sums[rows[p]] + value * values[p];
    }
    gram.set(sums.subarray(0, i + 1), i * n);
  }
  return gram;
}
