import type { Rect } from "../draw/figure-frame.js";
import type { SceneMesh } from "./mesh-builder.js";
import type { SceneMeshes } from "./scene-mesh.js";
import type { Projection, ScenePoint } from "./scene-view.js";
import { keyLight, litCorners } from "./sky-light.js";

/** A picture of pixels in memory. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** (height, width, 4): red, green, blue, and alpha, which they are not multiplied by. */
  readonly rgba: Uint8Array;
}

/** How the parts of a scene are drawn, the same in every renderer. */
export const LOOK = {
  /** Width of contours in px, and how much of the colour below they take on surface and floor. */
  line: 1.1,
  surfaceLine: 0.42,
  floorLine: 0.9,
  /** How much of a hidden path shows through. */
  ghost: 0.26,
  /** Least brightness of the surface: dark colours must stay apart in the shade as well. */
  surfaceLight: 0.45,
  /** Least brightness of paths: their colours are names. Rims are not lit at all. */
  pathLight: 0.5,
  /** How much nearer than their place paths are drawn, in units of the box, so that the ground hides no half of them. */
  ahead: 1.1,
} as const;

/** Output rows that are drawn at a time, so that a large picture needs little memory. */
const STRIP = 128;
/** Samples along each side of a pixel: soft edges. */
const SAMPLES = 2;

/** A strip of samples. */
interface Strip {
  readonly width: number;
  readonly top: number;
  readonly height: number;
  /** Greatest nearness so far. */
  readonly depth: Float32Array;
  /** (height, width, 4), multiplied by alpha. */
  readonly rgba: Uint8Array;
  /** Where a hidden path has been drawn: it shows through once. */
  readonly ghosts: Uint8Array;
}

/** Corners of a mesh on the picture, in samples, with their lit colours. */
interface Projected {
  readonly mesh: SceneMesh;
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly depth: Float32Array;
  readonly lit: Float32Array;
}

/**
 * Draws a scene without a browser: triangles with a z-buffer, four samples a pixel, contours of one width on the
 * screen whatever the slope. The same scene gives the same bytes.
 * Cost: about 0.1 µs a sample; memory for a strip of 128 rows besides the picture.
 *
 * @param canvas - the part of the picture that is drawn, in px.
 * @param pixelRatio - pixels for each px.
 */
export function renderScene(
  meshes: SceneMeshes,
  projection: Projection,
  canvas: Rect,
  pixelRatio: number,
): Pixels {
  const width = Math.round(canvas.width * pixelRatio);
  const height = Math.round(canvas.height * pixelRatio);
  const rgba = new Uint8Array(4 * width * height);
  const perPx = pixelRatio * SAMPLES;
  const light = keyLight(projection);
  const of = (mesh: SceneMesh, least: number, ahead = 0): Projected =>
    project(mesh, projection, canvas, perPx, light, least, ahead);
  const floor = of(meshes.floor, 1);
  const surface = of(meshes.surface, LOOK.surfaceLight);
  const rims = of(meshes.rims, 1, LOOK.ahead);
  const paths = of(meshes.paths, LOOK.pathLight, LOOK.ahead);
  const line = LOOK.line * perPx;
  const isGrid = meshes.isFaceted;
  const samples = width * Math.min(STRIP, height) * SAMPLES * SAMPLES;
  const buffers = {
    depth: new Float32Array(samples),
    rgba: new Uint8Array(4 * samples),
    ghosts: new Uint8Array(samples),
  };
  for (let first = 0; first < height; first += STRIP) {
    const rows = Math.min(STRIP, height - first);
    buffers.depth.fill(Number.NEGATIVE_INFINITY);
    buffers.rgba.fill(0);
    buffers.ghosts.fill(0);
    const strip: Strip = {
      ...buffers,
      width: width * SAMPLES,
      top: first * SAMPLES,
      height: rows * SAMPLES,
    };
    draw(strip, floor, { kind: "floor", line, isGrid: false });
    draw(strip, surface, { kind: "surface", line, isGrid });
    draw(strip, paths, { kind: "ghost", line: 0, isGrid: false });
    draw(strip, rims, { kind: "rim", line: 0, isGrid: false });
    draw(strip, paths, { kind: "path", line: 0, isGrid: false });
    averageInto(rgba, strip, width, first, rows);
  }
  return { width, height, rgba };
}

function project(
  mesh: SceneMesh,
  { toScreen, scale, right, up, toward }: Projection,
  canvas: Rect,
  perPx: number,
  light: ScenePoint,
  least: number,
  ahead: number,
): Projected {
  const { position, sky, color } = mesh;
  const [x, y, depth] = [sky, sky, sky].map(({ length }) => new Float32Array(length)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const corners = litCorners(mesh, light);
  const lit = new Float32Array(color.length);
  const [cx, cy] = toScreen([0, 0, 0]);
  const unit = scale * perPx;
  for (let k = 0; k < sky.length; k++) {
    const a = position[3 * k] as number;
    const b = position[3 * k + 1] as number;
    const c = position[3 * k + 2] as number;
    x[k] = (cx - canvas.x) * perPx + unit * (a * right[0] + b * right[1] + c * right[2]);
    y[k] = (cy - canvas.y) * perPx - unit * (a * up[0] + b * up[1] + c * up[2]);
    depth[k] = a * toward[0] + b * toward[1] + c * toward[2] + ahead;
    const share = 255 * (least + (1 - least) * (corners[k] as number));
    for (let channel = 3 * k; channel < 3 * k + 3; channel++)
      lit[channel] = share * (color[channel] as number);
  }
  return { mesh, x, y, depth, lit };
}

/** What is drawn of a mesh, with lines of a width in samples. */
interface Part {
  readonly kind: "floor" | "surface" | "ghost" | "rim" | "path";
  readonly line: number;
  /** Lines of the grid rather than contours. */
  readonly isGrid: boolean;
}

/** Draws the triangles of a mesh into a strip. */
function draw(strip: Strip, { mesh, x, y, depth, lit }: Projected, { kind, line, isGrid }: Part): void {
  const { index, lines, sky } = mesh;
  const { width, top, height } = strip;
  const isPath = kind === "path" || kind === "ghost";
  for (let t = 0; t < index.length; t += 3) {
    const a = index[t] as number;
    const b = index[t + 1] as number;
    const c = index[t + 2] as number;
    const ay = y[a] as number;
    const by = y[b] as number;
    const cy = y[c] as number;
    const y0 = Math.max(top, Math.ceil(Math.min(ay, by, cy) - 0.5));
    const y1 = Math.min(top + height - 1, Math.floor(Math.max(ay, by, cy) - 0.5));
    if (y0 > y1) continue;
    const ax = x[a] as number;
    const bx = x[b] as number;
    const cx = x[c] as number;
    // Down the picture y grows, so that a triangle that faces the eye has a negative area.
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    if (area === 0 || (isPath && area > 0) || (kind === "rim" && area < 0)) continue;
    const x0 = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5));
    const x1 = Math.min(width - 1, Math.floor(Math.max(ax, bx, cx) - 0.5));
    if (x0 > x1) continue;
    // Barycentric shares of b and c change by these from sample to sample.
    const ub = (cy - ay) / area;
    const vb = (ax - cx) / area;
    const uc = (ay - by) / area;
    const vc = (bx - ax) / area;
    const da = depth[a] as number;
    const db = depth[b] as number;
    const dc = depth[c] as number;
    const [a3, b3, c3] = [3 * a, 3 * b, 3 * c];
    const pattern = line === 0 ? null : patternOf(lines, [a, b, c], [ub, vb, uc, vc], isGrid);
    for (let j = y0; j <= y1; j++) {
      for (let i = x0; i <= x1; i++) {
        const dx = i + 0.5 - ax;
        const dy = j + 0.5 - ay;
        const sb = dx * ub + dy * vb;
        const sc = dx * uc + dy * vc;
        if (sb < -1e-6 || sc < -1e-6 || sb + sc > 1 + 1e-6) continue;
        const sa = 1 - sb - sc;
        const k = (j - top) * width + i;
        const near = sa * da + sb * db + sc * dc;
        if (kind === "ghost") {
          if (near >= (strip.depth[k] as number) || strip.ghosts[k] === 1) continue;
        } else if (near <= (strip.depth[k] as number)) continue;
        const red = sa * (lit[a3] as number) + sb * (lit[b3] as number) + sc * (lit[c3] as number);
        const green =
          sa * (lit[a3 + 1] as number) + sb * (lit[b3 + 1] as number) + sc * (lit[c3 + 1] as number);
        const blue =
          sa * (lit[a3 + 2] as number) + sb * (lit[b3 + 2] as number) + sc * (lit[c3 + 2] as number);
        const drawn = pattern === null ? 0 : coverage(pattern, sb, sc, line);
        const at = 4 * k;
        if (kind === "floor") {
          if (strip.rgba[at + 3] !== 0) continue;
          const share = LOOK.floorLine * drawn;
          const shade = 1 - (sa * (sky[a] as number) + sb * (sky[b] as number) + sc * (sky[c] as number));
          put(strip.rgba, at, red * share, green * share, blue * share, 255 * (share + shade * (1 - share)));
          continue;
        }
        if (kind === "ghost") {
          strip.ghosts[k] = 1;
          blend(strip.rgba, at, red, green, blue, LOOK.ghost);
          continue;
        }
        const dark = kind === "surface" ? 1 - LOOK.surfaceLine * drawn : 1;
        put(strip.rgba, at, red * dark, green * dark, blue * dark, 255);
        strip.depth[k] = near;
      }
    }
  }
}

/** Numbers whose whole values are lines: at corner a, their changes to b and c, and per sample on the picture. */
type Pattern = readonly (readonly [at: number, toB: number, toC: number, change: number])[];

function patternOf(
  lines: Float32Array,
  [a, b, c]: readonly [number, number, number],
  [ub, vb, uc, vc]: readonly [number, number, number, number],
  isGrid: boolean,
): Pattern {
  return (isGrid ? [1, 2] : [0]).map((which) => {
    const start = lines[3 * a + which] as number;
    const [toB, toC] = [(lines[3 * b + which] as number) - start, (lines[3 * c + which] as number) - start];
    return [start, toB, toC, Math.hypot(toB * ub + toC * uc, toB * vb + toC * vc)] as const;
  });
}

/** How much of a sample lines take: all within half their width, and less where they lie close together. */
function coverage(pattern: Pattern, sb: number, sc: number, line: number): number {
  let most = 0;
  for (const [start, toB, toC, change] of pattern) {
    if (change < 1e-9) continue;
    const value = start + sb * toB + sc * toC;
    const away = Math.abs(value - Math.round(value)) / change;
    const share = Math.min(1, Math.max(0, line / 2 + 0.5 - away)) * Math.min(1, 0.35 / (change * line));
    if (share > most) most = share;
  }
  return most;
}

function put(rgba: Uint8Array, at: number, red: number, green: number, blue: number, alpha: number): void {
  rgba[at] = red + 0.5;
  rgba[at + 1] = green + 0.5;
  rgba[at + 2] = blue + 0.5;
  rgba[at + 3] = alpha + 0.5;
}

function blend(rgba: Uint8Array, at: number, red: number, green: number, blue: number, share: number): void {
  const keep = 1 - share;
  put(
    rgba,
    at,
    red * share + (rgba[at] as number) * keep,
    green * share + (rgba[at + 1] as number) * keep,
    blue * share + (rgba[at + 2] as number) * keep,
    255 * share + (rgba[at + 3] as number) * keep,
  );
}

/** Averages the samples of each pixel and takes alpha out of the colours. */
function averageInto(out: Uint8Array, strip: Strip, width: number, first: number, rows: number): void {
  const { rgba } = strip;
  for (let j = 0; j < rows; j++) {
    for (let i = 0; i < width; i++) {
      let [red, green, blue, alpha] = [0, 0, 0, 0];
      for (let v = 0; v < SAMPLES; v++) {
        for (let u = 0; u < SAMPLES; u++) {
          const from = 4 * ((j * SAMPLES + v) * strip.width + i * SAMPLES + u);
          red += rgba[from] as number;
          green += rgba[from + 1] as number;
          blue += rgba[from + 2] as number;
          alpha += rgba[from + 3] as number;
        }
      }
      if (alpha === 0) continue;
      const at = 4 * ((first + j) * width + i);
      out[at] = Math.min(255, Math.round((255 * red) / alpha));
      out[at + 1] = Math.min(255, Math.round((255 * green) / alpha));
      out[at + 2] = Math.min(255, Math.round((255 * blue) / alpha));
      out[at + 3] = Math.round(alpha / (SAMPLES * SAMPLES));
    }
  }
}
