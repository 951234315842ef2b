import type { Directions } from "./directions.js";

/** Writes points of a line, plane or space through θ* into a buffer, again and again. */
export interface PlanePoint {
  /** The buffer: θ at the coordinates last moved to; θ* at first. */
  readonly theta: Float32Array;
  /**
   * Writes θ* + Σ_k coordinates[k]·vectors[k], each entry summed in float64 and rounded once. Coordinates that
   * are not given are 0. At the origin it is θ* bit for bit.
   */
  moveTo(...coordinates: readonly number[]): void;
}

/** A vector and how far to go along it. */
interface Term {
  readonly by: number;
  readonly vector: Float32Array;
}

/**
 * Creates a reused buffer for the points around θ*. Only the entries between the first and the last that any
 * direction moves are computed.
 *
 * @param directions - θ* and vectors of its length.
 */
export function createPlanePoint({ center, vectors }: Pick<Directions, "center" | "vectors">): PlanePoint {
  const theta = Float32Array.from(center);
  const [start, end] = movingRange(vectors);
  return {
    theta,
    moveTo(...coordinates) {
      const terms = vectors.flatMap((vector, k) => {
        const by = coordinates[k] ?? 0;
        return by === 0 ? [] : [{ by, vector }];
      });
      const [first, second, ...rest] = terms;
      if (first === undefined) theta.set(center);
      else if (second === undefined) lineInto(theta, center, first, start, end);
      else if (rest.length === 0) planeInto(theta, center, first, second, start, end);
      else spaceInto(theta, center, terms, start, end);
    },
  };
}

function lineInto(
  out: Float32Array,
  center: Float32Array,
  { by, vector }: Term,
  start: number,
  end: number,
): void {
  for (let i = start; i < end; i++) out[i] = (center[i] as number) + by * (vector[i] as number);
}

function planeInto(
  out: Float32Array,
  center: Float32Array,
  { by: alpha, vector: dx }: Term,
  { by: beta, vector: dy }: Term,
  start: number,
  end: number,
): void {
  for (let i = start; i < end; i++) {
    out[i] = (center[i] as number) + alpha * (dx[i] as number) + beta * (dy[i] as number);
  }
}

function spaceInto(
  out: Float32Array,
  center: Float32Array,
  terms: readonly Term[],
  start: number,
  end: number,
): void {
  for (let i = start; i < end; i++) {
    let value = center[i] as number;
    for (const { by, vector } of terms) value += by * (vector[i] as number);
    out[i] = value;
  }
}

/** The range [start, end) outside which every vector is 0. */
function movingRange(vectors: readonly Float32Array[]): [number, number] {
  const length = vectors[0]?.length ?? 0;
  const moves = (i: number) => vectors.some((vector) => vector[i] !== 0);
  let start = 0;
  let end = length;
  while (start < end && !moves(start)) start++;
  while (end > start && !moves(end - 1)) end--;
  return [start, end];
}

/**
 * Where the points of a slice lie in weight space: any function from grid coordinates to θ.
 *
 * A plane through θ* is one (`Directions` are taken as that); a bilinear surface, which is not affine in
 * its coordinates, is another.
 */
export interface SliceMap {
  /** θ at (0, 0) (parameterCount). */
  readonly center: Float32Array;
  /**
   * Writes θ at the coordinates into `out` (parameterCount), every entry, each computed in float64 and
   * rounded once. At (0, 0) it is `center` bit for bit.
   */
  writeInto(out: Float32Array, alpha: number, beta: number): void;
}

/** What a slice can be taken of: directions through θ*, or any map of points. */
export type SlicePoints = Pick<Directions, "center" | "vectors"> | SliceMap;

/** Whether points are given by a map rather than by directions. */
export function isSliceMap(points: SlicePoints): points is SliceMap {
  return typeof (points as Partial<SliceMap>).writeInto === "function";
}

/** Makes a reused buffer for the points of a slice. */
export function createSlicePoint(slice: SlicePoints): PlanePoint {
  if (!isSliceMap(slice)) return createPlanePoint(slice);
  const theta = Float32Array.from(slice.center);
  return { theta, moveTo: (alpha = 0, beta = 0) => slice.writeInto(theta, alpha, beta) };
}
