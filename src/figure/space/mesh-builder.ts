import { cross, distance, minus, plus, type ScenePoint, times, unit } from "./scene-view.js";

/**
 * Triangles with what lights and colours them. Every renderer draws the same: the page's WebGL and the rasterizer
 * of pictures and movies.
 */
export interface SceneMesh {
  /** (n, 3): places in the box. */
  readonly position: Float32Array;
  /** (n, 3): unit normals. */
  readonly normal: Float32Array;
  /** (n, 3): red, green, blue in [0, 1], as on the colour bar, in shadow darker. */
  readonly color: Float32Array;
  /** (n): share of the sky that is seen. */
  readonly sky: Float32Array;
  /** (n, 3): number of the band of the contours, column and row of the evaluated grid; lines lie where they are whole. */
  readonly lines: Float32Array;
  /** (m, 3): corners of triangles, counter-clockwise from outside. */
  readonly index: Uint32Array;
}

/** Shares in [0, 1]. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** Sides of a tube. */
const SIDES = 10;

/** Grows a mesh of tubes and balls. */
export class MeshBuilder {
  readonly #position: number[] = [];
  readonly #normal: number[] = [];
  readonly #color: number[] = [];
  readonly #index: number[] = [];

  /** A round tube along a line, closed by caps. */
  tube(line: readonly ScenePoint[], radius: number, color: Rgb): void {
    const [first, last] = [line[0], line.at(-1)];
    if (first === undefined || last === undefined || !this.#hull(line, radius, color)) return;
    this.ball(first, radius, color);
    this.ball(last, radius, color);
  }

  /** A straight tube without caps. */
  rod(from: ScenePoint, to: ScenePoint, radius: number, color: Rgb): void {
    this.#hull([from, to], radius, color);
  }

  /** The side of a tube; false for a line without length. */
  #hull(line: readonly ScenePoint[], radius: number, color: Rgb): boolean {
    const points = line.filter((point, k) => k === 0 || distance(point, line[k - 1] as ScenePoint) > 1e-6);
    const [first, last] = [points[0], points.at(-1)];
    if (first === undefined || last === undefined || points.length < 2) return false;
    const start = this.#position.length / 3;
    let side: ScenePoint | null = null;
    for (const [k, point] of points.entries()) {
      const along = unit(minus(points[k + 1] ?? last, points[k - 1] ?? first));
      // The frame goes on from point to point, so that the tube does not twist.
      const helper: ScenePoint = side ?? (Math.abs(along[2]) > 0.9 ? [1, 0, 0] : [0, 0, 1]);
      const across = unit(cross(cross(along, helper), along));
      const other = cross(along, across);
      side = across;
      for (let s = 0; s < SIDES; s++) {
        const [c, d] = [Math.cos((2 * Math.PI * s) / SIDES), Math.sin((2 * Math.PI * s) / SIDES)];
        const out = plus(times(across, c), times(other, d));
        this.#vertex(plus(point, times(out, radius)), out, color);
      }
    }
    for (let k = 0; k + 1 < points.length; k++) {
      for (let s = 0; s < SIDES; s++) {
        const a = start + k * SIDES + s;
        const b = start + k * SIDES + ((s + 1) % SIDES);
        this.#index.push(a, b, b + SIDES, a, b + SIDES, a + SIDES);
      }
    }
    return true;
  }

  /** A ball of latitudes and longitudes. */
  ball(center: ScenePoint, radius: number, color: Rgb): void {
    const start = this.#position.length / 3;
    const rings = SIDES / 2;
    for (let ring = 0; ring <= rings; ring++) {
      const latitude = Math.PI * (ring / rings - 0.5);
      for (let s = 0; s < SIDES; s++) {
        const longitude = (2 * Math.PI * s) / SIDES;
        const out: ScenePoint = [
          Math.cos(latitude) * Math.cos(longitude),
          Math.cos(latitude) * Math.sin(longitude),
          Math.sin(latitude),
        ];
        this.#vertex(plus(center, times(out, radius)), out, color);
      }
    }
    for (let ring = 0; ring < rings; ring++) {
      for (let s = 0; s < SIDES; s++) {
        const a = start + ring * SIDES + s;
        const b = start + ring * SIDES + ((s + 1) % SIDES);
        this.#index.push(a, b, b + SIDES, a, b + SIDES, a + SIDES);
      }
    }
  }

  #vertex(at: ScenePoint, normal: ScenePoint, color: Rgb): void {
    this.#position.push(...at);
    this.#normal.push(...normal);
    this.#color.push(...color);
  }

  mesh(): SceneMesh {
    const count = this.#position.length / 3;
    return {
      position: Float32Array.from(this.#position),
      normal: Float32Array.from(this.#normal),
      color: Float32Array.from(this.#color),
      sky: new Float32Array(count).fill(1),
      lines: new Float32Array(3 * count).fill(0.5),
      index: Uint32Array.from(this.#index),
    };
  }
}
