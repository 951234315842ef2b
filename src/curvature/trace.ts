import { inverse, Matrix } from "ml-matrix";
import { wholeNumber } from "../base/check-option.js";
import { EvaluationError, InvalidOptionError } from "../base/errors.js";
import type { Stoppable } from "../base/work.js";
import { createUniform } from "../math/random.js";
import type { SymmetricOperator } from "./symmetric-operator.js";
import { dot, norm, normalVector, orthonormalized, scaled } from "./vectors.js";

/** Options of {@link estimateTrace}. */
export interface TraceOptions extends Stoppable {
  /**
   * "xtrace": most precise where few eigenvalues dominate, as they do in networks; "hutchinson": the plain mean of
   * zᵀ·A·z over random signs z; "exact": n products. Default "exact" if n ≤ products, else "xtrace".
   */
  readonly method?: "xtrace" | "hutchinson" | "exact" | undefined;
  /** Products at most. Default 100. */
  readonly products?: number | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
  /** Called after each product. Default none. */
  readonly onProgress?: ((products: number) => void) | undefined;
}

/** An estimate of a trace. */
export interface TraceEstimate {
  readonly value: number;
  /** Standard error of the estimate; 0 where it is exact. */
  readonly standardError: number;
  readonly method: "xtrace" | "hutchinson" | "exact";
  readonly products: number;
}

/**
 * Estimates the trace of a symmetric operator from products.
 *
 * @throws {@link InvalidOptionError} if an option cannot be used.
 * @throws {@link EvaluationError} if a product is not finite.
 * @see Epperly, Tropp & Webber 2024, XTrace: Making the most of every sample in stochastic trace estimation.
 * @example const { value, standardError } = await estimateTrace(hessianOperator(point, layout));
 */
export async function estimateTrace(
  operator: SymmetricOperator,
  options: TraceOptions = {},
): Promise<TraceEstimate> {
  const { products = 100, seed = 0 } = options;
  const method = options.method ?? (operator.size <= products ? "exact" : "xtrace");
  if (!["xtrace", "hutchinson", "exact"].includes(method)) {
    throw new InvalidOptionError("method", '"xtrace", "hutchinson" or "exact"', JSON.stringify(method));
  }
  const least = method === "xtrace" ? 4 : 2;
  wholeNumber("products", products, least);
  const apply = counting(operator, options);
  if (method === "exact") return exact(operator.size, apply);
  return method === "hutchinson"
    ? hutchinson(operator.size, products, seed, apply)
    : xtrace(operator.size, Math.min(products >> 1, operator.size), seed, apply);
}

type Apply = (vector: Float64Array) => Promise<Float64Array>;

function counting(operator: SymmetricOperator, { signal, onProgress }: TraceOptions): Apply {
  let done = 0;
  return async (vector) => {
    const image = await operator.apply(vector, signal);
    if (!image.every(Number.isFinite)) {
      throw new EvaluationError(`trace, product ${done + 1}`, "a finite product", "NaN or infinity");
    }
    onProgress?.(++done);
    return image;
  };
}

async function exact(size: number, apply: Apply): Promise<TraceEstimate> {
  let value = 0;
  for (let i = 0; i < size; i++) {
    const e = new Float64Array(size);
    e[i] = 1;
    value += (await apply(e))[i];
  }
  return { value, standardError: 0, method: "exact", products: size };
}

/** Mean of zᵀ·A·z over vectors of random signs: unbiased; no variance where A is diagonal. */
async function hutchinson(
  size: number,
  products: number,
  seed: number,
  apply: Apply,
): Promise<TraceEstimate> {
  const estimates: number[] = [];
  for (let i = 0; i < products; i++) {
    const uniform = createUniform(seed, "hutchinson", i);
    const z = new Float64Array(size).map(() => (uniform() < 0.5 ? -1 : 1));
    estimates.push(dot(z, await apply(z)));
  }
  return { ...meanOf(estimates), method: "hutchinson", products };
}

/** Share of a vector's length below which it depends on those before it: float32 products know no better. */
const DEPENDENT = 1e-6;

/**
 * XTrace: each test vector ω_i in turn is left out of the basis Q of A·Ω, in which the trace is exact, and estimates
 * what lies outside it; the mean over i is unbiased for random Ω.
 */
async function xtrace(size: number, count: number, seed: number, apply: Apply): Promise<TraceEstimate> {
  const tests = Array.from({ length: count }, (_, i) => {
    const own = normalVector(size, seed, "xtrace", i);
    return scaled(own, Math.sqrt(size) / norm(own));
  });
  const images: Float64Array[] = [];
  for (const test of tests) images.push(await apply(test));
  const { basis, coefficients } = orthonormalized(images, DEPENDENT);
  const m = basis.length;
  if (m === 0) return { value: 0, standardError: 0, method: "xtrace", products: count };
  // H = Qᵀ·A·Q, column by column.
  const h: number[][] = [];
  for (const q of basis) {
    const image = await apply(q);
    h.push(basis.map((other) => dot(other, image)));
  }
  const inner = h.reduce((sum, column, k) => sum + (column[k] as number), 0);
  const products = count + m;
  // The images span all that A reaches: nothing is left outside.
  if (m < count || m === size) return { value: inner, standardError: 0, method: "xtrace", products };
  const r = new Matrix(m, m);
  coefficients.forEach((column, i) => {
    column.forEach((value, k) => {
      r.set(k, i, value);
    });
  });
  const left = inverse(r).transpose();
  const estimates = tests.map((test, i) => {
    // s spans what Q loses without the image of ω_i.
    const s = unit(left.getColumn(i));
    const w = basis.map((q) => dot(q, test));
    const c = inProduct(s, w);
    const p = w.map((value, k) => value - c * (s[k] as number));
    const column = r.getColumn(i);
    // ρ = ω − Q·p lies outside the smaller basis; A·ω = Q·r_i.
    const outside = inProduct(w, column) - 2 * inProduct(p, column) + form(h, p);
    const length = size - inProduct(w, w) + c * c;
    return inner - form(h, s) + (outside * (size - m + 1)) / length;
  });
  return { ...meanOf(estimates), method: "xtrace", products };
}

function inProduct(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, k) => sum + value * (b[k] as number), 0);
}

/** xᵀ·H·x. */
function form(h: readonly (readonly number[])[], x: readonly number[]): number {
  return h.reduce((sum, column, k) => sum + (x[k] as number) * inProduct(column, x), 0);
}

function unit(vector: readonly number[]): number[] {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

function meanOf(values: readonly number[]): { value: number; standardError: number } {
  const value = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.reduce((sum, one) => sum + (one - value) ** 2, 0);
  return { value, standardError: Math.sqrt(squares / (values.length - 1) / values.length) };
}
