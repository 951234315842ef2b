import { InvalidOptionError } from "../../base/errors.js";
import { refuseRenamed } from "../../base/renamed-options.js";
import type { DistanceMetric } from "../distance-source.js";

/** Stages of {@link phate}, in order. */
export type PhateStage = "distances" | "kernel" | "landmarks" | "entropy" | "potential" | "mds";

/** Options of {@link phate}: those of the Python package, most under their own names, and a few more. */
export interface PhateOptions {
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
  /** When it is aborted, its reason is thrown. Default none. */
  readonly signal?: AbortSignal;
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
