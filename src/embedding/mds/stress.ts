/** An embedding by multidimensional scaling. */
export interface MdsResult {
  /** Coordinates (n, k), row-major, centred. */
  readonly embedding: Float64Array;
  /** Σ_{i<j} (|x_i − x_j| − δ_ij)². */
  readonly stress: number;
  /** Iterations, or sweeps over all pairs, done. */
  readonly iterations: number;
}

/** Returns the stress Σ_{i<j} (|x_i − x_j| − δ_ij)² of coordinates (n, k) for distances (n, n). */
export function stressOf(x: Float64Array, distances: Float64Array, n: number, k: number): number {
  return guttmanInto(new Float64Array(n * k), distances, x, n, k);
}

/**
 * Writes the Guttman transform of x, (1/n)·Σ_j (δ_ij/d_ij)·(x_i − x_j), and returns the stress of x.
 *
 * The gradient of the stress is 2n·(x − transform) for centred x. Points that coincide count as 1e-5 apart.
 * Cost: O(n²·k), one pass over the lower triangle of the distances.
 */
export function guttmanInto(
  out: Float64Array,
  distances: Float64Array,
  x: Float64Array,
  n: number,
  k: number,
): number {
  out.fill(0);
  const stress = k === 2 ? planarInto(out, distances, x, n) : spatialInto(out, distances, x, n, k);
  for (let p = 0; p < out.length; p++) out[p] = out[p] / n;
  return stress;
}

/** Two rows at a time, so that each other point is read and written once for two pairs. */
function planarInto(out: Float64Array, distances: Float64Array, x: Float64Array, n: number): number {
  let stress = 0;
  let i = 0;
  for (; i + 1 < n; i += 2) stress += twoRowsInto(out, distances, x, n, i);
  if (i < n) stress += rowInto(out, distances, x, n, i, 0);
  return stress;
}

/** The pairs of the rows i and i + 1 with the points before them; compiled after some rows of the first transform. */
function twoRowsInto(
  out: Float64Array,
  distances: Float64Array,
  x: Float64Array,
  n: number,
  i: number,
): number {
  const row0 = i * n;
  const row1 = row0 + n;
  const x0 = x[2 * i];
  const y0 = x[2 * i + 1];
  const x1 = x[2 * i + 2];
  const y1 = x[2 * i + 3];
  let stress = 0;
  let sumX0 = 0;
  let sumY0 = 0;
  let sumX1 = 0;
  let sumY1 = 0;
  for (let j = 0; j < i; j++) {
    const xj = x[2 * j];
    const yj = x[2 * j + 1];
    const dx0 = x0 - xj;
    const dy0 = y0 - yj;
    const dx1 = x1 - xj;
    const dy1 = y1 - yj;
    const length0 = Math.sqrt(dx0 * dx0 + dy0 * dy0);
    const length1 = Math.sqrt(dx1 * dx1 + dy1 * dy1);
    const delta0 = distances[row0 + j];
    const delta1 = distances[row1 + j];
    stress += (length0 - delta0) * (length0 - delta0) + (length1 - delta1) * (length1 - delta1);
    const ratio0 = delta0 / (length0 > 0 ? length0 : 1e-5);
    const ratio1 = delta1 / (length1 > 0 ? length1 : 1e-5);
    sumX0 += ratio0 * dx0;
    sumY0 += ratio0 * dy0;
    sumX1 += ratio1 * dx1;
    sumY1 += ratio1 * dy1;
    out[2 * j] = out[2 * j] - ratio0 * dx0 - ratio1 * dx1;
    out[2 * j + 1] = out[2 * j + 1] - ratio0 * dy0 - ratio1 * dy1;
  }
  out[2 * i] = out[2 * i] + sumX0;
  out[2 * i + 1] = out[2 * i + 1] + sumY0;
  out[2 * i + 2] = out[2 * i + 2] + sumX1;
  out[2 * i + 3] = out[2 * i + 3] + sumY1;
  return stress + rowInto(out, distances, x, n, i + 1, i);
}

/** The pairs of point i with the points from `first` on that stand before it. */
function rowInto(
  out: Float64Array,
  distances: Float64Array,
  x: Float64Array,
  n: number,
  i: number,
  first: number,
): number {
  let stress = 0;
  for (let j = first; j < i; j++) {
    const dx = x[2 * i] - x[2 * j];
    const dy = x[2 * i + 1] - x[2 * j + 1];
    const length = Math.sqrt(dx * dx + dy * dy);
    const delta = distances[i * n + j];
    stress += (length - delta) * (length - delta);
    const ratio = delta / (length > 0 ? length : 1e-5);
    out[2 * i] = out[2 * i] + ratio * dx;
    out[2 * i + 1] = out[2 * i + 1] + ratio * dy;
    out[2 * j] = out[2 * j] - ratio * dx;
    out[2 * j + 1] = out[2 * j + 1] - ratio * dy;
  }
  return stress;
}

function spatialInto(
  out: Float64Array,
  distances: Float64Array,
  x: Float64Array,
  n: number,
  k: number,
): number {
  let stress = 0;
  for (let i = 1; i < n; i++) {
    for (let j = 0; j < i; j++) {
      let square = 0;
      for (let c = 0; c < k; c++) square += (x[i * k + c] - x[j * k + c]) ** 2;
      const length = Math.sqrt(square);
      const delta = distances[i * n + j];
      stress += (length - delta) ** 2;
      const ratio = delta / (length > 0 ? length : 1e-5);
      for (let c = 0; c < k; c++) {
        const g = ratio * (x[i * k + c] - x[j * k + c]);
        out[i * k + c] = out[i * k + c] + g;
        out[j * k + c] = out[j * k + c] - g;
      }
    }
  }
  return stress;
}

/** Returns the coordinates (n, k) minus their mean. */
export function centeredCoordinates(x: Float64Array, n: number, k: number): Float64Array {
  const out = x.slice();
  for (let c = 0; c < k; c++) {
    let mean = 0;
    for (let i = 0; i < n; i++) mean += x[i * k + c] / n;
    for (let i = 0; i < n; i++) out[i * k + c] = out[i * k + c] - mean;
  }
  return out;
}
