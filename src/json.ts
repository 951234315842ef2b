import chunk from "lodash/chunk.js";
import type { JsonValue } from "./store/provenance.js";

/**
 * Returns a value as JSON can carry it: typed arrays become arrays, and non-finite numbers become the
 * strings "NaN", "Infinity" and "-Infinity".
 *
 * @throws {TypeError} if the value holds a function, symbol or bigint.
 */
export function toJson(value: unknown): JsonValue {
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return Array.from(value as unknown as ArrayLike<number>, toJson);
  }
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value === "object") {
    const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
    return Object.fromEntries(entries.map(([key, entry]) => [key, toJson(entry)]));
  }
  throw new TypeError(`JSON: expected data, got a ${typeof value}`);
}

/** Splits a flat row-major array into `rows` arrays. */
export function toRows(flat: ArrayLike<number>, rows: number): number[][] {
  return rows === 0 ? [] : chunk(Array.from(flat), flat.length / rows);
}
