import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import { refuseRenamed } from "../base/option-names.js";
import type { LandscapeWarning } from "../base/warning.js";
import { doubleCenter, type GramEigen, gramShares, leadingGramEigen } from "../math/gram-eigen.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { type ColumnBlockOptions, resolveBlockColumns } from "./column-selection.js";
import type { Directions, RowSource } from "./directions.js";
import { leadingWalkShares } from "./random-walk.js";
import {
  combineRows,
  type DifferenceGram,
  differenceGram,
  finishVectorsInto,
  type GramPrecision,
  type RowCombinations,
} from "./row-products.js";

/** What the rows of a path are centred about before their principal components are taken. */
export type PcaCentering = "mean" | "final";

/** Options of `pcaDirections`. */
export interface PcaOptions extends ColumnBlockOptions {
  /**
   * "mean" (default): the rows minus their mean, as the code published with Li et al. 2018 does; "final": the
   * differences from the final weights, nothing more subtracted, as the paper's text says.
   */
  readonly centering?: PcaCentering;
  /**
   * The components that span the plane (line, space), counted from 0, in the order of the axes: [0, 2] is the
   * first and third. Default [0, 1].
   */
  readonly components?: readonly number[];
  /** Row of the final weights θ*. Default the last row of the (first) run. */
  readonly finalRow?: number;
  /**
   * Whether the shares of all components are computed. Default: those of at most 256 rows; of more they take
   * O(N³) time, and only the leading ones are.
   */
  readonly allShares?: boolean;
  /**
   * "backend" multiplies float32 blocks through `linearAlgebra` and sums them in float64; "float64" multiplies
   * in float64 loops, some 10 times slower; "auto" (default) takes float64 where it costs less than about
   * half a second.
   */
  readonly precision?: GramPrecision;
  /** What multiplies: see `createLinearAlgebra`. */
  readonly linearAlgebra: LinearAlgebra;
}

/** The options with defaults filled in and checked against the source. */
export interface ResolvedPcaOptions {
  readonly centering: PcaCentering;
  readonly components: readonly number[];
  readonly finalRow: number;
  readonly blockColumns: number;
  readonly runLengths: readonly number[];
  readonly precision: GramPrecision;
}

/**
 * Returns the options with defaults filled in.
 *
 * @throws {@link InvalidOptionError} for an option that cannot hold; {@link InvalidDataError} for fewer than two
 * rows or no columns.
 */
export function resolvePcaOptions(source: RowSource, options: PcaOptions): ResolvedPcaOptions {
  refuseRenamed(options, "pca");
  const { name = "snapshots", rows, columns, runLengths = [rows] } = source;
  if (rows < 2) {
    const what = source.name === undefined ? "" : "snapshots ";
    throw new InvalidDataError(name, `at least 2 ${what}for principal components`, String(rows), {
      hint: "train at least 1 epoch, or record more often",
    });
  }
  if (columns < 1) throw new InvalidDataError("columns", "at least 1 weight", String(columns));
  const total = runLengths.reduce((sum, length) => sum + length, 0);
  if (total !== rows) throw new InvalidDataError("runLengths", `a sum of ${rows} rows`, String(total));
  const { centering = "mean", finalRow = runLengths[0] - 1 } = options;
  if (centering !== "mean" && centering !== "final") {
    throw new InvalidOptionError("centering", `"mean" or "final"`, JSON.stringify(centering));
  }
  if (!Number.isInteger(finalRow) || finalRow < 0 || finalRow >= rows) {
    throw new InvalidOptionError("finalRow", `an integer from 0 to ${rows - 1}`, String(finalRow));
  }
  return {
    centering,
    components: resolveComponents(options, rows, columns),
    finalRow,
    blockColumns: resolveBlockColumns(source, options.blockColumns),
    runLengths,
    precision: resolvePrecision(options),
  };
}

function resolveComponents(
  { components = [0, 1] }: PcaOptions,
  rows: number,
  columns: number,
): readonly number[] {
  const got = JSON.stringify(components);
  if (!Array.isArray(components) || components.length < 1 || components.length > 3) {
    throw new InvalidOptionError("components", "a list of 1 to 3, such as [0, 1]", got);
  }
  const isOrdinal = (index: number): boolean => Number.isInteger(index) && index >= 0;
  if (new Set(components).size < components.length || !components.every(isOrdinal)) {
    throw new InvalidOptionError("components", "different integers from 0 on", got);
  }
  const available = Math.min(rows - 1, columns);
  if (Math.max(...components) >= available) {
    const expected = `no more components than the path has (${available}: one less than snapshots, at most the number of weights)`;
    throw new InvalidOptionError("components", expected, got);
  }
  return components;
}

function resolvePrecision({ precision = "auto" }: PcaOptions): GramPrecision {
  if (["auto", "float64", "backend"].includes(precision)) return precision;
  throw new InvalidOptionError("precision", `"auto", "float64" or "backend"`, JSON.stringify(precision));
}

/** Components whose eigenvalues differ by less than this part may be turned within their plane. */
const EQUAL_SHARES = 1e-4;
/** Shares below this are near the rounding of the weights themselves. */
const WEAK_SHARE = 1e-6;

/**
 * Returns what a reader of principal components should know: equal eigenvalues, components near
 * rounding, snapshots that repeat the one before.
 *
 * @param shares - share of every component (N), non-increasing.
 * @param squaredSteps - ‖θ_i − θ_{i−1}‖² (N).
 * @param components - the components in use.
 * @param runLengths - rows of each run.
 */
export function pcaWarnings(
  shares: Float64Array,
  squaredSteps: Float64Array,
  components: readonly number[],
  runLengths: readonly number[],
): LandscapeWarning[] {
  return [
    ...equalShares(shares, components),
    ...weakShares(shares, components),
    ...repeatedSnapshots(squaredSteps, runLengths),
  ];
}

function equalShares(shares: Float64Array, components: readonly number[]): LandscapeWarning[] {
  const pairs = Array.from({ length: shares.length - 1 }, (_, index) => index).filter((index) => {
    const isUsed = components.includes(index) || components.includes(index + 1);
    return (
      isUsed &&
      shares[index + 1] > WEAK_SHARE &&
      shares[index] - shares[index + 1] < EQUAL_SHARES * shares[index]
    );
  });
  return pairs.map((index) => ({
    code: "equal-components",
    message:
      `components ${index + 1} and ${index + 2} explain the same share: ` +
      "only the plane of both is determined, not the axes in it",
  }));
}

function weakShares(shares: Float64Array, components: readonly number[]): LandscapeWarning[] {
  return components
    .filter((index) => shares[index] < WEAK_SHARE)
    .map((index) => ({
      code: "weak-component",
      message:
        `component ${index + 1} explains ${shares[index].toExponential(1)} of the variance: ` +
        "its direction is near the rounding of float32 weights",
    }));
}

function repeatedSnapshots(squaredSteps: Float64Array, runLengths: readonly number[]): LandscapeWarning[] {
  const firsts = new Set<number>();
  let first = 0;
  for (const length of runLengths) {
    firsts.add(first);
    first += length;
  }
  const repeated = Array.from(squaredSteps.keys()).filter((i) => squaredSteps[i] === 0 && !firsts.has(i));
  if (repeated.length === 0) return [];
  const named = repeated.slice(0, 5).join(", ") + (repeated.length > 5 ? ", …" : "");
  return [
    {
      code: "repeated-snapshot",
      message: `${repeated.length} snapshot(s) have the weights of the one before: ${named}`,
    },
  ];
}

/** Principal components of a path, over the columns of its source. */
export interface PcaDirections extends Directions {
  readonly kind: "pca";
  /** θ*, the row `finalRow` (D). */
  readonly center: Float32Array;
  /** Which components the vectors are, counted from 0 (k). */
  readonly components: readonly number[];
  readonly explainedVarianceRatio: Float64Array;
  readonly randomWalkBaseline: Float64Array;
  /** Share of every component (N), non-increasing, sum 1; of the leading ones without `allShares`. */
  readonly allExplainedVarianceRatio: Float64Array;
  /** Singular values of the (centred) matrix of differences, non-increasing; as many as shares. */
  readonly singularValues: Float64Array;
  /**
   * Coordinates (N, k) of the rows about θ*, row-major, from the Gram matrix: as precise as float32
   * products, for a first look. `projectTrajectory` gives them in float64, with their fidelity.
   */
  readonly coordinates: Float64Array;
  /** ‖θ_i − θ_{i−1}‖² (N), [0] = 0. */
  readonly squaredSteps: Float64Array;
  /** Row of θ*. */
  readonly finalRow: number;
  /** What the rows were centred about. */
  readonly centering: PcaCentering;
  /**
   * How the Gram matrix was multiplied: "float64", the name of the linear algebra, or "onnx": of 64 rows and more
   * ONNX Runtime multiplies where it is installed.
   */
  readonly precision: string;
}

/** Shares below this are rounding noise of a path of lower rank. */
const NO_SHARE = 1e-13;

/**
 * Returns the principal components of a path as unit directions through its final point.
 *
 * The rows M = θ_i − θ_f (the zero row of θ_f included) give the Gram matrix G = M·Mᵀ, double-centred for
 * `centering: "mean"`; with its eigenpairs (λ, u) the components are Mᵀu/√λ, made orthonormal once more against
 * rounding. The entry of largest magnitude of each is positive (the first of equals). Neither M nor a D×D
 * matrix is ever held: two passes over blocks of columns. A large share says little by itself: compare it with
 * `randomWalkBaseline`.
 * Cost: O(N²·D) time, O(N² + block + k·D) memory.
 *
 * @param source - N rows of length D.
 * @throws {@link InvalidOptionError} for bad options, or for a component beyond the rank of the path;
 * {@link InvalidDataError} for fewer than two rows, rows that are all equal, weights that are not finite.
 * @see Li et al. 2018, section 7.2. Reference values: scikit-learn PCA (up to sign).
 * @example const { vectors, center } = await pcaDirections(rowSourceOfRuns([run]), { linearAlgebra: algebra });
 */
export async function pcaDirections(source: RowSource, options: PcaOptions): Promise<PcaDirections> {
  const { linearAlgebra, signal, onProgress } = options;
  const resolved = resolvePcaOptions(source, options);
  const { centering, components, finalRow, blockColumns } = resolved;
  let done = 0;
  const afterBlock = (columns: number) => {
    done += columns;
    onProgress?.(done, 2 * source.columns);
  };
  const shared = { row: finalRow, blockColumns, signal, afterBlock };
  const path = await differenceGram(source, { ...shared, linearAlgebra, precision: resolved.precision });
  assertMoves(path);
  const n = source.rows;
  const eigen = await eigenpairsOf(path, resolved, linearAlgebra);
  const rank = eigen.shares.reduce((count, share) => count + (share > NO_SHARE ? 1 : 0), 0);
  assertRank(components, rank);
  const weights = components.map((index) => combinationWeights(eigen, index, n, centering));
  const raw = await combineRows(source, { ...shared, weights });
  assertNotNoise(raw, components);
  const transform = finishVectorsInto(raw);
  return {
    kind: "pca",
    center: raw.row,
    vectors: raw.vectors,
    labels: components.map((index) => `PC ${index + 1}`),
    components,
    explainedVarianceRatio: Float64Array.from(components, (index) => eigen.shares[index]),
    randomWalkBaseline: await selectBaseline(path, resolved, linearAlgebra),
    ...spectrumOf(path, eigen, resolved, options.allShares ?? false),
    coordinates: coordinatesFromGram(path.gram, n, weights, transform),
    squaredSteps: path.squaredSteps,
    finalRow,
    centering,
    precision: path.precision,
    warnings: warningsOf(path, eigen, resolved),
  };
}

/** The components asked for, and one more, which tells whether the last of them stands alone. */
function eigenpairsOf(
  { gram, squaredSteps }: DifferenceGram,
  { components, centering }: ResolvedPcaOptions,
  linearAlgebra: LinearAlgebra,
): Promise<GramEigen> {
  const n = squaredSteps.length;
  const count = Math.min(n, Math.max(...components) + 2);
  return leadingGramEigen(gram, n, count, linearAlgebra, centering === "mean");
}

/** Shares and singular values, of all components where they are known or asked for. */
function spectrumOf(
  { gram, squaredSteps }: DifferenceGram,
  eigen: GramEigen,
  { centering }: ResolvedPcaOptions,
  all: boolean,
): Pick<PcaDirections, "allExplainedVarianceRatio" | "singularValues"> {
  const n = squaredSteps.length;
  if (!all || eigen.values.length === n) {
    return { allExplainedVarianceRatio: eigen.shares, singularValues: eigen.values.map(Math.sqrt) };
  }
  const shares = gramShares(centering === "mean" ? doubleCenter(gram, n) : gram, n);
  const total = eigen.values[0] / eigen.shares[0];
  return {
    allExplainedVarianceRatio: shares,
    singularValues: shares.map((share) => Math.sqrt(share * total)),
  };
}

function assertMoves(path: DifferenceGram): void {
  const moved = path.squaredSteps.some((square) => square > 0);
  if (!moved)
    throw new InvalidDataError("snapshots", "weights that change", "the same weights in all of them");
  const n = path.squaredSteps.length;
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, path.gram[i * n + i]);
  if (largest < 1e-30) {
    throw new InvalidDataError("snapshots", "differences above 1e-15", `${Math.sqrt(largest)} at most`);
  }
}

function assertRank(components: readonly number[], rank: number): void {
  const beyond = components.find((index) => index >= rank);
  if (beyond !== undefined) throw rankError(beyond, rank);
}

function rankError(index: number, rank: number): InvalidOptionError {
  return new InvalidOptionError(
    "components",
    `components within the rank of the path (${rank})`,
    `component ${index + 1}`,
    { hint: rank === 1 ? "the snapshots lie on one line: ask for 1 component" : "ask for fewer components" },
  );
}

/**
 * A component made of rounding noise betrays itself: the vector that its coefficients give does not have
 * the length that its eigenvalue promised.
 */
function assertNotNoise(raw: RowCombinations, components: readonly number[]): void {
  const k = components.length;
  const noise = components.findIndex((_, m) => !(Math.abs(raw.gram[m * k + m] - 1) < 0.5));
  if (noise >= 0) throw rankError(components[noise], components[noise]);
}

/** u/√λ, for "mean" with the mean subtracted, so that a sum over rows about any row is one about the mean. */
function combinationWeights(
  eigen: GramEigen,
  index: number,
  n: number,
  centering: PcaCentering,
): Float64Array {
  const scale = 1 / Math.sqrt(eigen.values[index]);
  const weights = eigen.vectors.slice(index * n, (index + 1) * n).map((value) => value * scale);
  if (centering === "final") return weights;
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / n;
  return weights.map((weight) => weight - mean);
}

/** M·v = M·Mᵀ·w = G·w for each vector's coefficients w. */
function coordinatesFromGram(
  gram: Float64Array,
  n: number,
  weights: readonly Float64Array[],
  transform: Float64Array,
): Float64Array {
  const k = weights.length;
  const finished = Array.from({ length: k }, (_, a) =>
    Float64Array.from({ length: n }, (__, j) => {
      let weight = 0;
      for (let b = 0; b < k; b++) weight += transform[a * k + b] * weights[b][j];
      return weight;
    }),
  );
  const coordinates = new Float64Array(n * k);
  for (let i = 0; i < n; i++) {
    for (let a = 0; a < k; a++) {
      const weight = finished[a];
      let sum = 0;
      for (let j = 0; j < n; j++) sum += gram[i * n + j] * weight[j];
      coordinates[i * k + a] = sum;
    }
  }
  return coordinates;
}

async function selectBaseline(
  path: DifferenceGram,
  options: ResolvedPcaOptions,
  linearAlgebra: LinearAlgebra,
): Promise<Float64Array> {
  const { centering, finalRow, runLengths, components } = options;
  const n = path.squaredSteps.length;
  let first = 0;
  const squaredStartDistances = runLengths.map((length) => {
    const square = path.gram[0] + path.gram[first * n + first] - 2 * path.gram[first];
    first += length;
    return Math.max(0, square);
  });
  const walk = { centering, finalRow, runLengths, squaredStartDistances };
  const count = Math.max(...components) + 1;
  const shares = await leadingWalkShares(path.squaredSteps, count, linearAlgebra, walk);
  return Float64Array.from(components, (index) => shares[index]);
}

function warningsOf(
  path: DifferenceGram,
  eigen: GramEigen,
  options: ResolvedPcaOptions,
): readonly LandscapeWarning[] {
  const { components, runLengths } = options;
  return [...path.warnings, ...pcaWarnings(eigen.shares, path.squaredSteps, components, runLengths)];
}
