import { randomNormal } from "d3-random";
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import { InvalidOptionError } from "../base/errors.js";

/** Returns the next number of a stream. */
export type RandomStream = () => number;

/**
 * Returns uniform random numbers in [0, 1), 53 bits each, for a seed and a key.
 *
 * The same seed and key give the same numbers on every machine; other seeds or keys give streams that have
 * nothing to do with each other (xoroshiro128+ from a 128-bit hash of both).
 *
 * @param seed - a safe integer; 0 is a seed like any other.
 * @param key - what the stream is for, part by part: an axis, the name of a weight.
 * @throws {@link InvalidOptionError} if the seed is no safe integer.
 */
export function createUniform(seed: number, ...key: readonly (string | number)[]): RandomStream {
  checkSeed(seed);
  const generator = xoroshiro128plusFromState(hash128(JSON.stringify([seed, ...key])));
  return () => uniformFloat64(generator);
}

/**
 * Returns random numbers of the standard normal distribution for a seed and a key, as {@link createUniform}.
 *
 * @throws {@link InvalidOptionError} if the seed is no safe integer.
 */
export function createNormal(seed: number, ...key: readonly (string | number)[]): RandomStream {
  return randomNormal.source(createUniform(seed, ...key))(0, 1);
}

/** Returns the seed if it is one. */
export function checkSeed(seed: number): number {
  if (Number.isSafeInteger(seed)) return seed;
  throw new InvalidOptionError("seed", "a safe integer", String(seed));
}

/** Four 32-bit words that every character of the text has stirred; never all zero. */
function hash128(text: string): number[] {
  const words = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0x71374491];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    for (let w = 0; w < 4; w++) {
      words[w] = mix(words[w] ^ Math.imul(code + 1, 0x85ebca6b + 2 * w) ^ words[(w + 3) & 3]);
    }
  }
  const state = words.map((word, w) => mix(word ^ (words[(w + 1) & 3] >>> 7) ^ text.length));
  return state.every((word) => word === 0) ? [1, 0, 0, 0] : state;
}

/** A bijection of 32-bit integers in which every bit of the input moves half of those of the output. */
function mix(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return h ^ (h >>> 16);
}
