/** A number as JSON carries it: non-finite values are spelled out. */
export type JsonNumber = number | "NaN" | "Infinity" | "-Infinity";

/**
 * Returns `value` in the form that JSON can carry, losing nothing but the sign of zero.
 *
 * @example encodeNumber(Number.NaN) // "NaN"
 */
export function encodeNumber(value: number): JsonNumber {
  if (Number.isFinite(value)) return value;
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "Infinity" : "-Infinity";
}

/** Returns the number that `encodeNumber` spelled out; null stays NaN's neighbour "unknown" and gives NaN. */
export function decodeNumber(value: JsonNumber | null): number {
  return value === null ? Number.NaN : Number(value);
}
