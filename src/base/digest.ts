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
