/** Which filter each entry of a tensor belongs to. */
export interface FilterIndexer {
  /** Number of filters. */
  readonly count: number;
  /** Returns the filter of the entry at a flat, row-major index. */
  readonly filterOf: (index: number) => number;
}

/**
 * Returns the filters of a weight tensor: entries that agree in the coordinates along `filterAxes`.
 *
 * Filters are numbered in row-major order of those coordinates. null or no axes: the whole tensor is one.
 */
export function filterIndexer(shape: readonly number[], filterAxes: readonly number[] | null): FilterIndexer {
  const axes = filterAxes ?? [];
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const count = axes.reduce((product, axis) => product * shape[axis], 1);
  if (axes.length === 0) return { count: 1, filterOf: () => 0 };
  if (axes.length === 1) {
    const [stride, size] = [strides[axes[0]], shape[axes[0]]];
    return { count, filterOf: (index) => Math.floor(index / stride) % size };
  }
  const parts = axes.map((axis) => ({ stride: strides[axis], size: shape[axis] }));
  return {
    count,
    filterOf: (index) =>
      parts.reduce((filter, { stride, size }) => filter * size + (Math.floor(index / stride) % size), 0),
  };
}

/**
 * Returns the Frobenius norm of each filter of a weight tensor (float64).
 *
 * @param values - the tensor, row-major.
 */
export function filterNorms(
  values: Float32Array,
  shape: readonly number[],
  filterAxes: readonly number[] | null,
): Float64Array {
  const { count, filterOf } = filterIndexer(shape, filterAxes);
  const squares = new Float64Array(count);
  for (let i = 0; i < values.length; i++) squares[filterOf(i)] += values[i] * values[i];
  return squares.map(Math.sqrt);
}
