import { Float16Array } from "@petamoriken/float16";
import { InvalidDataError } from "../../base/errors.js";

/** Largest finite float16. */
const maximum = 65504;

let widened: Float32Array | undefined;

/** Every float16 as float32, by bit pattern: 65,536 entries, made at first use. */
function wideningTable(): Float32Array {
  widened ??= Float32Array.from(new Float16Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer));
  return widened;
}

/** Widens float16 bit patterns into `out` (same length). */
export function widenFloat16Into(bits: Uint16Array, out: Float32Array): void {
  const table = wideningTable();
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i] as number] as number;
}

/**
 * Rounds float32 to float16 (nearest, ties to even) and returns the bit patterns.
 *
 * @param where - first words of the error message.
 * @throws {@link InvalidDataError} if a finite number becomes infinite.
 */
export function narrowToFloat16(values: Float32Array, where: string): Uint16Array {
  const bits = new Uint16Array(new Float16Array(values).buffer);
  for (let i = 0; i < bits.length; i++) {
    const isInfinite = ((bits[i] as number) & 0x7fff) === 0x7c00;
    const value = values[i] as number;
    if (isInfinite && Number.isFinite(value)) {
      const hint = "store the run as float32";
      throw new InvalidDataError(where, `magnitudes up to ${maximum} (float16)`, String(value), { hint });
    }
  }
  return bits;
}
