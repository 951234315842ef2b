import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { figureOption, figureSize, layoutFigure } from "../../src/figure/draw/layout-figure.js";
import { themeOf } from "../../src/figure/draw/palette.js";
import type { Figure } from "../../src/figure/figure.js";
import { renderPng, renderSvg } from "../../src/figure/files/render-picture.js";
import { encodePng } from "../../src/figure/space/encode-png.js";
import type { SceneMesh } from "../../src/figure/space/mesh-builder.js";
import { type Pixels, renderScene } from "../../src/figure/space/render-scene.js";
import { sceneMeshes } from "../../src/figure/space/scene-mesh.js";
import { createProjection } from "../../src/figure/space/scene-view.js";
import {
  brightness,
  type HeightField,
  hornNormals,
  keyLight,
  litCorners,
  SKY,
  skyView,
} from "../../src/figure/space/sky-light.js";
import type { PlacedSpace as PlacedPanel } from "../../src/figure/space/space-panel.js";
import { inSpace } from "../../src/figure/space/surface-panel.js";
import type { SurfaceScene } from "../../src/figure/space/surface-scene.js";
import { decodePng } from "./png.js";
import { bowl, sampleFigure, valley } from "./sample-figures.js";

const RED = { color: "#ff0000", lineDash: null };

/** A surface in 3-D at its place. */
type PlacedSpace = PlacedPanel & { readonly scene: SurfaceScene };

function field(size: number, height: (x: number, y: number) => number): HeightField {
  const x = Float64Array.from({ length: size }, (_, i) => i - (size - 1) / 2);
  const y = x.map((value) => 1.5 * value);
  const z = Float64Array.from({ length: size * size }, (_, k) =>
    height(x[k % size] as number, y[Math.floor(k / size)] as number),
  );
  return { x, y, z };
}
const middle = (size: number): number => (size * size - 1) / 2;

describe("the light of the sky", () => {
  test("is 1 on a horizontal plane, and where only holes are around", () => {
    for (const share of skyView(field(21, () => 3))) expect(share).toBeCloseTo(1, 12);
    for (const share of skyView(field(9, () => Number.NaN))) expect(share).toBe(1);
  });

  test("is 1 − sin γ at the apex of a conical pit of slope γ, by solid angle", () => {
    for (const degrees of [10, 30, 45, 60, 75]) {
      const gamma = (degrees * Math.PI) / 180;
      const pit = field(61, (x, y) => Math.tan(gamma) * Math.hypot(x, y));
      expect(skyView(pit)[middle(61)]).toBeCloseTo(1 - Math.sin(gamma), 9);
    }
  });

  test("is less at the foot of a wall than away from it, and whole on its top", () => {
    const sky = skyView(field(41, (x) => (x > 0 ? 20 : 0)));
    const row = 20 * 41;
    expect(sky[row + 20] as number).toBeLessThan(0.62);
    expect(sky[row + 2] as number).toBeGreaterThan(sky[row + 20] as number);
    expect(sky[row + 30]).toBeCloseTo(1, 12);
  });
});

describe("the key light", () => {
  test("falls on a tilted plane by n · l, everywhere on it", () => {
    const slope = fc.double({ min: -3, max: 3, noNaN: true });
    fc.assert(
      fc.property(slope, slope, (p, q) => {
        const normals = hornNormals(field(7, (x, y) => p * x + q * y));
        const length = Math.hypot(p, q, 1);
        for (let k = 0; k < normals.length; k += 3) {
          expect(normals[k]).toBeCloseTo(-p / length, 5);
          expect(normals[k + 1]).toBeCloseTo(-q / length, 5);
          expect(normals[k + 2]).toBeCloseTo(1 / length, 5);
        }
        const light = keyLight(createProjection({ elevation: 40, azimuth: 32 }, 1, [0, 0]));
        expect(Math.hypot(...light)).toBeCloseTo(1, 12);
        const facing = (-p * light[0] - q * light[1] + light[2]) / length;
        const mesh = { normal: normals, sky: new Float32Array(49).fill(1) } as unknown as SceneMesh;
        for (const lit of litCorners(mesh, light))
          expect(lit).toBeCloseTo(SKY + (1 - SKY) * Math.max(0, facing), 5);
      }),
    );
  });

  test("makes nothing brighter than the colour bar, and a face turned to it as bright", () => {
    expect(brightness(1, 1)).toBe(1);
    expect(brightness(1, -1)).toBe(SKY);
    expect(brightness(0, 0)).toBe(0);
  });

  test("stays at the upper left of the picture however that is turned", () => {
    for (const azimuth of [-150, 0, 32, 90]) {
      const { toScreen, ...projection } = createProjection({ elevation: 40, azimuth }, 1, [0, 0]);
      const [x, y] = toScreen(keyLight({ ...projection, toScreen }));
      expect([x, y].map((value) => value.toFixed(6))).toEqual(
        toScreen(keyLight(createProjection({ elevation: 40, azimuth }, 1, [0, 0]))).map((v) => v.toFixed(6)),
      );
      expect(x).toBeLessThan(0);
      expect(y).toBeLessThan(0);
    }
  });
});

const space = inSpace(sampleFigure(valley)) as Figure;
const placed = layoutFigure(space, { width: 320 }).panels[0] as PlacedSpace;
const colors = placed.colors(themeOf("light"));
const drawn = (one: PlacedSpace, ratio: number): Pixels =>
  renderScene(sceneMeshes(one.scene, one.colors(themeOf("light"))), one.projection, one.canvas, ratio);

describe("the rasterizer", () => {
  test("draws a path where the projection has it, within a pixel", () => {
    const places: readonly (readonly [number, number, number])[] = [
      [-30, 20, 30],
      [0, 0, 25],
      [35, -25, 28],
    ];
    for (const own of places) {
      const path = { run: 0, count: 1, points: [{ index: 0, plane: null, own }], draped: [] };
      const scene = { ...placed.scene, paths: [path] };
      const meshes = sceneMeshes(scene, { ...colors, paths: [RED], rim: "#ff0000" });
      const { rgba, width } = renderScene(meshes, placed.projection, placed.canvas, 2);
      const red: number[] = [];
      for (let k = 0; k < rgba.length; k += 4)
        if ((rgba[k] as number) > 2 * (rgba[k + 1] as number) + 60) red.push(k / 4);
      expect(red.length).toBeGreaterThan(8);
      const mean = (of: (k: number) => number) => red.reduce((sum, k) => sum + of(k), 0) / red.length / 2;
      const [x, y] = placed.projection.toScreen(own);
      expect(Math.abs(mean((k) => (k % width) + 0.5) - (x - placed.canvas.x))).toBeLessThan(1);
      expect(Math.abs(mean((k) => Math.floor(k / width) + 0.5) - (y - placed.canvas.y))).toBeLessThan(1);
    }
  });

  test("hides what lies behind the surface, but for a trace, and nothing before it", () => {
    const flat = { ...placed.scene, paths: [], z: placed.scene.z.map(() => 0) };
    const at = (height: number): readonly number[] => {
      const path = {
        run: 0,
        count: 2,
        points: [],
        draped: [
          [
            [-20, 0, height],
            [20, 0, height],
          ] as [[number, number, number], [number, number, number]],
        ],
      };
      const projection = createProjection({ elevation: 89, azimuth: 0 }, 3, [100, 100]);
      const meshes = sceneMeshes({ ...flat, paths: [path] }, { ...colors, paths: [RED] });
      const { rgba, width } = renderScene(meshes, projection, { x: 0, y: 0, width: 200, height: 200 }, 1);
      return [...rgba.subarray(4 * (100 * width + 100), 4 * (100 * width + 100) + 3)];
    };
    const [above, below] = [at(12), at(-12)];
    expect(above[0]).toBeGreaterThan(180);
    expect(above[1]).toBeLessThan(30);
    expect(below[0]).toBeLessThan(120);
    expect(below[1]).toBeGreaterThan(30);
  });

  test("draws contours of one width, whatever the pixels", () => {
    for (const ratio of [1, 2]) {
      const { rgba, width, height } = drawn(
        { ...placed, scene: { ...placed.scene, paths: [] } } as PlacedSpace,
        ratio,
      );
      let dark = 0;
      for (let j = 0; j < height; j++)
        for (let i = 1; i < width; i++) {
          const [a, b] = [4 * (j * width + i - 1), 4 * (j * width + i)];
          if ((rgba[b + 3] as number) < 255) continue;
          if ((rgba[a + 1] as number) - (rgba[b + 1] as number) > 18) dark++;
        }
      // Edges into lines grow with the height in pixels, not with its square.
      expect(dark / height).toBeGreaterThan(2);
      expect(dark / height).toBeLessThan(14);
    }
  });

  test("gives the same bytes twice, and with the grid's own cells another picture", () => {
    const bytes = (isFaceted: boolean): Uint8Array => {
      const look = { width: 320, pixelRatio: 1, isFaceted };
      // Not the cached scene: one made anew.
      const fresh = inSpace(sampleFigure(valley)) as Figure;
      return renderPng(renderSvg(figureOption(fresh, look), figureSize(fresh, look)), { scale: 1 });
    };
    const [first, second, facets] = [bytes(false), bytes(false), bytes(true)];
    expect(Buffer.compare(first, second)).toBe(0);
    expect(Buffer.compare(first, facets)).not.toBe(0);
    expect(decodePng(first).width).toBe(320);
  });

  test("leaves holes open", () => {
    const broken = inSpace(sampleFigure((a, b) => (a > 9 && b > 4 ? Number.NaN : bowl(a, b)))) as Figure;
    const one = layoutFigure(broken, { width: 320 }).panels[0] as PlacedSpace;
    const { index, position } = sceneMeshes(one.scene, colors).surface;
    for (const corner of index) expect(position[3 * corner + 2]).not.toBeNaN();
    expect(drawn(one, 1).rgba.some((value) => value > 0)).toBe(true);
  });
});

test("a PNG file has the pixels that it was made of, stored or compressed", () => {
  const pixels = {
    width: 5,
    height: 4,
    rgba: Uint8Array.from({ length: 80 }, (_, k) => (k % 4 === 3 ? 255 : (k * k * 37) & 255)),
  };
  for (const level of [0, 6, 9] as const) {
    const { at, width, height } = decodePng(Buffer.from(encodePng(pixels, level)));
    expect([width, height]).toEqual([5, 4]);
    for (let k = 0; k < 20; k++)
      expect(at(k % 5, Math.floor(k / 5)).slice(0, 3)).toEqual([...pixels.rgba.subarray(4 * k, 4 * k + 3)]);
  }
});
