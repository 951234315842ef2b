import { contours as d3Contours } from "d3-contour";
import type { Interpolation } from "../figure.js";
import { type ContourScale, finiteRange, heightOf } from "./scales.js";

/** A grid of values refined between its points. */
export interface RefinedGrid {
  /** Values (height, width), row-major; NaN wherever a corner of the original cell is not finite. */
  readonly values: Float64Array;
  readonly width: number;
  readonly height: number;
  /** Number of fine steps in one original step. */
  readonly factor: number;
}

/**
 * Refines a grid `factor` times by modified Akima interpolation, first along rows, then along columns.
 *
 * Every given value is kept, planes are reproduced, and the result is held inside the range of the given
 * finite values: no loss is drawn that is lower or higher than all that were evaluated. Akima's slopes keep
 * ripples away from plateaus and cliffs, which a plain cubic spline does not. Cells with a non-finite
 * corner stay NaN.
 *
 * @param values - (height, width), row-major.
 * @param range - what the result is held in, where the values are a part of others. Default their own.
 * @see Akima 1970; the modified weights avoid the jump of the original where neighbouring slopes are equal.
 */
export function refineGrid(
  values: ArrayLike<number>,
  width: number,
  height: number,
  factor: number,
  range = finiteRange(values),
): RefinedGrid {
  const fineWidth = (width - 1) * factor + 1;
  const fineHeight = (height - 1) * factor + 1;
  const fine = new Float64Array(fineWidth * fineHeight);
  const row = new Float64Array(width);
  for (let j = 0; j < height; j++) {
    for (let i = 0; i < width; i++) {
      const value = values[j * width + i] as number;
      row[i] = Number.isFinite(value) ? value : Number.NaN;
    }
    const refined = refineLine(row, factor);
    fine.set(refined, j * factor * fineWidth);
  }
  const column = new Float64Array(height);
  for (let i = 0; i < fineWidth; i++) {
    for (let j = 0; j < height; j++) column[j] = fine[j * factor * fineWidth + i] as number;
    const refined = refineLine(column, factor);
    for (let j = 0; j < fineHeight; j++) fine[j * fineWidth + i] = refined[j] as number;
  }
  clampInto(fine, range);
  return { values: fine, width: fineWidth, height: fineHeight, factor };
}

/** Holds refined values inside a range; NaN stays. */
function clampInto(fine: Float64Array, range: readonly [number, number] | null): void {
  if (range === null) return;
  for (let k = 0; k < fine.length; k++) fine[k] = Math.min(Math.max(fine[k] as number, range[0]), range[1]);
}

/** Piecewise cubic interpolation of equally spaced values; NaN between neighbours that are not both finite. */
function refineLine(values: Float64Array, factor: number): Float64Array {
  const slopes = values.map((_, index) => slopeAt(values, index));
  const out = new Float64Array((values.length - 1) * factor + 1);
  for (let i = 0; i < values.length - 1; i++) {
    const a = values[i] as number;
    const b = values[i + 1] as number;
    const isFinitePair = Number.isFinite(a) && Number.isFinite(b);
    out[i * factor] = a;
    for (let k = 1; k < factor; k++) {
      out[i * factor + k] = isFinitePair
        ? hermite(a, b, slopes[i] as number, slopes[i + 1] as number, k / factor)
        : Number.NaN;
    }
  }
  out[out.length - 1] = values[values.length - 1] as number;
  return out;
}

/** Slope at a point: the secants beside it, each weighted by how even the secants on the other side are. */
function slopeAt(values: Float64Array, index: number): number {
  const secant = (k: number): number => (values[k + 1] ?? Number.NaN) - (values[k] ?? Number.NaN);
  let left = secant(index - 1);
  let right = secant(index);
  if (!Number.isFinite(left) && !Number.isFinite(right)) return 0;
  // Where values end, secants go on as they changed last: a parabola.
  if (!Number.isFinite(left)) left = extend(right, secant(index + 1));
  if (!Number.isFinite(right)) right = extend(left, secant(index - 2));
  const farLeft = extendIfMissing(secant(index - 2), left, right);
  const farRight = extendIfMissing(secant(index + 1), right, left);
  const leftWeight = Math.abs(farRight - right) + Math.abs(farRight + right) / 2;
  const rightWeight = Math.abs(left - farLeft) + Math.abs(left + farLeft) / 2;
  const total = leftWeight + rightWeight;
  return total === 0 ? 0 : (leftWeight * left + rightWeight * right) / total;
}

/** The secant before `near`, continuing the change from `far` to `near`. */
function extend(near: number, far: number): number {
  return Number.isFinite(far) ? 2 * near - far : near;
}

function extendIfMissing(secant: number, near: number, far: number): number {
  return Number.isFinite(secant) ? secant : extend(near, far);
}

function hermite(a: number, b: number, slopeA: number, slopeB: number, t: number): number {
  const t2 = t * t;
  const t3 = t2 * t;
  return (2 * t3 - 3 * t2 + 1) * a + (t3 - 2 * t2 + t) * slopeA + (3 * t2 - 2 * t3) * b + (t3 - t2) * slopeB;
}

/** A point in grid coordinates: (alpha, beta). */
export type GridPoint = readonly [alpha: number, beta: number];

/** The part of the plane at or above a level, and the line along which the surface has that level. */
export interface Contour {
  readonly level: number;
  /** Closed rings bounding the region {loss ≥ level}; holes run the other way round (non-zero fill rule). */
  readonly rings: readonly (readonly GridPoint[])[];
  /** The level's lines: the rings without the stretches along the border of the grid. */
  readonly lines: readonly (readonly GridPoint[])[];
}

/** A rectangle of grid cells in which the surface is not known. */
export interface UnknownCells {
  readonly alpha: readonly [number, number];
  readonly beta: readonly [number, number];
}

/** Values over a grid, as a surface or a figure holds them. */
export interface GridValues {
  /** (W), increasing. */
  readonly alpha: ArrayLike<number>;
  /** (H), increasing. */
  readonly beta: ArrayLike<number>;
  /** (H, W), row-major: rows over beta. */
  readonly loss: ArrayLike<number>;
}

/** Grid steps a side that cubic interpolation aims at. */
const FINE_STEPS = 120;

/**
 * Returns the filled contours of a surface, one for each level, in grid coordinates.
 *
 * On a logarithmic scale interpolation is in log(loss). d3-contour places value (i, j) at the centre
 * (i + ½, j + ½) of a pixel and lets regions run half a pixel over the edge; here grid point (i, j) is at
 * (alpha[i], beta[j]) and regions end at the outermost points. Cells with a non-finite corner are bridged
 * with their neighbours' values so that regions stay closed: draw {@link unknownCells} over them.
 * Cost: O(levels · W · H · factor²).
 *
 * @param range - least and largest value of the surface that the grid is a part of. Default of the grid.
 */
export function surfaceContours(
  grid: GridValues,
  scale: ContourScale,
  interpolation: Interpolation = "linear",
  range?: readonly [number, number] | null,
): readonly Contour[] {
  const width = grid.alpha.length;
  const height = grid.beta.length;
  const heights = toHeights(grid.loss, scale);
  const factor = interpolation === "linear" ? 1 : Math.ceil(FINE_STEPS / Math.max(width - 1, height - 1));
  const fine =
    factor > 1
      ? refineGrid(
          heights,
          width,
          height,
          factor,
          range == null ? undefined : finiteRange(toHeights(range, scale)),
        )
      : { values: heights, width, height, factor };
  const values = bridgeNonFinite(fine.values, fine.width, fine.height);
  if (values === null) return [];
  const tracer = d3Contours().size([fine.width, fine.height]);
  const axis = { alpha: grid.alpha, beta: grid.beta, factor };
  return scale.levels.map((level) => {
    const threshold = heightOf(scale)(level);
    const rings = tracer
      .contour(Array.from(values), threshold)
      .coordinates.flat()
      .map((ring) => ring.map((point) => toIndices(point, fine)));
    return {
      level,
      rings: rings.map((ring) => dropRepeats(ring).map((point) => toGrid(point, axis))),
      lines: rings
        .flatMap((ring) => splitAtBorder(ring, fine))
        .map((line) => line.map((p) => toGrid(p, axis))),
    };
  });
}

/** Returns the grid cells that have a non-finite corner, merged along rows. */
export function unknownCells(grid: GridValues): readonly UnknownCells[] {
  const width = grid.alpha.length;
  const isKnown = (i: number, j: number): boolean => Number.isFinite(grid.loss[j * width + i]);
  const cells: UnknownCells[] = [];
  for (let j = 0; j + 1 < grid.beta.length; j++) {
    let start = -1;
    for (let i = 0; i < width; i++) {
      const unknown =
        i + 1 < width && !(isKnown(i, j) && isKnown(i + 1, j) && isKnown(i, j + 1) && isKnown(i + 1, j + 1));
      if (unknown && start < 0) start = i;
      if (!unknown && start >= 0) {
        cells.push({
          alpha: [grid.alpha[start] as number, grid.alpha[i] as number],
          beta: [grid.beta[j] as number, grid.beta[j + 1] as number],
        });
        start = -1;
      }
    }
  }
  return cells;
}

/** What is contoured: the height of the loss; on a logarithmic scale zeros are put below the lowest level. */
export function toHeights(loss: ArrayLike<number>, scale: ContourScale): Float64Array {
  const values = Float64Array.from(loss);
  if (scale.kind !== "log") return values.map(heightOf(scale));
  let least = scale.levels[0] ?? 1;
  for (const value of values) if (value > 0 && value < least) least = value;
  return values.map((value) => (value <= 0 ? Math.log10(least) : Math.log10(value)));
}

/** Copies values outwards into non-finite cells, ring by ring; null if there is no finite value. */
function bridgeNonFinite(values: Float64Array, width: number, height: number): Float64Array | null {
  const out = values.slice();
  let missing: number[] = [];
  out.forEach((value, index) => {
    if (!Number.isFinite(value)) missing.push(index);
  });
  while (missing.length > 0) {
    const found: [number, number][] = [];
    for (const index of missing) {
      const i = index % width;
      const j = (index - i) / width;
      const neighbours = [
        i > 0 ? out[index - 1] : undefined,
        i + 1 < width ? out[index + 1] : undefined,
        j > 0 ? out[index - width] : undefined,
        j + 1 < height ? out[index + width] : undefined,
      ].filter((value): value is number => Number.isFinite(value));
      if (neighbours.length > 0) found.push([index, Math.max(...neighbours)]);
    }
    if (found.length === 0) return null;
    for (const [index, value] of found) out[index] = value;
    missing = missing.filter((index) => !Number.isFinite(out[index]));
  }
  return out;
}

/** From d3's pixel coordinates to indices of grid points, clamped to the outermost points. */
function toIndices(point: readonly number[], size: { width: number; height: number }): [number, number] {
  const clamp = (value: number, max: number): number => Math.min(Math.max(value - 0.5, 0), max);
  return [clamp(point[0] as number, size.width - 1), clamp(point[1] as number, size.height - 1)];
}

function toGrid(
  [i, j]: readonly [number, number],
  axis: { alpha: ArrayLike<number>; beta: ArrayLike<number>; factor: number },
): GridPoint {
  return [interpolateAt(axis.alpha, i / axis.factor), interpolateAt(axis.beta, j / axis.factor)];
}

function interpolateAt(axis: ArrayLike<number>, index: number): number {
  const low = Math.min(Math.floor(index), axis.length - 2);
  const a = axis[low] as number;
  return a + (index - low) * ((axis[low + 1] as number) - a);
}

function dropRepeats(points: readonly [number, number][]): [number, number][] {
  return points.filter(([x, y], index) => {
    const previous = points[index - 1];
    return previous === undefined || previous[0] !== x || previous[1] !== y;
  });
}

/** Cuts a closed ring where it runs along the border, and joins the two ends of an uncut start. */
function splitAtBorder(
  ring: readonly [number, number][],
  size: { width: number; height: number },
): [number, number][][] {
  const points = dropRepeats(ring);
  const lines: [number, number][][] = [];
  let current: [number, number][] = [];
  for (let k = 0; k + 1 < points.length; k++) {
    const a = points[k] as [number, number];
    const b = points[k + 1] as [number, number];
    if (isAlongBorder(a, b, size)) {
      if (current.length > 1) lines.push(current);
      current = [];
    } else {
      if (current.length === 0) current.push(a);
      current.push(b);
    }
  }
  if (current.length > 1) lines.push(current);
  return joinEnds(lines);
}

/** A ring starts anywhere: its last line may go on in its first. */
function joinEnds(lines: [number, number][][]): [number, number][][] {
  const first = lines[0];
  const last = lines[lines.length - 1];
  if (first === undefined || last === undefined || first === last) return lines;
  const end = last[last.length - 1] as [number, number];
  const start = first[0] as [number, number];
  if (end[0] !== start[0] || end[1] !== start[1]) return lines;
  return [[...last, ...first.slice(1)], ...lines.slice(1, -1)];
}

function isAlongBorder(
  a: readonly [number, number],
  b: readonly [number, number],
  size: { width: number; height: number },
): boolean {
  const isEdge = (value: number, max: number): boolean => value === 0 || value === max;
  return (a[0] === b[0] && isEdge(a[0], size.width - 1)) || (a[1] === b[1] && isEdge(a[1], size.height - 1));
}
