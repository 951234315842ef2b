import type { LandscapeWarning } from "../base/warning.js";
import { type LinearAlgebra, openGram } from "../math/linear-algebra.js";
import { mirrorLowerInto } from "../math/row-kernels.js";
import type { PointRows } from "./distance-source.js";

/** Columns a block, so that a float32 sum stays short. */
const blockColumns = 16_384;
/** Below this many multiply-adds the product is formed here, in float64. */
const smallProduct = 3e8;

/** Inner products of points. */
export interface PointGram {
  /** (N, N), float64, row-major. */
  readonly gram: Float64Array;
  /** Why something slower multiplied than is installed. */
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Returns the Gram matrix (N, N) of N points: of the points as they are, or of the points minus their mean.
 *
 * The mean is subtracted in float64 before anything is multiplied, and put back afterwards where it is
 * wanted, so that the float32 products of the port err relative to the spread of the points and not to
 * their distance from the origin. Cost: N²·D/2 multiply-adds.
 */
export async function pointGram(
  points: PointRows,
  algebra: LinearAlgebra,
  centered: boolean,
): Promise<PointGram> {
  const { count: n, dimension } = points;
  if (n * n * dimension < smallProduct) {
    const gram = await sumGram(points, centered, async (sum, block, width) =>
      addExactGramInto(sum, block, n, width),
    );
    return { gram, warnings: [] };
  }
  const adder = await openGram(algebra, n);
  try {
    const gram = await sumGram(points, centered, (sum, block, width) =>
      adder.addInto(sum, Float32Array.from(block), width),
    );
    return { gram, warnings: adder.warnings };
  } finally {
    await adder.close();
  }
}

/** @param addInto - adds products to the lower triangle. */
async function sumGram(
  points: PointRows,
  centered: boolean,
  addInto: (gram: Float64Array, block: Float64Array, width: number) => Promise<void>,
): Promise<Float64Array> {
  const { rows, count: n, dimension } = points;
  const gram = new Float64Array(n * n);
  // With the mean μ: x_i·x_j = (x_i − μ)·(x_j − μ) + μ·x_i + μ·x_j − μ·μ.
  const withMean = new Float64Array(n);
  let meanSquare = 0;
  for (let from = 0; from < dimension; from += blockColumns) {
    const width = Math.min(blockColumns, dimension - from);
    const means = blockMeans(points, from, width);
    const block = new Float64Array(n * width);
    for (let i = 0; i < n; i++) {
      for (let c = 0; c < width; c++) {
        const value = rows[i * dimension + from + c];
        block[i * width + c] = value - means[c];
        withMean[i] = withMean[i] + means[c] * value;
      }
    }
    for (const mean of means) meanSquare += mean * mean;
    await addInto(gram, block, width);
  }
  mirrorLowerInto(gram, n);
  if (centered) return gram;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) gram[i * n + j] = gram[i * n + j] + withMean[i] + withMean[j] - meanSquare;
  }
  return gram;
}

function blockMeans({ rows, count, dimension }: PointRows, from: number, width: number): Float64Array {
  const means = new Float64Array(width);
  for (let i = 0; i < count; i++) {
    const at = i * dimension + from;
    for (let c = 0; c < width; c++) means[c] = means[c] + rows[at + c];
  }
  return means.map((sum) => sum / count);
}

function addExactGramInto(gram: Float64Array, block: Float64Array, n: number, width: number): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let c = 0; c < width; c++) sum += block[i * width + c] * block[j * width + c];
      gram[i * n + j] = gram[i * n + j] + sum;
    }
  }
}

/** Returns the inner products (M, N) of M points with N others of the same dimension, in float64. */
export function crossProducts(points: PointRows, targets: PointRows): Float64Array {
  const { dimension } = targets;
  const products = new Float64Array(points.count * targets.count);
  for (let i = 0; i < points.count; i++) {
    for (let j = 0; j < targets.count; j++) {
      let sum = 0;
      for (let c = 0; c < dimension; c++) {
        sum += points.rows[i * dimension + c] * targets.rows[j * dimension + c];
      }
      products[i * targets.count + j] = sum;
    }
  }
  return products;
}

/** Means of a Gram matrix, which centre it and the products of other points with its points. */
export interface GramMeans {
  /** Mean of each column (N). */
  readonly columns: Float64Array;
  /** Mean of all entries. */
  readonly grand: number;
}

/** Returns the means of a Gram matrix (N, N). */
export function gramMeans(gram: Float64Array, n: number): GramMeans {
  const columns = new Float64Array(n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) columns[j] = columns[j] + gram[i * n + j] / n;
  return { columns, grand: columns.reduce((sum, value) => sum + value, 0) / n };
}

/** Returns the Gram matrix (N, N) of the points minus their mean. */
export function centeredGram(gram: Float64Array, n: number): Float64Array {
  return centeredProducts(gram, n, gramMeans(gram, n));
}

/** Returns products (M, N) of other points with N points as if both had the mean of the N subtracted. */
export function centeredProducts(products: Float64Array, n: number, means: GramMeans): Float64Array {
  const out = new Float64Array(products.length);
  for (let i = 0; i < products.length / n; i++) {
    let mean = 0;
    for (let j = 0; j < n; j++) mean += products[i * n + j] / n;
    for (let j = 0; j < n; j++) out[i * n + j] = products[i * n + j] - mean - means.columns[j] + means.grand;
  }
  return out;
}
