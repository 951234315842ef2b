/** A real matrix in compressed sparse rows. */
export interface SparseMatrix {
  readonly rows: number;
  readonly columns: number;
  /** Where each row's entries begin (rows + 1). */
  readonly offsets: Int32Array;
  /** Column of each entry, ascending within a row. */
  readonly indices: Int32Array;
  /** Value of each entry, float64. */
  readonly values: Float64Array;
}

/** The entries of one row of a sparse matrix, columns ascending. */
export interface SparseRow {
  readonly indices: Int32Array;
  readonly values: Float64Array;
}

/** Joins rows into a sparse matrix with the given number of columns. */
export function sparseFromRows(rows: readonly SparseRow[], columns: number): SparseMatrix {
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach((row, i) => {
    offsets[i + 1] = offsets[i] + row.indices.length;
  });
  const indices = new Int32Array(offsets[rows.length]);
  const values = new Float64Array(offsets[rows.length]);
  rows.forEach((row, i) => {
    indices.set(row.indices, offsets[i]);
    values.set(row.values, offsets[i]);
  });
  return { rows: rows.length, columns, offsets, indices, values };
}

/** Returns the sparse form of a dense row-major (rows, columns) matrix: every entry that is not 0. */
export function sparseFromDense(dense: Float64Array, rows: number, columns: number): SparseMatrix {
  const list: SparseRow[] = [];
  for (let i = 0; i < rows; i++) {
    const row = dense.subarray(i * columns, (i + 1) * columns);
    const indices = Int32Array.from(row.keys()).filter((j) => row[j] !== 0);
    list.push({ indices, values: Float64Array.from(indices, (j) => row[j]) });
  }
  return sparseFromRows(list, columns);
}

/** Returns the dense row-major form (rows, columns). */
export function denseFromSparse({ rows, columns, offsets, indices, values }: SparseMatrix): Float64Array {
  const dense = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let p = offsets[i]; p < offsets[i + 1]; p++) dense[i * columns + indices[p]] = values[p];
  }
  return dense;
}

/** Returns the transpose; columns stay ascending within each row. */
export function transposeSparse({ rows, columns, offsets, indices, values }: SparseMatrix): SparseMatrix {
  const transposedOffsets = new Int32Array(columns + 1);
  for (const j of indices) transposedOffsets[j + 1] = transposedOffsets[j + 1] + 1;
  for (let j = 0; j < columns; j++) {
    transposedOffsets[j + 1] = transposedOffsets[j + 1] + transposedOffsets[j];
  }
  const next = transposedOffsets.slice(0, columns);
  const transposedIndices = new Int32Array(indices.length);
  const transposedValues = new Float64Array(indices.length);
  for (let i = 0; i < rows; i++) {
    for (let p = offsets[i]; p < offsets[i + 1]; p++) {
      const at = next[indices[p]]++;
      transposedIndices[at] = i;
      transposedValues[at] = values[p];
    }
  }
  return {
    rows: columns,
    columns: rows,
    offsets: transposedOffsets,
    indices: transposedIndices,
    values: transposedValues,
  };
}

/** Returns the sum of each row (rows). */
export function rowSums({ rows, offsets, values }: SparseMatrix): Float64Array {
  const sums = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    for (let p = offsets[i]; p < offsets[i + 1]; p++) sums[i] = sums[i] + values[p];
  }
  return sums;
}

/** Returns the matrix with row i multiplied by `factors[i]`. */
export function scaleRows(matrix: SparseMatrix, factors: Float64Array): SparseMatrix {
  const values = matrix.values.slice();
  for (let i = 0; i < matrix.rows; i++) {
    for (let p = matrix.offsets[i]; p < matrix.offsets[i + 1]; p++) values[p] = values[p] * factors[i];
  }
  return { ...matrix, values };
}

/**
 * Returns S·X for a sparse S (rows, columns) and a dense row-major X (columns, width).
 *
 * Cost: entries·width multiply-adds.
 */
export function multiplySparseDense(s: SparseMatrix, x: Float64Array, width: number): Float64Array {
  const out = new Float64Array(s.rows * width);
  for (let i = 0; i < s.rows; i++) {
    const end = s.offsets[i + 1];
    let p = s.offsets[i];
    for (; p + 3 < end; p += 4) addFourRowsInto(out, i * width, s, p, x, width);
    for (; p < end; p++) addRowInto(out, i * width, s.values[p], x, s.indices[p] * width, width);
  }
  return out;
}

/** Adds the rows of x that four entries of s name, each by its value; a sum is read and written once for four. */
function addFourRowsInto(
  out: Float64Array,
  to: number,
  { indices, values }: SparseMatrix,
  p: number,
  x: Float64Array,
  width: number,
): void {
  const from0 = indices[p] * width;
  const from1 = indices[p + 1] * width;
  const from2 = indices[p + 2] * width;
  const from3 = indices[p + 3] * width;
  const v0 = values[p];
  const v1 = values[p + 1];
  const v2 = values[p + 2];
  const v3 = values[p + 3];
  for (let j = 0; j < width; j++) {
    const pairs = v0 * x[from0 + j] + v1 * x[from1 + j] + (v2 * x[from2 + j] + v3 * x[from3 + j]);
    out[to + j] = out[to + j] + pairs;
  }
}

function addRowInto(
  out: Float64Array,
  to: number,
  value: number,
  x: Float64Array,
  from: number,
  width: number,
): void {
  for (let j = 0; j < width; j++) out[to + j] = out[to + j] + value * x[from + j];
}

/** Returns the sparse product A·B. Cost: one multiply-add for each pair of entries that meet. */
export function multiplySparse(a: SparseMatrix, b: SparseMatrix): SparseMatrix {
  const sums = new Float64Array(b.columns);
  const list: SparseRow[] = [];
  for (let i = 0; i < a.rows; i++) {
    const touched = new Set<number>();
    for (let p = a.offsets[i]; p < a.offsets[i + 1]; p++) {
      const k = a.indices[p];
      for (let q = b.offsets[k]; q < b.offsets[k + 1]; q++) {
        const j = b.indices[q];
        touched.add(j);
        sums[j] = sums[j] + a.values[p] * b.values[q];
      }
    }
    const indices = Int32Array.from(touched).sort();
    list.push({ indices, values: Float64Array.from(indices, (j) => sums[j]) });
    for (const j of indices) sums[j] = 0;
  }
  return sparseFromRows(list, b.columns);
}

/** Connected components of a graph. */
export interface ConnectedComponents {
  /** How many there are. */
  readonly count: number;
  /** Component of each vertex (N), numbered by their smallest vertex. */
  readonly labels: Int32Array;
  /** Vertices in each component (count). */
  readonly sizes: Int32Array;
}

/** Returns the connected components of a graph whose edges are the entries of a symmetric matrix (N, N). */
export function connectedComponents({ rows, offsets, indices }: SparseMatrix): ConnectedComponents {
  const labels = new Int32Array(rows).fill(-1);
  const sizes: number[] = [];
  const stack: number[] = [];
  for (let start = 0; start < rows; start++) {
    if (labels[start] >= 0) continue;
    const label = sizes.push(0) - 1;
    labels[start] = label;
    stack.push(start);
    while (stack.length > 0) {
      const i = stack.pop() as number;
      sizes[label] = sizes[label] + 1;
      for (let p = offsets[i]; p < offsets[i + 1]; p++) {
        if (labels[indices[p]] >= 0) continue;
        labels[indices[p]] = label;
        stack.push(indices[p]);
      }
    }
  }
  return { count: sizes.length, labels, sizes: Int32Array.from(sizes) };
}

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
