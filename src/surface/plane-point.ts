import type { Directions } from "../directions/directions.js";

/** Writes points of a plane (or line) through θ* into a buffer, again and again. */
export interface PlanePoint {
  /** The buffer: θ at the coordinates last moved to; θ* at first. */
  readonly theta: Float32Array;
  /**
   * Writes θ* + alpha·vectors[0] + beta·vectors[1], each entry computed in float64 and rounded once.
   * At (0, 0) it is θ* bit for bit.
   */
  moveTo(alpha: number, beta: number): void;
}

/**
 * Creates a reused buffer for the points of a plane. Only the entries between the first and the last that
 * any direction moves are computed.
 *
 * @param directions - θ* and one or two vectors of its length.
 */
export function createPlanePoint({ center, vectors }: Pick<Directions, "center" | "vectors">): PlanePoint {
  const theta = Float32Array.from(center);
  const dx = vectors[0] as Float32Array;
  const dy = vectors[1] ?? null;
  const [start, end] = movingRange(vectors.slice(0, 2));
  return {
    theta,
    moveTo(alpha, beta) {
      if (alpha === 0 && beta === 0) theta.set(center);
      else if (dy === null || beta === 0) lineInto(theta, center, alpha, dx, start, end);
      else planeInto(theta, center, alpha, dx, beta, dy, start, end);
    },
  };
}

function lineInto(
  out: Float32Array,
  center: Float32Array,
  alpha: number,
  dx: Float32Array,
  start: number,
  end: number,
): void {
  for (let i = start; i < end; i++) out[i] = (center[i] as number) + alpha * (dx[i] as number);
}

function planeInto(
  out: Float32Array,
  center: Float32Array,
  alpha: number,
  dx: Float32Array,
  beta: number,
  dy: Float32Array,
  start: number,
  end: number,
): void {
  for (let i = start; i < end; i++) {
    out[i] = (center[i] as number) + alpha * (dx[i] as number) + beta * (dy[i] as number);
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
