import type { SparseMatrix } from "./sparse-matrix.js";

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
