import chunk from "lodash/chunk.js";
import type { JsonValue } from "./provenance.js";

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

/** Inverse of `encodeNumber`; null (unknown) becomes NaN. */
export function decodeNumber(value: JsonNumber | null): number {
  return value === null ? Number.NaN : Number(value);
}

/** An object without its undefined entries, as exact optional properties ask for. */
export type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Returns the entries of `options` that are not undefined. */
export function defined<T extends object>(options: T): Defined<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Defined<T>;
}
