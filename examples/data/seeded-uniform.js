/**
 * Returns uniform random numbers in [0, 1) that follow from the seed: mulberry32, enough to shuffle with.
 *
 * @param {number} seed
 * @returns {() => number}
 */
export function seededUniform(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let h = Math.imul(state ^ (state >>> 15), state | 1);
    h ^= h + Math.imul(h ^ (h >>> 7), h | 61);
    return ((h ^ (h >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Returns 0 … count − 1 in a random order: sorted by one random number each.
 *
 * @param {number} count
 * @param {() => number} uniform - Random numbers in [0, 1).
 * @returns {Int32Array}
 */
export function shuffledOrder(count, uniform) {
  const keys = Array.from({ length: count }, uniform);
  return Int32Array.from(keys.keys()).sort((a, b) => keys[a] - keys[b]);
}
