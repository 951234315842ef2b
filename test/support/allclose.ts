import { expect } from "vitest";

/** Expects two lists of numbers to agree within `absolute + relative·|expected|`, entry by entry. */
export function expectAllClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: { readonly absolute?: number; readonly relative?: number } = {},
): void {
  const { absolute = 1e-12, relative = 0 } = tolerance;
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const allowed = absolute + relative * Math.abs(expected[i]);
    if (!(Math.abs(actual[i] - expected[i]) <= allowed)) {
      expect.fail(`entry ${i}: expected ${expected[i]} within ${allowed}, got ${actual[i]}`);
    }
  }
}

/** The same up to the sign of the whole list. */
export function expectAllCloseUpToSign(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: { readonly absolute?: number; readonly relative?: number } = {},
): void {
  const product = Array.from(expected).reduce((sum, value, i) => sum + value * actual[i], 0);
  const sign = product < 0 ? -1 : 1;
  expectAllClose(
    actual,
    Array.from(expected, (value) => sign * value),
    tolerance,
  );
}
