/**
 * Thrown while a model is planned when there is something that the plan does not know; caught by
 * `planModel`, which then says so.
 */
export class UnsupportedError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "UnsupportedError";
  }
}

/** Throws unless `condition` holds. */
export function requireSupported(condition: boolean, reason: string): asserts condition {
  if (!condition) throw new UnsupportedError(reason);
}
