import {
  type ColumnBlockOptions,
  readColumnBlocks,
  resolveBlockColumns,
} from "../directions/column-blocks.js";
import type { Directions, RowSource } from "../directions/directions.js";
import { InvalidDataError, InvalidOptionError } from "../errors.js";
import { differenceDot, squaredDistance } from "../math/row-kernels.js";
import { addSquaredResidualsInto } from "./residual.js";
import { createSpan, type Span } from "./span.js";
import type { Trajectory } from "./trajectory.js";

/** Options of {@link projectTrajectory}. */
export interface ProjectOptions extends ColumnBlockOptions {}

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
 */
export async function projectTrajectory(
  source: RowSource,
  directions: Pick<Directions, "center" | "vectors">,
  options: ProjectOptions = {},
): Promise<Trajectory> {
  const { center, vectors } = directions;
  assertColumns(source, directions);
  const blockColumns = resolveBlockColumns(source, options);
  const span = createSpan(vectors);
  const k = vectors.length;
  const n = source.rows;
  const products = new Float64Array(n * k);
  const squares = new Float64Array(n);
  for await (const { start, count, rows } of readColumnBlocks(source, blockColumns, options.signal)) {
    const middle = center.subarray(start, start + count);
    const parts = vectors.map((vector) => vector.subarray(start, start + count));
    rows.forEach((row, i) => {
      squares[i] += squaredDistance(row, middle);
      parts.forEach((part, a) => {
        products[i * k + a] += differenceDot(row, middle, part);
      });
    });
    options.onProgress?.(start + count, source.columns);
  }
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
