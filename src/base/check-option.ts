import { InvalidOptionError } from "./errors.js";

/**
 * Returns an option that is a whole number.
 *
 * @param name - of the option, for the error.
 * @throws {@link InvalidOptionError} if it is none, or below `least`.
 */
export function wholeNumber(name: string, value: number, least = 1): number {
  if (Number.isInteger(value) && value >= least) return value;
  throw new InvalidOptionError(name, `a whole number of at least ${least}`, String(value));
}

/** Checks an option that is one of a few words. @throws {@link InvalidOptionError} if it is another. */
export function checkOneOf(name: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) throw new InvalidOptionError(name, `one of ${allowed.join(", ")}`, value);
}
