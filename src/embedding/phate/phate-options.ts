import { InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import { refuseRenamed } from "../../base/option-names.js";
import type { Stoppable } from "../../base/work.js";
import type { DistanceMetric, PointRows } from "../distance-source.js";

/** Stages of {@link phate}, in order. */
export type PhateStage = "distances" | "kernel" | "landmarks" | "entropy" | "potential" | "mds";

/** Options of {@link phate}: those of the Python package, most under their own names, and a few more. */
export interface PhateOptions extends Stoppable {
  /** Dimensions of the embedding. Default 2. */
  readonly dimensions?: number;
  /** Neighbours that set the bandwidth of the kernel. Default 5; with fewer than 7 points as many as there can be. */
  readonly knn?: number;
  /** Exponent of the kernel; null joins nearest neighbours with weight 1. Default 40. */
  readonly decay?: number | null;
  /** Most landmarks; more points than this are grouped. null: no landmarks. Default 2000. */
  readonly nLandmark?: number | null;
  /** Steps of diffusion, or "auto": the knee of the von Neumann entropy. Default "auto". */
  readonly t?: number | "auto";
  /** Informational distance constant in [−1, 1]: 1 logarithm, 0 square root, −1 none. Default 1. */
  readonly gamma?: number;
  /** Principal components kept before distances if fewer than N and D; null: never. Default 100. */
  readonly nPca?: number | null;
  /** Distance between points. Default "euclidean". */
  readonly knnDist?: DistanceMetric;
  /** Most neighbours a point can have in the kernel; null: no limit. Default null. */
  readonly knnMax?: number | null;
  /** Distance between rows of the potential. Default "euclidean". */
  readonly mdsDist?: DistanceMetric;
  /** Kind of multidimensional scaling. Default "metric". */
  readonly mds?: "classic" | "metric" | "nonmetric";
  /** Solver of metric scaling. Default "smacof", which is deterministic (the Python package: "sgd"). */
  readonly mdsSolver?: "smacof" | "sgd";
  /** Largest power tried for t = "auto". Default 100. */
  readonly tMax?: number;
  /** Seed of what is random (SGD, landmarks). Default 0. */
  readonly seed?: number;
  /** Python's worker count; threads are the port's business here, so only 1 is accepted. Default 1. */
  readonly nJobs?: 1;
  /** Affinities below this are 0. Default 1e-4, as in the Python package. */
  readonly thresh?: number;
  /**
   * Subtract the mean point before cosine distances and principal components; null does as the Python
   * package does: only where there is a principal component stage. Default null.
   */
  readonly centered?: boolean | null;
  /** Called when a stage begins. Default none. */
  readonly onProgress?: (stage: PhateStage) => void;
}

/** Options of {@link phate} with every default filled in. */
export type ResolvedPhateOptions = Required<Omit<PhateOptions, "signal" | "onProgress">> &
  Pick<PhateOptions, "signal" | "onProgress">;

/** Neighbours by default, as in the Python package. */
export const DEFAULT_KNN = 5;

/**
 * Returns the options with defaults filled in, checked against the number of points.
 *
 * @throws {@link InvalidOptionError} naming the first option that cannot be used.
 */
export function resolvePhateOptions(options: PhateOptions, count: number): ResolvedPhateOptions {
  refuseRenamed(options, "embedding");
  const resolved: ResolvedPhateOptions = {
    dimensions: 2,
    knn: Math.max(1, Math.min(DEFAULT_KNN, count - 2)),
    decay: 40,
    nLandmark: 2000,
    t: "auto",
    gamma: 1,
    nPca: 100,
    knnDist: "euclidean",
    knnMax: null,
    mdsDist: "euclidean",
    mds: "metric",
    mdsSolver: "smacof",
    tMax: 100,
    seed: 0,
    nJobs: 1,
    thresh: 1e-4,
    centered: null,
    ...definedOnly(options),
  };
  checkPhateOptions(resolved, count);
  return resolved;
}

function definedOnly(options: PhateOptions): PhateOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function checkPhateOptions(options: ResolvedPhateOptions, count: number): void {
  integer("knn", options.knn, 1, count - 2);
  if (options.nLandmark !== null) integer("nLandmark", options.nLandmark, 2);
  const points = Math.min(count, options.nLandmark ?? count);
  integer("dimensions", options.dimensions, 1, points - 1);
  if (options.nPca !== null) integer("nPca", options.nPca, 1);
  if (options.knnMax !== null) integer("knnMax", options.knnMax, options.knn);
  if (options.t !== "auto") integer("t", options.t, 1);
  integer("seed", options.seed, Number.MIN_SAFE_INTEGER);
  integer("tMax", options.tMax, 3);
  integer("nJobs", options.nJobs, 1, 1);
  const { decay, gamma, thresh } = options;
  check("decay", "a number > 0 or null", decay, decay === null || (decay > 0 && Number.isFinite(decay)));
  check("gamma", "a number from -1 to 1", gamma, gamma >= -1 && gamma <= 1);
  check("thresh", "a number from 0 to below 1", thresh, thresh >= 0 && thresh < 1);
  oneOf("knnDist", options.knnDist, ["euclidean", "cosine"]);
  oneOf("mdsDist", options.mdsDist, ["euclidean", "cosine"]);
  oneOf("mds", options.mds, ["classic", "metric", "nonmetric"]);
  oneOf("mdsSolver", options.mdsSolver, ["smacof", "sgd"]);
  check("centered", "true, false or null", options.centered, [true, false, null].includes(options.centered));
}

function integer(name: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  const range =
    most === Number.MAX_SAFE_INTEGER ? `an integer ≥ ${least}` : `an integer from ${least} to ${most}`;
  check(name, range, value, Number.isSafeInteger(value) && value >= least && value <= most);
}

function oneOf(name: string, value: string, allowed: readonly string[]): void {
  check(name, allowed.map((one) => `"${one}"`).join(" or "), value, allowed.includes(value));
}

function check(name: string, expected: string, got: unknown, ok: boolean): void {
  if (!ok) throw new InvalidOptionError(name, expected, typeof got === "string" ? `"${got}"` : String(got));
}

/**
 * N points to embed: as rows, by their Gram matrix (N, N) of inner products, or by their distances (N, N).
 *
 * A Gram matrix stands for points of any dimension: build it out of core, from rows as they are for cosine
 * distance without centring, otherwise best from rows minus a common vector.
 */
export type PhateInput =
  | PointRows
  | { readonly gram: Float64Array; readonly count: number }
  | { readonly distances: Float64Array; readonly count: number };

/**
 * Checks sizes and that every number is finite, and that matrices are symmetric.
 *
 * @throws {@link InvalidDataError} naming the first row or entry that is wrong.
 */
export function checkPhateInput(input: PhateInput): void {
  const { count } = input;
  if (!Number.isInteger(count) || count < 3)
    throw new InvalidDataError("count", "at least 3 points", `${count}`);
  if ("rows" in input) checkRows(input, "rows");
  else if ("gram" in input) checkMatrix(input.gram, count, "gram", true);
  else checkMatrix(input.distances, count, "distances", false);
}

/**
 * Checks that rows have the stated size and are finite.
 *
 * @throws {@link InvalidDataError} naming the rows that are not.
 */
export function checkRows({ rows, count, dimension }: PointRows, where: string): void {
  if (!Number.isInteger(dimension) || dimension < 1) {
    throw new InvalidDataError(`${where}.dimension`, "an integer ≥ 1", `${dimension}`);
  }
  if (rows.length !== count * dimension) {
    throw new InvalidDataError(
      where,
      `${count} × ${dimension} = ${count * dimension} numbers`,
      `${rows.length}`,
    );
  }
  const bad: number[] = [];
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let c = i * dimension; c < (i + 1) * dimension; c++) sum += Math.abs(rows[c]);
    if (!Number.isFinite(sum)) bad.push(i);
  }
  if (bad.length === 0) return;
  const named = bad.slice(0, 5).join(", ") + (bad.length > 5 ? ", …" : "");
  throw new InvalidDataError(where, "finite numbers", `NaN or infinity in ${bad.length} rows (${named})`, {
    hint: "leave those rows out",
  });
}

function checkMatrix(matrix: Float64Array, n: number, where: string, allowNegative: boolean): void {
  if (matrix.length !== n * n) {
    throw new InvalidDataError(where, `${n} × ${n} = ${n * n} numbers`, `${matrix.length}`);
  }
  const entry = (i: number, j: number): string => `${where}[${i}][${j}]`;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = matrix[i * n + j];
      const mirrored = matrix[j * n + i];
      if (!Number.isFinite(value)) throw new InvalidDataError(entry(i, j), "a finite number", `${value}`);
      if (!allowNegative && (value < 0 || (i === j && value !== 0))) {
        throw new InvalidDataError(entry(i, j), i === j ? "0" : "a distance ≥ 0", `${value}`);
      }
      if (!(Math.abs(value - mirrored) <= 1e-6 * (Math.abs(value) + Math.abs(mirrored)))) {
        throw new InvalidDataError(entry(j, i), `${value}, equal to ${entry(i, j)}`, `${mirrored}`);
      }
    }
  }
}
