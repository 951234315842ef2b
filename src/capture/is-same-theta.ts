import { f16round } from "@petamoriken/float16";
import type { RunManifest } from "../store/manifest.js";

/**
 * Says whether weights equal those read back from a snapshot, bit for bit (so that NaN equals NaN, and 0 is
 * not −0); for float16 after the rounding that writing brings.
 */
export function isSameTheta(theta: Float32Array, stored: Float32Array, dtype: RunManifest["dtype"]): boolean {
  if (theta.length !== stored.length) return false;
  if (dtype === "float16") {
    return theta.every((value, index) => Object.is(f16round(value), stored[index]));
  }
  const [a, b] = [bitsOf(theta), bitsOf(stored)];
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}
