import type { RunStroke } from "../draw/palette.js";
import { pointRadius } from "../draw/paths.js";
import { hasDot, isInBoxLine } from "../draw/thinning.js";
import { MeshBuilder, type Rgb, type SceneMesh } from "./mesh-builder.js";
import type { PointPath, PointScene } from "./point-scene.js";
import { cross, distance, minus, plus, type ScenePoint, times, unit } from "./scene-view.js";
import { hornNormals, skyView } from "./sky-light.js";
import type { ScenePath, ScenePathPoint, SurfaceScene } from "./surface-scene.js";

/** Everything that is drawn as triangles, from the ground up. */
export interface SceneMeshes {
  /** The floor: transparent but for the shadow of the surface, in `sky`, and its contours. */
  readonly floor: SceneMesh;
  readonly surface: SceneMesh;
  /** Rims of the paths: only faces that are turned away are drawn, so that they stand out around the paths. */
  readonly rims: SceneMesh;
  /** Paths, stems to the true loss, and snapshots there; where the surface hides them they show through faintly. */
  readonly paths: SceneMesh;
  /** Whether lines of the grid are drawn rather than contours. */
  readonly isFaceted: boolean;
}

/** Colours of a scene, "#rrggbb". */
export interface SceneColors {
  /** Of the bands between contours, from low to high. */
  readonly bands: readonly string[];
  /** Of each path, with its dashes. */
  readonly paths: readonly RunStroke[];
  readonly rim: string;
  readonly stem: string;
  /** Of each snapshot, where they have others than their paths, with that of its rim. */
  readonly snapshot?:
    | ((run: number, index: number) => { readonly fill: string; readonly rim: string })
    | undefined;
}

/** Radii in the box, whose longer side is 100: of a path on the surface, its rim, a stem, a snapshot. */
const TUBE = 0.52;
const RIM = 0.86;
const THIN = 0.2;
const BALL = 0.66;
/** Snapshots of a path up to which it has a rim. */
const MOST_RIMMED = 150;
/** Reach of the soft shadow under a path, and how much of the light it takes. */
const SHADOW_REACH = 2.6;
const SHADOW = 0.42;
/** Share of the light that the floor keeps where the surface touches it. */
const FLOOR_LIGHT = 0.7;

/** Returns the triangles of a scene. Cost: dominated by {@link skyView}, which is computed once for a scene's heights. */
export function sceneMeshes(scene: SurfaceScene | PointScene, colors: SceneColors): SceneMeshes {
  return scene.kind === "points" ? pointMeshes(scene, colors) : surfaceMeshes(scene, colors);
}

function surfaceMeshes(scene: SurfaceScene, colors: SceneColors): SceneMeshes {
  const ground = groundOf(scene);
  // A few large facets would each be in shadow or not.
  const shadow = scene.isFaceted ? new Float32Array(scene.z.length) : pathShadow(scene);
  const paths = new MeshBuilder();
  const rims = new MeshBuilder();
  const rim = rgbOf(colors.rim);
  for (const [k, path] of scene.paths.entries())
    addPath(paths, rims, path, strokeOf(colors, k), rim, rgbOf(colors.stem));
  const bands = colors.bands.map(rgbOf);
  const surface = surfaceMesh(scene, ground, shadow, bands);
  return {
    floor: floorMesh(scene, surface),
    surface: scene.isFaceted ? faceted(surface) : surface,
    rims: rims.mesh(),
    paths: paths.mesh(),
    isFaceted: scene.isFaceted,
  };
}

/** How a path is drawn: its colour and its dashes, in the box. */
interface Stroke {
  readonly color: Rgb;
  readonly dashes: readonly number[] | null;
}

/** Length in the box of a px of the dashes of flat paths. */
const DASH = 0.24;

function strokeOf({ paths, stem }: SceneColors, path: number): Stroke {
  const { color = stem, lineDash = null } = paths[path] ?? {};
  return { color: rgbOf(color), dashes: lineDash?.map((px) => px * DASH) ?? null };
}

/** Steps of the floor on which paths by themselves cast their shadow, along its longer side. */
const FLOOR_STEPS = 160;
/** Radius in the box of the path of a scatter, and of a snapshot's ball for each px of its radius on a flat one. */
const LINE = 0.34;
const DOT = 0.26;
/** Share of the light that they take from the floor: many shadows must not outweigh the paths. */
const FAINT = 0.26;

/** Paths by themselves: tubes, a ball for each snapshot, and their shadow on the floor, which shows where they are. */
function pointMeshes(scene: PointScene, colors: SceneColors): SceneMeshes {
  const paths = new MeshBuilder();
  const rims = new MeshBuilder();
  const rim = rgbOf(colors.rim);
  for (const [k, path] of scene.paths.entries()) {
    const { count } = path;
    const radius = DOT * (pointRadius(count) + 0.4);
    const { color, dashes } = strokeOf(colors, k);
    for (const piece of path.pieces) {
      for (const [from, to] of dashed(
        piece
          .filter(({ index }, k) => k === 0 || k === piece.length - 1 || isInBoxLine(index, count))
          .map(({ at }) => at),
        dashes,
      )) {
        paths.rod(from, to, LINE, color);
        rims.rod(from, to, LINE + 0.6 * (RIM - TUBE), rim);
      }
      for (const { index, at } of piece) {
        if (!hasDot(index, count)) continue;
        const own = colors.snapshot?.(path.run, index);
        paths.ball(at, radius, own === undefined ? color : rgbOf(own.fill));
        rims.ball(at, radius + 0.6 * (RIM - TUBE), own === undefined ? rim : rgbOf(own.rim));
      }
    }
  }
  return {
    floor: shadowFloor(scene),
    surface: new MeshBuilder().mesh(),
    rims: rims.mesh(),
    paths: paths.mesh(),
    isFaceted: false,
  };
}

/** The drawn pieces of a line, two points each: between its points, cut by dashes. */
function dashed(
  line: readonly ScenePoint[],
  dashes: readonly number[] | null,
): (readonly [ScenePoint, ScenePoint])[] {
  const steps = line.slice(1).map((to, k) => [line[k] as ScenePoint, to] as const);
  if (dashes === null) return steps;
  const drawn: (readonly [ScenePoint, ScenePoint])[] = [];
  let [dash, left] = [0, dashes[0] as number];
  for (const [from, to] of steps) {
    const length = distance(from, to);
    const at = (along: number): ScenePoint => plus(from, times(minus(to, from), along / length));
    for (let along = 0; along < length; ) {
      const next = Math.min(length, along + left);
      if (dash % 2 === 0) drawn.push([at(along), at(next)]);
      left -= next - along;
      along = next;
      if (left <= 1e-9) {
        dash = (dash + 1) % dashes.length;
        left = dashes[dash] as number;
      }
    }
  }
  return drawn;
}

/** The floor under paths by themselves: nothing but their shadow. */
function shadowFloor({ box, paths }: PointScene): SceneMesh {
  const step = Math.max(box.width, box.depth) / FLOOR_STEPS;
  const axis = (side: number): Float64Array => {
    const count = Math.max(2, Math.round(side / step) + 1);
    return Float64Array.from({ length: count }, (_, k) => (k / (count - 1) - 0.5) * side);
  };
  const [x, y] = [axis(box.width), axis(box.depth)];
  const shadow = new Shadow(x, y);
  for (const [from, to] of paths.flatMap((path) => path.pieces.flatMap((piece) => stepsOf(piece)))) {
    const count = Math.max(1, Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / step));
    for (let k = 0; k <= count; k++) {
      const at = plus(from, times(minus(to, from), k / count));
      // The higher a path floats, the softer its shadow.
      const height = at[2] + box.height / 2;
      shadow.cast(at, 1.5 + 0.02 * height, FAINT / (1 + 0.004 * height));
    }
  }
  const z = new Float64Array(x.length * y.length);
  const count = z.length;
  return {
    position: Float32Array.from({ length: 3 * count }, (_, k) => {
      const at = Math.floor(k / 3);
      return [x[at % x.length], y[Math.floor(at / x.length)], -box.height / 2][k % 3] as number;
    }),
    normal: Float32Array.from({ length: 3 * count }, (_, k) => (k % 3 === 2 ? 1 : 0)),
    color: new Float32Array(3 * count),
    sky: shadow.share.map((share) => 1 - share),
    lines: new Float32Array(3 * count).fill(0.5),
    index: gridTriangles({ x, y, z }),
  };
}

function stepsOf(piece: PointPath["pieces"][number]): (readonly [ScenePoint, ScenePoint])[] {
  return piece.map(({ at }, k) => [(piece[k - 1] ?? piece[k])?.at as ScenePoint, at] as const);
}

interface Ground {
  readonly normal: Float32Array;
  readonly sky: Float32Array;
  readonly index: Uint32Array;
}

const grounds = new WeakMap<Float64Array, Ground>();

/** Normals, sky and triangles of the surface: the paths change nothing about them, so that a movie computes them once. */
function groundOf(scene: SurfaceScene): Ground {
  const known = grounds.get(scene.z);
  if (known !== undefined) return known;
  const made = {
    normal: hornNormals(scene),
    sky: Float32Array.from(skyView(scene)),
    index: gridTriangles(scene),
  };
  grounds.set(scene.z, made);
  return made;
}

/** Triangles of the cells without a hole; each cell is cut along the diagonal that bends it less. */
function gridTriangles({ x, y, z }: Pick<SurfaceScene, "x" | "y" | "z">): Uint32Array {
  const width = x.length;
  const index: number[] = [];
  for (let j = 0; j + 1 < y.length; j++) {
    for (let i = 0; i + 1 < width; i++) {
      const a = j * width + i;
      const [b, c, d] = [a + 1, a + width + 1, a + width];
      const [za, zb, zc, zd] = [z[a], z[b], z[c], z[d]] as [number, number, number, number];
      if (Number.isNaN(za + zb + zc + zd)) continue;
      if (Math.abs(za - zc) <= Math.abs(zb - zd)) index.push(a, b, c, a, c, d);
      else index.push(a, b, d, b, c, d);
    }
  }
  return Uint32Array.from(index);
}

function surfaceMesh(
  { x, y, z, shade, bands: count, cells }: SurfaceScene,
  { normal, sky, index }: Ground,
  shadow: Float32Array,
  bands: readonly Rgb[],
): SceneMesh {
  const position = new Float32Array(3 * z.length);
  const color = new Float32Array(3 * z.length);
  const lines = new Float32Array(3 * z.length);
  for (let k = 0; k < z.length; k++) {
    const [i, j] = [k % x.length, Math.floor(k / x.length)];
    position[3 * k] = x[i] as number;
    position[3 * k + 1] = y[j] as number;
    position[3 * k + 2] = z[k] as number;
    lines[3 * k] = (shade[k] as number) * (count - 1) + 0.5;
    lines[3 * k + 1] = i / cells;
    lines[3 * k + 2] = j / cells;
    const light = 1 - (shadow[k] as number);
    const here = colorAt(bands, shade[k] as number);
    for (let c = 0; c < 3; c++) color[3 * k + c] = light * (here[c] as number);
  }
  return { position, normal, color, sky, lines, index };
}

/** The floor: one triangle for each of the surface, in its colours; what hangs low over it takes its light. */
function floorMesh({ z, box }: SurfaceScene, surface: SceneMesh): SceneMesh {
  const low = -box.height / 2;
  const position = surface.position.slice();
  const sky = new Float32Array(z.length);
  for (let k = 0; k < z.length; k++) {
    position[3 * k + 2] = low;
    const above = ((z[k] as number) - low) / box.height;
    sky[k] = FLOOR_LIGHT + (1 - FLOOR_LIGHT) * Math.min(1, above * 1.2);
  }
  return { ...surface, position, sky };
}

/** Each triangle with corners of its own and one normal. */
function faceted(mesh: SceneMesh): SceneMesh {
  const { index } = mesh;
  const spread = (values: Float32Array, size: number): Float32Array => {
    const out = new Float32Array(index.length * size);
    for (let k = 0; k < index.length; k++)
      for (let c = 0; c < size; c++) out[k * size + c] = values[(index[k] as number) * size + c] as number;
    return out;
  };
  const position = spread(mesh.position, 3);
  const normal = new Float32Array(position.length);
  for (let t = 0; t < position.length; t += 9) {
    const at = (corner: number): ScenePoint =>
      [0, 1, 2].map((c) => position[t + 3 * corner + c]) as unknown as ScenePoint;
    const facing = unit(cross(minus(at(1), at(0)), minus(at(2), at(0))));
    for (let corner = 0; corner < 3; corner++) normal.set(facing, t + 3 * corner);
  }
  return {
    position,
    normal,
    color: spread(mesh.color, 3),
    sky: spread(mesh.sky, 1),
    lines: spread(mesh.lines, 3),
    index: Uint32Array.from(index, (_, k) => k),
  };
}

/** Share of the light that paths take from the places of a grid. */
class Shadow {
  readonly #x: Float64Array;
  readonly #y: Float64Array;
  /** (h, w), row-major. */
  readonly share: Float32Array;

  constructor(x: Float64Array, y: Float64Array) {
    this.#x = x;
    this.#y = y;
    this.share = new Float32Array(x.length * y.length);
  }

  /** Casts the soft shadow of a place straight down. */
  cast([px, py]: ScenePoint, reach: number, strength: number): void {
    const [x, y] = [this.#x, this.#y];
    const [dx, dy] = [x, y].map((axis) => (axis[1] as number) - (axis[0] as number)) as [number, number];
    const [ci, cj] = [(px - (x[0] as number)) / dx, (py - (y[0] as number)) / dy];
    const [left, right] = [Math.max(0, Math.ceil(ci - reach / dx)), Math.min(x.length - 1, ci + reach / dx)];
    for (let j = Math.max(0, Math.ceil(cj - reach / dy)); j <= Math.min(y.length - 1, cj + reach / dy); j++) {
      for (let i = left; i <= right; i++) {
        const share = 1 - Math.hypot((i - ci) * dx, (j - cj) * dy) / reach;
        if (share <= 0) continue;
        const k = j * x.length + i;
        this.share[k] = Math.max(this.share[k] as number, strength * share * share * (3 - 2 * share));
      }
    }
  }
}

/** Share of the light that paths take from each place of the surface: soft, straight below them. */
function pathShadow({ x, y, paths }: SurfaceScene): Float32Array {
  const shadow = new Shadow(x, y);
  for (const path of paths) {
    for (const point of path.draped.flat()) shadow.cast(point, SHADOW_REACH, SHADOW);
    for (const { own, plane } of dotted(path)) {
      // The higher a snapshot floats, the softer its shadow.
      const gap = own === null || plane === null ? 0 : own[2] - plane[2];
      if (own !== null && gap > BALL) shadow.cast(own, 1.6 + 0.25 * gap, SHADOW / (1 + 0.12 * gap));
    }
  }
  return shadow.share;
}

/** The snapshots that are drawn by themselves: of a long path some of them. */
function dotted({ points, count }: ScenePath): readonly ScenePathPoint[] {
  return points.filter(({ index }) => hasDot(index, count));
}

function addPath(
  paths: MeshBuilder,
  rims: MeshBuilder,
  path: ScenePath,
  { color, dashes }: Stroke,
  rim: Rgb,
  stem: Rgb,
): void {
  // The rim of one part of a path would hide the next where they crowd each other.
  const hasRim = path.count <= MOST_RIMMED;
  for (const line of path.draped) {
    const lifted = line.map(([x, y, z]): ScenePoint => [x, y, z + 0.4 * TUBE]);
    const pieces = dashes === null ? [lifted] : dashed(lifted, dashes);
    for (const piece of pieces) paths.tube(piece, TUBE, color);
    if (hasRim) rims.tube(lifted, RIM, rim);
  }
  const drawn = dotted(path);
  for (const [k, { own, plane }] of drawn.entries()) {
    if (own === null) continue;
    if (plane !== null) paths.tube([plane, own], THIN, stem);
    const before = drawn[k - 1]?.own ?? null;
    if (before !== null) paths.tube([before, own], THIN, color);
    paths.ball(own, BALL, color);
    if (hasRim) rims.ball(own, BALL + 0.6 * (RIM - TUBE), rim);
  }
}

/** Returns the colour at a place of the palette, between the colours of bands. */
export function colorAt(bands: readonly Rgb[], place: number): Rgb {
  if (Number.isNaN(place)) return [0, 0, 0];
  const scaled = place * (bands.length - 1);
  const low = Math.min(Math.floor(scaled), Math.max(0, bands.length - 2));
  const a = bands[low] as Rgb;
  const b = bands[low + 1] ?? a;
  return a.map((value, c) => value + (scaled - low) * ((b[c] as number) - value)) as unknown as Rgb;
}

/** Red, green and blue in [0, 1] of "#rrggbb". */
export function rgbOf(color: string): Rgb {
  return [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255) as unknown as Rgb;
}
