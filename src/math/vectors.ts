/** Returns a·b (float64), in two sums. */
export function dot(a: Float64Array, b: Float64Array): number {
  let even = 0;
  let odd = 0;
  let i = 0;
  for (; i + 1 < a.length; i += 2) {
    even += a[i] * b[i];
    odd += a[i + 1] * b[i + 1];
  }
  if (i < a.length) even += a[i] * b[i];
  return even + odd;
}

/** Adds factor·x to `out`. */
export function addScaledInto(out: Float64Array, factor: number, x: Float64Array): void {
  for (let i = 0; i < out.length; i++) out[i] = out[i] + factor * x[i];
}

/** Returns a + factor·b. */
export function combination(a: Float64Array, factor: number, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length);
  for (let i = 0; i < a.length; i++) out[i] = a[i] + factor * b[i];
  return out;
}
