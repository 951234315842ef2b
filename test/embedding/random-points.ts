import type { PointRows } from "../../src/embedding/distance-source.js";

/** A small generator of its own for test data: mulberry32, uniform in [0, 1). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Standard normal numbers (Box–Muller). */
export function normal(seed: number): () => number {
  const next = uniform(seed);
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** Branching random walk: branches of equal length, each from a random point of the earlier ones. */
export function branchingWalk(count: number, dimension: number, branches: number, seed = 1): PointRows {
  const [next, step] = [uniform(seed), normal(seed + 1)];
  const rows = new Float64Array(count * dimension);
  const length = Math.ceil(count / branches);
  for (let i = 0; i < count; i++) {
    const isStart = i % length === 0;
    const from = isStart ? Math.floor(next() * i) : i - 1;
    for (let c = 0; c < dimension; c++) {
      rows[i * dimension + c] = (i === 0 ? 0 : rows[from * dimension + c]) + step();
    }
  }
  return { rows, count, dimension };
}

/** The same points in another order: point i becomes point order[i]. */
export function permuted({ rows, count, dimension }: PointRows, order: readonly number[]): PointRows {
  const out = new Float64Array(rows.length);
  for (let i = 0; i < count; i++) {
    out.set(rows.subarray(i * dimension, (i + 1) * dimension), order[i] * dimension);
  }
  return { rows: out, count, dimension };
}
