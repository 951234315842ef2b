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

function planarInto(out: Float64Array, distances: Float64Array, x: Float64Array, n: number): number {
  let stress = 0;
  for (let i = 1; i < n; i++) {
    const xi = x[2 * i];
    const yi = x[2 * i + 1];
    const row = i * n;
    let sumX = 0;
    let sumY = 0;
    for (let j = 0; j < i; j++) {
      const dx = xi - x[2 * j];
      const dy = yi - x[2 * j + 1];
      const length = Math.sqrt(dx * dx + dy * dy);
      const delta = distances[row + j];
      stress += (length - delta) * (length - delta);
      const ratio = delta / (length > 0 ? length : 1e-5);
      const gx = ratio * dx;
      const gy = ratio * dy;
      sumX += gx;
      sumY += gy;
      out[2 * j] = out[2 * j] - gx;
      out[2 * j + 1] = out[2 * j + 1] - gy;
    }
    out[2 * i] = out[2 * i] + sumX;
    out[2 * i + 1] = out[2 * i + 1] + sumY;
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
