import type { JsonNumber } from "../../base/json.js";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Returns a text as HTML that shows it, in an element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

/**
 * Returns a value as JSON that can stand inside a script element.
 *
 * `<`, `>` and `&` are written as \uXXXX, so that no `</script>`, `<!--` or entity can end or change the
 * element; U+2028 and U+2029 likewise, which old JavaScript takes for line ends.
 *
 * @param replacer - As for `JSON.stringify`.
 */
export function scriptJson(value: unknown, replacer?: (key: string, value: unknown) => unknown): string {
  return JSON.stringify(value, replacer).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Least length from which an array of numbers is packed. */
const LEAST_LENGTH = 256;

/** Largest relative error that packing may make: pictures and read-outs show four digits. */
const TOLERANCE = 1e-6;

/**
 * A replacer for `JSON.stringify` that writes long arrays of numbers, and of lists of two or three numbers (paths), as
 * base64 of little-endian float32: a third of the size. Non-finite numbers stay what they are. Arrays with a value that float32 would change by
 * more than a millionth stay as text, and so do those with an integer that it would change: epochs and
 * iterations are looked up.
 */
export function packNumbers(_key: string, value: unknown): unknown {
  if (!Array.isArray(value) || value.length < LEAST_LENGTH) return value;
  const first: unknown = value[0];
  if (!Array.isArray(first)) return value.every(isPackable) ? { $float32: packed(value) } : value;
  const width = first.length;
  const isAlike = (one: unknown): boolean =>
    Array.isArray(one) && one.length === width && one.every(isPackable);
  if (width < 1 || width > 3 || !value.every(isAlike)) return value;
  return { $float32: packed(value.flat()), width };
}

function packed(values: readonly JsonNumber[]): string {
  return encodeBase64(new Uint8Array(Float32Array.from(values, Number).buffer));
}

/** A reviver for `JSON.parse` that undoes {@link packNumbers}. */
export function unpackNumbers(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("$float32" in value)) return value;
  if (typeof value.$float32 !== "string") return value;
  const bytes = Uint8Array.from(atob(value.$float32), (character) => character.charCodeAt(0));
  const numbers = Array.from(new Float32Array(bytes.buffer), (number): JsonNumber => {
    if (Number.isFinite(number)) return number;
    return Number.isNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
  });
  if (!("width" in value) || typeof value.width !== "number") return numbers;
  const { width } = value;
  return Array.from({ length: numbers.length / width }, (_, i) => numbers.slice(i * width, (i + 1) * width));
}

function isPackable(value: unknown): boolean {
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return true;
  if (typeof value !== "number") return false;
  const change = Math.abs(Math.fround(value) - value);
  return Number.isInteger(value) ? change === 0 : change <= TOLERANCE * Math.abs(value);
}

/** Returns bytes as base64, in Node and in a browser. */
export function encodeBase64(bytes: Uint8Array): string {
  let text = "";
  const block = 0x8000;
  for (let start = 0; start < bytes.length; start += block) {
    text += String.fromCharCode(...bytes.subarray(start, start + block));
  }
  return btoa(text);
}
