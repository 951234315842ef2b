/**
 * The last steps of a minimisation and the change of the gradient over each, which give a quasi-Newton
 * direction without a Hessian.
 *
 * @see Nocedal & Wright, Numerical Optimization, algorithm 7.4 (L-BFGS two-loop recursion).
 */
export class StepMemory {
  readonly #limit: number;
  #steps: Float64Array[] = [];
  #changes: Float64Array[] = [];
  #weights: number[] = [];

  /** @param limit - how many steps are remembered. */
  constructor(limit = 10) {
    this.#limit = limit;
  }

  /** Remembers a step and the change of the gradient, if the curvature along it is positive. */
  add(step: Float64Array, change: Float64Array): void {
    const curvature = inner(step, change);
    if (!(curvature > 1e-14 * inner(change, change))) return;
    this.#steps.push(step);
    this.#changes.push(change);
    this.#weights.push(1 / curvature);
    if (this.#steps.length <= this.#limit) return;
    this.#steps.shift();
    this.#changes.shift();
    this.#weights.shift();
  }

  /** Forgets all steps. */
  clear(): void {
    this.#steps = [];
    this.#changes = [];
    this.#weights = [];
  }

  /** Returns an approximation of H⁻¹·gradient; the gradient itself where nothing is remembered. */
  direction(gradient: Float64Array): Float64Array {
    const out = gradient.slice();
    const last = this.#steps.length - 1;
    const shares = new Float64Array(last + 1);
    for (let s = last; s >= 0; s--) {
      shares[s] = this.#weights[s] * inner(this.#steps[s], out);
      addScaledInto(out, -shares[s], this.#changes[s]);
    }
    if (last >= 0) {
      const scale = 1 / (this.#weights[last] * inner(this.#changes[last], this.#changes[last]));
      for (let p = 0; p < out.length; p++) out[p] = out[p] * scale;
    }
    for (let s = 0; s <= last; s++) {
      const correction = shares[s] - this.#weights[s] * inner(this.#changes[s], out);
      addScaledInto(out, correction, this.#steps[s]);
    }
    return out;
  }
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let p = 0; p < a.length; p++) sum += a[p] * b[p];
  return sum;
}

function addScaledInto(out: Float64Array, factor: number, x: Float64Array): void {
  for (let p = 0; p < out.length; p++) out[p] = out[p] + factor * x[p];
}
