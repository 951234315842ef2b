import { createHash } from "node:crypto";

/** What a digest can be taken of: text (as UTF-8) or the bytes of a typed array. */
export type Hashable = string | ArrayBufferView;

/** A sha-256 that takes in its bytes part by part. */
export interface RunningDigest {
  add(part: Hashable): RunningDigest;
  /** The sha-256 (hex) of what was added so far; more may be added afterwards. */
  hex(): string;
}

/** Starts a sha-256. */
export function startDigest(): RunningDigest {
  const hash = createHash("sha256");
  const running: RunningDigest = {
    add(part) {
      hash.update(typeof part === "string" ? part : bytesOf(part));
      return running;
    },
    hex: () => hash.copy().digest("hex"),
  };
  return running;
}

/**
 * Returns the sha-256 (hex) of parts, one after the other.
 *
 * @example sha256(theta) // the bytes of a Float32Array
 */
export function sha256(...parts: readonly Hashable[]): string {
  const digest = startDigest();
  for (const part of parts) digest.add(part);
  return digest.hex();
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A value that JSON can carry. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/**
 * Where a computed result comes from. Two results with equal `kind`, `version`, `options`, `seed` and
 * `inputs` are the same; a stored result whose provenance differs from what is asked is stale.
 */
export interface Provenance {
  /** What was computed: "pca-directions", "surface", "trajectory", … */
  readonly kind: string;
  /** Version of the algorithm and of the file's layout; raised when either changes. */
  readonly version: number;
  /** Every option that influences the result, defaults included. */
  readonly options: { readonly [key: string]: JsonValue };
  /** Seed of the random numbers, null where none are used. */
  readonly seed: number | null;
  /** sha-256 digests of the inputs by name: runs, layout, directions, data, model. */
  readonly inputs: { readonly [name: string]: string };
  /**
   * What the program settled itself where the options left it open, such as the engine of "auto". Written down,
   * but no part of the identity: a choice by measuring must not make a stored result stale.
   */
  readonly chosen?: { readonly [key: string]: JsonValue };
}

/**
 * Returns the sha-256 (hex) of a provenance: equal for equal content, whatever the order of keys.
 *
 * Non-finite numbers count as the strings "NaN", "Infinity", "-Infinity".
 *
 * @example const digest = provenanceDigest(provenance);
 */
export function provenanceDigest({ kind, version, options, seed, inputs }: Provenance): string {
  const canonical = canonicalJson({ kind, version, options, seed, inputs });
  return sha256(canonical);
}

/** Says whether a stored result may not be reused for what is asked now. */
export function isStale(stored: Provenance, expected: Provenance): boolean {
  return provenanceDigest(stored) !== provenanceDigest(expected);
}

/** JSON with sorted keys and without spaces. */
export function canonicalJson(value: JsonValue): string {
  if (typeof value === "number" && !Number.isFinite(value)) return JSON.stringify(String(value));
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const entries = Object.entries(value)
    .filter(([, entry]) => entry !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, entry]) => `${JSON.stringify(key)}:${canonicalJson(entry)}`);
  return `{${entries.join(",")}}`;
}

function isArray(value: object): value is readonly JsonValue[] {
  return Array.isArray(value);
}
