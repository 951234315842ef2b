import { readFileSync } from "node:fs";
import { join } from "node:path";

/** One case of c_phate.json. */
export interface PhateCase {
  readonly knn_dist: "euclidean" | "cosine";
  readonly t_param: "auto" | number;
  readonly t_auto: number;
  readonly t_used: number;
  readonly kernel: number[][];
  readonly diff_op: number[][];
  readonly vne_entropy_0_100: number[];
  readonly potential: number[][];
  readonly potential_pdist: number[];
  readonly raw_smacof: number[][];
  readonly embedding_smacof: number[][];
  readonly phate_classic: number[][];
  readonly torgerson_classic: number[][];
  readonly stress: {
    readonly raw_sgd: number;
    readonly raw_smacof: number;
    readonly phate_classic: number;
    readonly torgerson: number;
    readonly sgd_seeds_0_9: number[];
  };
}

/** c_phate.json: points and every stage of PHATE by the Python package. */
export interface PhateGolden {
  readonly X: number[][];
  readonly cases: Record<string, PhateCase>;
}

/** c_vne_knee.json: unit cases of entropy and knee. */
export interface EntropyGolden {
  readonly knee_cases: { readonly y: number[]; readonly knee: number }[];
  readonly doc_matrix: number[][];
  readonly doc_entropy: number[];
  readonly doc_knee: number;
  readonly doc_exp_knee: number;
}

export function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(join(process.env.GOLDEN_DIR ?? "test/golden", name), "utf8")) as T;
}

export function flat(rows: readonly (readonly number[])[]): Float64Array {
  return Float64Array.from(rows.flat());
}

/** The largest absolute difference between two arrays of equal length. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`lengths ${a.length} and ${b.length}`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

/** Entries i < j of a symmetric (n, n) matrix in row order. */
export function condensed(matrix: Float64Array, n: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) out.push(matrix[i * n + j]);
  return out;
}
