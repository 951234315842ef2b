import { expect } from "vitest";

/** Checks |actual − expected| ≤ absolute + relative·|expected|, entry by entry; names the worst one. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: { readonly absolute: number; readonly relative: number },
): void {
  expect(actual.length).toBe(expected.length);
  let worst = { excess: 0, at: "" };
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i] as number;
    const e = expected[i] as number;
    const excess = Math.abs(a - e) - tolerance.absolute - tolerance.relative * Math.abs(e);
    if (!(excess <= worst.excess)) worst = { excess, at: `entry ${i}: expected ${e}, got ${a}` };
  }
  expect(worst.at).toBe("");
}
