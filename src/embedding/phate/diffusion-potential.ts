import { InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import type { LinearAlgebra } from "../../math/linear-algebra.js";
import {
  denseFromSparse,
  diffusionOperator,
  multiplySparseDense,
  rowSums,
  type SparseMatrix,
  symmetricDiffusionOperator,
} from "./sparse-matrix.js";

/** Options of {@link diffusionPower}. */
export interface DiffusionPowerOptions {
  /**
   * Entries of intermediate rows below this are dropped. Default 0: none. Rows of P^t err by at most
   * t·N·drop; a small value keeps rows sparse where diffusion does not reach far.
   */
  readonly drop?: number;
}

/**
 * Returns P^t, dense row-major (N, N).
 *
 * Row by row: a row vector is multiplied by P t − 1 times from the right, and stays as sparse as diffusion
 * leaves it. Cost: at most t·N·entries(P) multiply-adds, in a working set of one row and P.
 *
 * @param t - an integer ≥ 1.
 */
export function diffusionPower(
  operator: SparseMatrix,
  t: number,
  options: DiffusionPowerOptions = {},
): Float64Array {
  if (!Number.isInteger(t) || t < 1) throw new InvalidOptionError("t", "an integer ≥ 1", String(t));
  const { drop = 0 } = options;
  const n = operator.rows;
  const power = new Float64Array(n * n);
  let row = new Float64Array(n);
  let next = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let [low, high] = [i, i];
    row.fill(0);
    row[i] = 1;
    for (let step = 0; step < t; step++) {
      next.fill(0);
      [low, high] = multiplyRowInto(next, row, operator, low, high, drop);
      [row, next] = [next, row];
    }
    power.set(row, i * n);
  }
  return power;
}

/** Powers below this are formed step by step: a product would cost more than it saves. */
const HALVED_FROM = 4;

/**
 * Returns P^t of the diffusion operator P = D⁻¹·K of a kernel, dense row-major (N, N).
 *
 * P^t = D^(−1/2)·S^t·D^(1/2) with the symmetric S = D^(−1/2)·K·D^(−1/2), and S^(2m) = S^m·(S^m)ᵀ: where the port
 * multiplies fast, one product takes the place of half of the steps, the dearer half. No entry is negative, so that
 * nothing cancels and each keeps its digits.
 *
 * @param kernel - K (N, N), symmetric, with positive row sums.
 * @param t - an integer ≥ 1.
 */
export async function kernelPower(
  kernel: SparseMatrix,
  t: number,
  algebra: LinearAlgebra,
  options: DiffusionPowerOptions = {},
): Promise<Float64Array> {
  if (!algebra.hasFastRowProducts || !(t >= HALVED_FROM)) {
    return diffusionPower(diffusionOperator(kernel), t, options);
  }
  if (!Number.isInteger(t)) throw new InvalidOptionError("t", "an integer ≥ 1", String(t));
  const n = kernel.rows;
  const symmetric = symmetricDiffusionOperator(kernel);
  const half = diffusionPower(symmetric, Math.floor(t / 2), options);
  const even = await algebra.rowProducts(half, n, n);
  const power = t % 2 === 0 ? even : multiplySparseDense(symmetric, even, n);
  const roots = rowSums(kernel).map(Math.sqrt);
  for (let i = 0; i < n; i++) scaleRowInto(power, i * n, 1 / roots[i], roots);
  return power;
}

/** Multiplies the entries of the row at `row` by `factor` and by that of their column. */
function scaleRowInto(power: Float64Array, row: number, factor: number, columns: Float64Array): void {
  for (let j = 0; j < columns.length; j++) power[row + j] = factor * power[row + j] * columns[j];
}

/** Adds row·P to `next`; the row is 0 outside low…high. Returns the range of columns that were touched. */
function multiplyRowInto(
  next: Float64Array,
  row: Float64Array,
  { offsets, indices, values }: SparseMatrix,
  low: number,
  high: number,
  drop: number,
): [number, number] {
  let first = row.length;
  let last = -1;
  for (let k = low; k <= high; k++) {
    const weight = row[k];
    if (weight <= drop) continue;
    const end = offsets[k + 1];
    for (let p = offsets[k]; p < end; p++) {
      const j = indices[p];
      next[j] = next[j] + weight * values[p];
    }
    if (end === offsets[k]) continue;
    first = Math.min(first, indices[offsets[k]]);
    last = Math.max(last, indices[end - 1]);
  }
  return [first, last];
}

/**
 * Returns the diffusion potential U of P^t for the informational distance constant γ.
 *
 * γ = 1: U = −ln(P^t + 1e-7). γ = −1: U = P^t. Otherwise U = (P^t)^c / c with c = (1 − γ)/2.
 * Between 0.99 and 1 the values grow like 1/c and lose precision.
 *
 * @param power - P^t of any shape, entries ≥ 0.
 * @throws {@link InvalidOptionError} if γ is outside [−1, 1].
 * @see Moon et al. 2019, online methods.
 */
export function diffusionPotential(power: Float64Array, gamma = 1): Float64Array {
  if (!(gamma >= -1 && gamma <= 1)) throw new InvalidOptionError("gamma", "−1 ≤ gamma ≤ 1", String(gamma));
  if (gamma === 1) return logarithms(power);
  if (gamma === -1) return power.slice();
  const c = (1 - gamma) / 2;
  return power.map((p) => p ** c / c);
}

/** −ln(p + 1e-7); many entries are 0 where diffusion does not reach. */
function logarithms(power: Float64Array): Float64Array {
  const out = new Float64Array(power.length);
  for (let from = 0; from < out.length; from += LOGARITHMS_AT_ONCE) {
    logarithmsInto(out, power, from, Math.min(out.length, from + LOGARITHMS_AT_ONCE));
  }
  return out;
}

/** Entries in one call, so that what computes them is compiled after some calls. */
const LOGARITHMS_AT_ONCE = 1024;

function logarithmsInto(out: Float64Array, power: Float64Array, from: number, to: number): void {
  const unreached = -Math.log(1e-7);
  for (let p = from; p < to; p++) out[p] = power[p] === 0 ? unreached : -Math.log(power[p] + 1e-7);
}

/** A straight line. */
interface Line {
  readonly slope: number;
  readonly intercept: number;
}

/**
 * Returns the 0-based index of the knee of a curve over 0, 1, 2, ….
 *
 * For each interior split s, one least-squares line is fitted to the points 0…s and another to s − 1…end
 * (the overlap is the reference's); the knee is the split with the smallest sum of absolute residuals over
 * 0…s and s…end, the first of equals. Applied to the entropy of the powers 1, 2, … the index is one less
 * than the power; the reference takes it for the power all the same, and so does `phate`. Cost: O(n²).
 *
 * @throws {@link InvalidDataError} if the curve has fewer than 3 points or a value is not finite.
 * @see PHATE 1.0.11, `vne.find_knee_point`.
 */
export function kneePoint(y: Float64Array): number {
  const n = y.length;
  if (n < 3) throw new InvalidDataError("knee point", "a curve of at least 3 points", `${n}`);
  const bad = y.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new InvalidDataError(`knee point, value ${bad}`, "a finite number", String(y[bad]));
  let best = 1;
  let least = Infinity;
  for (let split = 1; split < n - 1; split++) {
    const error =
      residuals(y, fitLine(y, 0, split), 0, split) + residuals(y, fitLine(y, split - 1, n - 1), split, n - 1);
    if (error < least) [best, least] = [split, error];
  }
  return best;
}

/** The least-squares line through the points from…to, both included. */
function fitLine(y: Float64Array, from: number, to: number): Line {
  const count = to - from + 1;
  const meanX = (from + to) / 2;
  let meanY = 0;
  for (let x = from; x <= to; x++) meanY += y[x] / count;
  let xy = 0;
  let xx = 0;
  for (let x = from; x <= to; x++) {
    xy += (x - meanX) * (y[x] - meanY);
    xx += (x - meanX) ** 2;
  }
  const slope = xy / xx;
  return { slope, intercept: meanY - slope * meanX };
}

function residuals(y: Float64Array, { slope, intercept }: Line, from: number, to: number): number {
  let sum = 0;
  for (let x = from; x <= to; x++) sum += Math.abs(slope * x + intercept - y[x]);
  return sum;
}

/**
 * Returns the von Neumann entropy of the powers 1…tMax of an operator with these singular values.
 *
 * q = s^m/Σ s^m + ε, H_m = −Σ q·ln q, ε the float64 machine epsilon (the reference adds it too).
 *
 * @param singularValues - s (n), ≥ 0, not all 0.
 * @returns H (tMax): entry k belongs to the power k + 1.
 * @see Moon et al. 2019, online methods; reference values: PHATE 1.0.11, `vne.py`.
 */
export function vonNeumannEntropy(singularValues: Float64Array, tMax = 100): Float64Array {
  const powers = singularValues.slice();
  const entropy = new Float64Array(tMax);
  for (let m = 0; m < tMax; m++) {
    let sum = 0;
    for (const power of powers) sum += power;
    let h = 0;
    for (const power of powers) {
      const q = power / sum + Number.EPSILON;
      h -= q * Math.log(q);
    }
    entropy[m] = h;
    for (let i = 0; i < powers.length; i++) powers[i] = powers[i] * singularValues[i];
  }
  return entropy;
}

/**
 * Returns the von Neumann entropy of the powers 1…tMax of a diffusion operator (n, n).
 *
 * From its singular values, as the reference does: P is not symmetric, so they are not its eigenvalues.
 */
export async function operatorEntropy(
  operator: SparseMatrix,
  algebra: LinearAlgebra,
  tMax = 100,
): Promise<Float64Array> {
  const { rows, columns } = operator;
  return vonNeumannEntropy(await algebra.singularValues(denseFromSparse(operator), rows, columns), tMax);
}
