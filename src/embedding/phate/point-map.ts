import { InvalidDataError } from "../../base/errors.js";
import type { LandscapeWarning } from "../../base/warning.js";
import type { LinearAlgebra } from "../../math/linear-algebra.js";
import {
  centerRows,
  type DistanceMetric,
  type DistanceSource,
  distancesFromGram,
  distancesFromMatrix,
  distancesFromRows,
  type PointRows,
} from "../distance-source.js";
import { centeredGram, centeredProducts, crossProducts, gramMeans, pointGram } from "../point-gram.js";
import {
  type PrincipalScores,
  projectProducts,
  scoresFromGram,
  scoresFromRows,
} from "../principal-scores.js";
import { checkRows, type PhateInput, type ResolvedPhateOptions } from "./phate-options.js";

/** Rows of more columns than this are compared through their Gram matrix. */
const directDimension = 2000;

/** How distances between the points of an input are taken, so that other points can be compared with them. */
export interface PointMap {
  readonly input: PhateInput;
  readonly metric: DistanceMetric;
  /** Whether the mean point is subtracted before cosine distances or principal components. */
  readonly centered: boolean;
  /** Principal component stage; null if there is none. */
  readonly principal: PrincipalScores | null;
}

/** Points outside an input: in the form of that input. */
export type NewPoints =
  | PointRows
  | {
      /** Inner products with the N points (M, N). */
      readonly products: Float64Array;
      /** Inner product of each with itself (M). */
      readonly squares: Float64Array;
      readonly count: number;
    }
  | {
      /** Distances to the N points (M, N). */
      readonly distances: Float64Array;
      readonly count: number;
    };

/** The options that distances between points depend on. */
export type PointMapOptions = Pick<ResolvedPhateOptions, "nPca" | "knnDist" | "centered">;

/** Returns how distances are taken for an input: through which principal components, centred or not. */
export async function createPointMap(
  input: PhateInput,
  options: PointMapOptions,
  algebra: LinearAlgebra,
): Promise<PointMap> {
  const { nPca, knnDist: metric } = options;
  if ("distances" in input) return { input, metric, centered: false, principal: null };
  const limit = "rows" in input ? Math.min(input.count, input.dimension) : input.count;
  const reduce = nPca !== null && nPca < limit;
  const centered = options.centered ?? reduce;
  if (!reduce) return { input, metric, centered, principal: null };
  const principal =
    "rows" in input
      ? await scoresFromRows(input, nPca, algebra, centered)
      : await scoresFromGram(input.gram, input.count, nPca, algebra, centered);
  return { input, metric, centered, principal };
}

/** Distances between the points of an input. */
export interface MappedDistances {
  readonly source: DistanceSource;
  /** Why something slower multiplied the points than is installed. */
  readonly warnings: readonly LandscapeWarning[];
}

/** Returns the distances between the points of the input. */
export async function mappedDistances(map: PointMap, algebra: LinearAlgebra): Promise<MappedDistances> {
  const { input, metric, centered, principal } = map;
  if (principal === null && "rows" in input && input.dimension > directDimension) {
    const { gram, warnings } = await pointGram(input, algebra, centered || metric === "euclidean");
    return { source: distancesFromGram(gram, input.count, metric), warnings };
  }
  return { source: directDistances(map), warnings: principal?.warnings ?? [] };
}

/** Distances for which no products of rows are needed. */
function directDistances({ input, metric, centered, principal }: PointMap): DistanceSource {
  const { count } = input;
  if ("distances" in input) return distancesFromMatrix(input.distances, count, count);
  if (principal !== null) return distancesFromRows(principal.scores, metric);
  const isCentered = centered && metric === "cosine";
  if ("gram" in input) {
    return distancesFromGram(isCentered ? centeredGram(input.gram, count) : input.gram, count, metric);
  }
  return distancesFromRows(isCentered ? centerRows(input) : input, metric);
}

/**
 * Returns the distances of other points to those of the input.
 *
 * @throws {@link InvalidDataError} if they are not in the form of the input.
 */
export function distancesToMapped(map: PointMap, points: NewPoints): DistanceSource {
  const { input, metric, centered, principal } = map;
  if ("distances" in input) {
    if (!("distances" in points)) throw wrongForm("distances (M, N)");
    checkSize(points.distances, points.count * input.count, "distances");
    return distancesFromMatrix(points.distances, points.count, input.count);
  }
  if ("rows" in input) return distancesToRows(map, input, points);
  if (!("products" in points)) throw wrongForm("products (M, N) and squares (M)");
  checkSize(points.products, points.count * input.count, "products");
  checkSize(points.squares, points.count, "squares");
  if (principal !== null) {
    return distancesFromRows(
      principal.scores,
      metric,
      projectProducts(principal, points.products, points.count),
    );
  }
  if (!(centered && metric === "cosine")) return distancesFromGram(input.gram, input.count, metric, points);
  return distancesFromGram(
    centeredGram(input.gram, input.count),
    input.count,
    metric,
    centeredCross(input, points),
  );
}

function distancesToRows(map: PointMap, input: PointRows, points: NewPoints): DistanceSource {
  const { metric, centered, principal } = map;
  if (!("rows" in points)) throw wrongForm("rows");
  if (points.dimension !== input.dimension) {
    throw new InvalidDataError("new points", `rows of ${input.dimension} numbers`, `${points.dimension}`);
  }
  checkRows(points, "new points");
  if (principal !== null) {
    const projected = projectProducts(principal, crossProducts(points, input), points.count);
    return distancesFromRows(principal.scores, metric, projected);
  }
  if (!(centered && metric === "cosine")) return distancesFromRows(input, metric, points);
  return distancesFromRows(centerRows(input), metric, centerRows(points, input));
}

function centeredCross(
  input: { readonly gram: Float64Array; readonly count: number },
  points: { readonly products: Float64Array; readonly squares: Float64Array },
): { readonly products: Float64Array; readonly squares: Float64Array } {
  const { gram, count: n } = input;
  const means = gramMeans(gram, n);
  const squares = points.squares.map((square, i) => {
    const mean = points.products.subarray(i * n, (i + 1) * n).reduce((sum, value) => sum + value, 0) / n;
    return square - 2 * mean + means.grand;
  });
  return { products: centeredProducts(points.products, n, means), squares };
}

function wrongForm(expected: string): InvalidDataError {
  return new InvalidDataError("new points", `${expected}, the form of the points embedded`, "another form");
}

function checkSize(values: Float64Array, size: number, where: string): void {
  if (values.length !== size)
    throw new InvalidDataError(`new points, ${where}`, `${size} numbers`, `${values.length}`);
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new InvalidDataError(`new points, ${where}[${bad}]`, "a finite number", `${values[bad]}`);
}

/** Pairs of points at distance 0. */
export interface DuplicatePairs {
  /** How many pairs there are. */
  readonly count: number;
  /** The first of them, as [i, j] with i < j; five at most. */
  readonly examples: readonly (readonly [number, number])[];
}

/** A source of distances that notes, as its rows are read, which different points are at distance 0. */
export interface WatchedDistances {
  readonly source: DistanceSource;
  /** The pairs met in the rows read so far. */
  duplicates(): DuplicatePairs;
}

/** Returns the same distances (N, N), watched for duplicates at no further cost in distances. */
export function watchDuplicates(source: DistanceSource): WatchedDistances {
  const examples: [number, number][] = [];
  let count = 0;
  return {
    source: {
      rows: source.rows,
      columns: source.columns,
      readRowInto(out, i) {
        source.readRowInto(out, i);
        for (let j = i + 1; j < source.columns; j++) {
          if (out[j] !== 0) continue;
          count++;
          if (examples.length < 5) examples.push([i, j]);
        }
      },
    },
    duplicates: () => ({ count, examples }),
  };
}
