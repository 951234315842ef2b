import { CholeskyDecomposition, Matrix } from "ml-matrix";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import { dot } from "../math/row-kernels.js";
import { arrayBytes } from "../math/row-vectors.js";
import {
  type ColumnBlock,
  type ColumnBlockOptions,
  readColumnBlocks,
  resolveBlockColumns,
} from "./column-selection.js";
import type { Directions, RowSource } from "./directions.js";
import { openRowTiles } from "./row-tiles.js";

/**
 * Adds ‖θ_i − θ* − Σ_k c_ik·d_k‖² over the columns of a block into `residuals`, for the chosen rows.
 *
 * The residual is formed entry by entry in float64, so that a row nearly in the plane keeps its digits.
 */
export function addSquaredResidualsInto(
  residuals: Float64Array,
  chosen: readonly number[],
  block: ColumnBlock,
  { center, vectors }: Pick<Directions, "center" | "vectors">,
  coordinates: Float64Array,
): void {
  const { start, count, rows } = block;
  const k = vectors.length;
  const rest = new Float64Array(count);
  for (const i of chosen) {
    const row = rows[i];
    for (let c = 0; c < count; c++) rest[c] = row[c] - center[start + c];
    vectors.forEach((vector, a) => {
      const coefficient = coordinates[i * k + a];
      for (let c = 0; c < count; c++) rest[c] -= coefficient * vector[start + c];
    });
    let sum = 0;
    for (let c = 0; c < count; c++) sum += rest[c] * rest[c];
    residuals[i] += sum;
  }
}

/** Directions ready to solve the normal equations. */
export interface Span {
  /** Returns c (k) with (dᵀd)·c = b, for b the products of a vector with each direction. */
  solve(products: ArrayLike<number>): Float64Array;
}

/** Below this angle (radians) to the others a direction does not span a plane with them. */
const SMALLEST_ANGLE = 1e-4;

/**
 * Prepares directions of any lengths and angles for least squares.
 *
 * @throws {@link InvalidOptionError} naming a direction that is zero or not finite, or that lies within 1e-4 radians
 * of the span of those before it, with the angle.
 */
export function createSpan(vectors: readonly Float32Array[]): Span {
  const k = vectors.length;
  if (k === 0) throw new InvalidOptionError("directions", "at least one direction", "none");
  const lengths = vectors.map((vector) => Math.sqrt(dot(vector, vector)));
  lengths.forEach((length, a) => {
    if (length > 0 && Number.isFinite(length)) return;
    throw new InvalidOptionError(
      `direction ${a}`,
      "a finite vector other than zero",
      `one of length ${length}`,
    );
  });
  // Normalised to a unit diagonal, so that a diagonal entry of the factor is the sine of an angle.
  const gram = new Float64Array(k * k);
  for (let a = 0; a < k; a++) {
    for (let b = 0; b < k; b++) {
      gram[a * k + b] = a === b ? 1 : dot(vectors[a], vectors[b]) / (lengths[a] * lengths[b]);
    }
  }
  const decomposition = new CholeskyDecomposition(Matrix.from1DArray(k, k, gram));
  decomposition.lowerTriangularMatrix.diagonal().forEach((sine, a) => {
    const angle = Math.asin(Math.min(1, sine));
    if (angle >= SMALLEST_ANGLE) return;
    const others = a === 1 ? "direction 0" : "the span of the directions before it";
    throw new InvalidOptionError(
      `direction ${a}`,
      `an angle of at least ${SMALLEST_ANGLE} radians to ${others}`,
      `${angle.toPrecision(2)} (collinear)`,
    );
  });
  return {
    solve(products) {
      const scaled = lengths.map((length, a) => products[a] / length);
      const solution = decomposition.solve(Matrix.columnVector(scaled));
      return Float64Array.from(lengths, (length, a) => solution.get(a, 0) / length);
    },
  };
}

/** A path of N snapshots seen in the plane (or line, or space) of k directions. */
export interface Trajectory {
  /** Grid coordinates (N, k), row-major: least-squares coefficients about θ*. */
  readonly coordinates: Float64Array;
  /** k. */
  readonly dimensions: number;
  /** Share of ‖θ_i − θ*‖² that lies inside the span of the directions (N), in [0, 1]; 1 where θ_i = θ*. */
  readonly inPlaneShare: Float64Array;
  /** Euclidean distance of θ_i to the plane (N). */
  readonly distance: Float64Array;
  /** Loss of the snapshot itself (N), or null if not evaluated. */
  readonly trueLoss: Float64Array | null;
  /** Loss of the plane at the snapshot's coordinates (N), or null if not evaluated. */
  readonly planeLoss: Float64Array | null;
  /** Loss of the snapshot with recalibrated batch-norm statistics (N), where the plane has those. */
  readonly recalibratedLoss?: Float64Array;
  /** Positions of the snapshots whose losses were evaluated, increasing; NaN at the others. Absent: all. */
  readonly evaluated?: Int32Array;
  readonly warnings: readonly LandscapeWarning[];
}

/** Rows whose squared residual is a smaller part of ‖θ_i − θ*‖² get it summed on its own. */
const CANCELLED = 1e-7;

/**
 * Returns the coordinates of a path in the plane (line, space) through θ* spanned by any directions.
 *
 * The coefficients c_i are the least-squares solution of Σ_k c_ik·d_k ≈ θ_i − θ*, from the k×k normal equations
 * in float64: grid coordinates, whatever the lengths of the directions and the angles between them. The
 * distance to the plane is ‖θ_i − θ*‖² − c_iᵀb_i where that keeps its digits, and otherwise the norm of the
 * residual itself, summed in a second pass.
 * Cost: O(N·D·k) time, O(block + N) memory; one pass over the rows, or two.
 *
 * @param source - N rows of length D.
 * @param directions - θ* and k vectors, of length D as well: those of the same columns.
 * @returns a trajectory without losses.
 * @throws {@link InvalidOptionError} if directions have another length, are zero, or nearly collinear;
 * {@link InvalidDataError} naming a snapshot with weights that are not finite.
 * @example const { coordinates } = await projectTrajectory(rowSourceOfRuns([run]), directions);
 */
export async function projectTrajectory(
  source: RowSource,
  directions: Pick<Directions, "center" | "vectors">,
  options: ColumnBlockOptions = {},
): Promise<Trajectory> {
  const { vectors } = directions;
  assertColumns(source, directions);
  const blockColumns = resolveBlockColumns(source, options.blockColumns);
  const span = createSpan(vectors);
  const k = vectors.length;
  const n = source.rows;
  const { squares, products } = await productsAbout(source, directions, blockColumns, options);
  assertFinite(squares);
  const coordinates = solveRows(span, products, n, k);
  const residuals = await squaredResiduals(
    source,
    directions,
    { squares, products, coordinates },
    blockColumns,
    options.signal,
  );
  return {
    coordinates,
    dimensions: k,
    inPlaneShare: residuals.map((residual, i) => inPlaneShare(residual, squares[i])),
    distance: residuals.map(Math.sqrt),
    trueLoss: null,
    planeLoss: null,
    warnings: [],
  };
}

/** Columns per tile: those of the centre and of two directions stay in the processor's first cache. */
const TILE_COLUMNS = 2048;

/** ‖θ_i − θ*‖² (N), and the products of θ_i − θ* with each direction (N, k). */
async function productsAbout(
  source: RowSource,
  { center, vectors }: Pick<Directions, "center" | "vectors">,
  blockColumns: number,
  { signal, onProgress }: ColumnBlockOptions,
): Promise<Omit<Sums, "coordinates">> {
  const [n, k] = [source.rows, vectors.length];
  const products = new Float64Array(n * k);
  const squares = new Float64Array(n);
  const reader = openRowTiles(source, {
    ...{ blockColumns, tileColumns: TILE_COLUMNS, directions: k },
    bytes: arrayBytes("float32", (1 + k) * TILE_COLUMNS) + arrayBytes("float64", n * (1 + k)),
  });
  const about = reader.vectors.float32((1 + k) * TILE_COLUMNS);
  const out = reader.vectors.float64(n * (1 + k));
  for await (const block of reader.blocks(signal)) {
    for (let at = 0; at < block.count; at += TILE_COLUMNS) {
      const columns = Math.min(TILE_COLUMNS, block.count - at);
      const start = block.start + at;
      [center, ...vectors].forEach((vector, a) => {
        about.set(vector.subarray(start, start + columns), a * columns);
      });
      reader.vectors.differenceProductsInto(out, reader.tile(block, at, columns), about);
      for (let i = 0; i < n; i++) {
        squares[i] += out[i * (1 + k)];
        for (let a = 0; a < k; a++) products[i * k + a] += out[i * (1 + k) + 1 + a];
      }
    }
    onProgress?.(block.start + block.count, source.columns);
  }
  return { squares, products };
}

function assertColumns(source: RowSource, { center, vectors }: Pick<Directions, "center" | "vectors">): void {
  const wrong = [center, ...vectors].find((vector) => vector.length !== source.columns);
  if (wrong !== undefined) {
    throw new InvalidOptionError(
      "directions",
      `vectors over the ${source.columns} columns of the snapshots`,
      `${wrong.length} entries`,
    );
  }
}

function assertFinite(squares: Float64Array): void {
  const bad = squares.findIndex((square) => !Number.isFinite(square));
  if (bad >= 0) {
    throw new InvalidDataError(`snapshot ${bad}`, "finite weights and centre", "NaN or an infinite value");
  }
}

function solveRows(span: Span, products: Float64Array, n: number, k: number): Float64Array {
  const coordinates = new Float64Array(n * k);
  for (let i = 0; i < n; i++) coordinates.set(span.solve(products.subarray(i * k, (i + 1) * k)), i * k);
  return coordinates;
}

interface Sums {
  readonly squares: Float64Array;
  readonly products: Float64Array;
  readonly coordinates: Float64Array;
}

async function squaredResiduals(
  source: RowSource,
  directions: Pick<Directions, "center" | "vectors">,
  { squares, products, coordinates }: Sums,
  blockColumns: number,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const k = directions.vectors.length;
  const residuals = squares.map((square, i) => {
    let inside = 0;
    for (let a = 0; a < k; a++) inside += coordinates[i * k + a] * products[i * k + a];
    return square - inside;
  });
  const cancelled = Array.from(squares.keys()).filter(
    (i) => squares[i] > 0 && !(residuals[i] > CANCELLED * squares[i]),
  );
  if (cancelled.length === 0) return residuals;
  for (const i of cancelled) residuals[i] = 0;
  for await (const block of readColumnBlocks(source, blockColumns, signal)) {
    addSquaredResidualsInto(residuals, cancelled, block, directions, coordinates);
  }
  return residuals;
}

/** 1 where θ_i = θ*, which lies in every plane through itself. */
function inPlaneShare(residual: number, square: number): number {
  return square === 0 ? 1 : Math.min(1, Math.max(0, 1 - residual / square));
}
