import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/**
 * Returns a branching random walk (count, dimension), row-major: ten branches of equal length and independent
 * normal steps (Box–Muller), each branch from a random point of those before it.
 */
export function branchingWalk(count: number, dimension: number, seed = 1): Float64Array {
  const generator = xoroshiro128plus(seed);
  const step = (): number => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniformFloat64(generator)));
    return radius * Math.cos(2 * Math.PI * uniformFloat64(generator));
  };
  const rows = new Float64Array(count * dimension);
  const length = Math.ceil(count / 10);
  for (let i = 0; i < count; i++) {
    const from = i % length !== 0 || i === 0 ? i - 1 : uniformInt(generator, 0, i - 1);
    for (let c = 0; c < dimension; c++) {
      rows[i * dimension + c] = (i === 0 ? 0 : rows[from * dimension + c]) + step();
    }
  }
  return rows;
}
