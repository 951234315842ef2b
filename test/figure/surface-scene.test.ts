import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DrawOptions } from "../../src/figure/draw/figure-frame.js";
import { figureOption, figureSize, layoutFigure } from "../../src/figure/draw/layout-figure.js";
import { textWidth } from "../../src/figure/draw/placed-text.js";
import { type ContourScale, heightOf, withScale } from "../../src/figure/draw/scales.js";
import { columnOf, type Figure, PLANE_LOSS, TRUE_LOSS } from "../../src/figure/figure.js";
import { resolveStyle, styleFigure } from "../../src/figure/files/picture-style.js";
import {
  createProjection,
  DEFAULT_VIEW,
  extentOf,
  sceneFurniture,
  turnView,
} from "../../src/figure/space/scene-view.js";
import { furnitureOf, type PlacedSpace as PlacedPanel } from "../../src/figure/space/space-panel.js";
import { inSpace } from "../../src/figure/space/surface-panel.js";
import {
  createSurfaceScene,
  pickSurface,
  type SurfaceScene,
  type SurfaceSceneOptions,
} from "../../src/figure/space/surface-scene.js";
import { mapOf, runOf } from "./panels.js";
import { arc, bowl, sampleFigure, samplePath, valley } from "./sample-figures.js";

/** A surface in 3-D at its place. */
type PlacedSpace = PlacedPanel & { readonly scene: SurfaceScene };

/** The scene of a figure's only map. */
function sceneOf(figure: Figure, options?: SurfaceSceneOptions) {
  return createSurfaceScene({ panel: mapOf(figure), figure }, options);
}

/** The map in space, at its place. */
function placedIn(figure: Figure, options: DrawOptions): PlacedSpace {
  return layoutFigure(inSpace(figure) as Figure, options).panels[0] as PlacedSpace;
}

const view = fc.record({
  elevation: fc.double({ min: 5, max: 90, noNaN: true }),
  azimuth: fc.double({ min: -180, max: 180, noNaN: true }),
});

test("names of axes keep off the colour bar in a column of a paper, whatever the view", () => {
  const { draw } = resolveStyle({ style: "paper" });
  let nearest = Number.POSITIVE_INFINITY;
  for (let azimuth = -180; azimuth < 180; azimuth += 15) {
    const shown = placedIn(sampleFigure(valley), { ...draw, view: { elevation: 30, azimuth } });
    const bar = shown.bar?.rect.x ?? Number.NaN;
    for (const { text, x, size, weight } of furnitureOf(shown).texts)
      nearest = Math.min(nearest, bar - x - textWidth(text, size, weight) / 2);
  }
  expect(nearest).toBeCloseTo(10, 6);
});

test("heights, colours and ticks are of the map's scale: a symmetric logarithm too, on which each tick says its loss", () => {
  const saddle = (x: number, y: number): number => x * x - 3 * y * y + 0.5;
  for (const lossScale of ["linear", "log", "symlog"] as const) {
    const given = sampleFigure(lossScale === "log" ? valley : saddle);
    const figure = styleFigure(given, { lossScale });
    const map = mapOf(figure);
    const { ticks, z, shade } = sceneOf(figure, { isFaceted: true });
    const to = heightOf(map.scale as ContourScale);
    const heights = (map.values ?? []).map((value) => to(Number(value)));
    // One straight line takes what the scale makes of a loss to a height in the box.
    const [i, j] = [Math.min, Math.max].map((pick) => heights.indexOf(pick(...heights))) as [number, number];
    const slope = ((z[j] as number) - (z[i] as number)) / ((heights[j] as number) - (heights[i] as number));
    const boxHeight = (loss: number): number =>
      (z[i] as number) + slope * (to(loss) - (heights[i] as number));
    expect(ticks.z.length).toBeGreaterThan(2);
    for (const { value, label } of ticks.z)
      expect(value).toBeCloseTo(boxHeight(Number(label.replace("−", "-"))), 6);
    heights.forEach((height, k) => {
      expect(z[k]).toBeCloseTo((z[i] as number) + slope * (height - (heights[i] as number)), 4);
    });
    expect(Math.max(...shade)).toBeLessThanOrEqual(1);
  }
});

test("the upright axis has two ticks at least where no power of ten lies inside", () => {
  const figure = sampleFigure((a, b) => 2 + (a * a + b * b) / 62);
  const { ticks } = sceneOf(styleFigure(figure, { lossScale: "symlog" }));
  expect(ticks.z.map(({ label }) => label)).toEqual(expect.arrayContaining(["2", "3", "4"]));
});

test("the upright axis and the caption name a symmetric logarithm", () => {
  const surface = inSpace(styleFigure(sampleFigure(valley), { lossScale: "symlog" })) as Figure;
  expect(surface.caption).toContain("symmetric logarithmic height");
  const { names } = layoutFigure(surface, {}).panels[0] as PlacedSpace;
  expect(names.z).toBe("training loss (symlog scale)");
});

describe("projection", () => {
  test("from the front has alpha to the right and height up; from above beta up", () => {
    const front = createProjection({ elevation: 0, azimuth: 0 }, 2, [100, 50]);
    expect(front.toScreen([3, 7, 0])).toEqual([106, 50]);
    expect(front.toScreen([0, 0, 5])[1]).toBeCloseTo(40, 12);
    const top = createProjection({ elevation: 90, azimuth: 0 }, 2, [100, 50]);
    expect(top.toScreen([0, 4, 9])[1]).toBeCloseTo(42, 12);
    expect(front.nearness(0, -1)).toBeGreaterThan(front.nearness(0, 1));
  });

  test("keeps lengths: a turn about the upright axis moves no point of it", () => {
    fc.assert(
      fc.property(view, (v) => {
        const { toScreen } = createProjection(v, 3, [10, 20]);
        expect(toScreen([0, 0, 0])).toEqual([10, 20]);
        expect(toScreen([0, 0, 8])[0]).toBeCloseTo(10, 9);
        expect(extentOf({ width: 2, depth: 2, height: 2 }, v)[0]).toBeLessThanOrEqual(Math.SQRT2 + 1e-9);
      }),
    );
  });

  test("a turn stays above the ground and comes round", () => {
    expect(turnView({ elevation: 80, azimuth: 170 }, 20, 20)).toEqual({ elevation: 90, azimuth: -170 });
    expect(turnView({ elevation: 10, azimuth: 0 }, 0, -20)).toEqual({ elevation: 5, azimuth: 0 });
  });
});

describe("createSurfaceScene", () => {
  test("has heights linear in the loss, or in its logarithm", () => {
    const figure = sampleFigure(bowl);
    for (const kind of ["linear", "log"] as const) {
      const { z, x, y, box } = sceneOf(withScale(figure, kind), { steps: 1 });
      const { alpha, beta, values } = mapOf(figure);
      expect([x.length, y.length]).toEqual([2, 2]);
      expect(Math.max(...z)).toBeLessThanOrEqual(box.height / 2 + 1e-9);
      const corners = [0, alpha.length - 1, (beta.length - 1) * alpha.length, alpha.length * beta.length - 1];
      const f = (k: number): number =>
        kind === "log" ? Math.log10(Number(values?.[k])) : Number(values?.[k]);
      const [a, b, c, d] = corners as [number, number, number, number];
      const ratio = (f(b) - f(a)) / (f(d) - f(c));
      expect(((z[1] as number) - (z[0] as number)) / ((z[3] as number) - (z[2] as number))).toBeCloseTo(
        ratio,
        9,
      );
    }
  });

  test("leaves holes where the loss is not finite, and nowhere else", () => {
    const whole = sceneOf(sampleFigure(valley));
    expect(whole.z.every(Number.isFinite)).toBe(true);
    const figure = sampleFigure((a, b) => (a > 9 && b > 4 ? Number.POSITIVE_INFINITY : valley(a, b)));
    const { z, shade, x, y } = sceneOf(figure);
    const holes = z.filter(Number.isNaN).length;
    expect(holes).toBeGreaterThan(0);
    expect(shade.filter(Number.isNaN).length).toBe(holes);
    // The cells that touch alpha > 9, beta > 4 are a corner of the grid.
    z.forEach((value, k) => {
      const [px, py] = [x[k % x.length] as number, y[Math.floor(k / x.length)] as number];
      if (px < 0 || py < 0) expect(value).not.toBeNaN();
    });
    expect(inSpace(figure)?.caption).toContain("left out as holes");
  });

  test("stands snapshots at the loss of the plane and at their own, and drapes the path between", () => {
    const figure = sampleFigure(valley);
    const scene = sceneOf(figure);
    const path = scene.paths[0];
    expect(path?.points.length).toBe(13);
    for (const { plane, own, index } of path?.points ?? []) {
      const [own_, plane_] = [TRUE_LOSS, PLANE_LOSS].map((name) => columnOf(runOf(figure), name)?.[index]);
      const higher = Number(own_) > Number(plane_);
      expect((own?.[2] ?? 0) > (plane?.[2] ?? 0)).toBe(higher);
      expect(own?.slice(0, 2)).toEqual(plane?.slice(0, 2));
    }
    expect(path?.draped.length).toBe(1);
    expect(path?.draped[0]?.length).toBeGreaterThan(13);
  });

  test("breaks the path where a snapshot lies outside the grid, and thins a fine grid", () => {
    const path = samplePath(
      "SGD",
      [
        [9, 4],
        [5, 2],
        [99, 0],
        [1, 1],
        [0, 0],
      ],
      valley,
    );
    const scene = sceneOf(sampleFigure(valley, { paths: [path] }, [251, 251]));
    expect(scene.paths[0]?.draped.length).toBe(2);
    expect(scene.paths[0]?.points[2]).toEqual({ index: 2, plane: null, own: null });
    expect(scene.x.length).toBeLessThanOrEqual(162);
  });

  test("puts ticks inside the box, labelled with losses", () => {
    const { ticks, box } = sceneOf(sampleFigure(valley));
    expect(ticks.z.map(({ label }) => label)).toEqual(["0.03", "0.1", "0.3", "1", "3", "10"]);
    for (const { value } of ticks.z) expect(Math.abs(value)).toBeLessThanOrEqual(box.height / 2);
  });
});

test("pointing at a snapshot finds its place on the surface; at the background nothing", () => {
  const figure = sampleFigure(bowl);
  const scene = sceneOf(figure, { steps: 160 });
  const { projection } = placedIn(figure, { width: 1000 });
  const [x, y, z] = [10, -20, 0];
  const k = (axis: Float64Array, value: number): number => axis.findIndex((at) => at >= value);
  const height = scene.z[k(scene.y, y) * scene.x.length + k(scene.x, x)] as number;
  const found = pickSurface(scene, projection, projection.toScreen([x, y, height + z]));
  expect(found?.right).toBeCloseTo(x / scene.box.width + 0.5, 1);
  expect(found?.back).toBeCloseTo(y / scene.box.depth + 0.5, 1);
  expect(pickSurface(scene, projection, [2, 2])).toBeNull();
});

test("no label of the axes is cut or lies on another, from any side and at any width", () => {
  const figure = sampleFigure(valley);
  const scene = sceneOf(figure, { steps: 16 });
  fc.assert(
    fc.property(view, fc.integer({ min: 300, max: 1400 }), (from, width) => {
      const { height } = layoutFigure(inSpace(figure) as Figure, { width, parts: "chart", view: from });
      const { rect: area, projection, names } = placedIn(figure, { width, parts: "chart", view: from });
      const { texts } = sceneFurniture(scene, projection, names, [area.x, area.x + area.width]);
      expect(texts.length).toBeGreaterThan(5);
      for (const { text, x, y, size } of texts) {
        const half = textWidth(text, size) / 2;
        expect(x - half, text).toBeGreaterThanOrEqual(area.x - 0.01);
        expect(x + half, text).toBeLessThanOrEqual(area.x + area.width + 0.01);
        expect(y - size / 2, text).toBeGreaterThanOrEqual(0);
        expect(y + size / 2, text).toBeLessThanOrEqual(height);
      }
    }),
  );
});

test("the name of the height lies on no part of the box, from any side and at any width", () => {
  const figure = sampleFigure(valley);
  const scene = sceneOf(figure, { steps: 16 });
  const { width: w, depth: d, height: h } = scene.box;
  const shares = Array.from({ length: 21 }, (_, k) => k / 20 - 0.5);
  fc.assert(
    fc.property(view, fc.integer({ min: 300, max: 1400 }), (from, width) => {
      const { rect: area, projection, names } = placedIn(figure, { width, parts: "chart", view: from });
      const { texts } = sceneFurniture(scene, projection, names, [area.x, area.x + area.width]);
      const name = texts.find(({ text }) => text === names.z);
      if (name === undefined) throw new Error("no name of the height");
      const half = textWidth(name.text, name.size) / 2;
      // The upper side of the box hides everything below it from above.
      for (const s of shares)
        for (const t of shares) {
          const [x, y] = projection.toScreen([s * w, t * d, h / 2]);
          if (Math.abs(x - name.x) < half) expect(y).toBeGreaterThan(name.y + name.size / 2);
        }
      expect(name.y - name.size / 2).toBeGreaterThanOrEqual(area.y);
    }),
  );
});

describe("options of the surface", () => {
  const figure = sampleFigure(valley);
  const space = inSpace(figure) as Figure;
  const rounded = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value, (_, v) => (typeof v === "number" ? Number(v.toPrecision(4)) : v)));

  test("as a picture is a pure function of figure, view and theme", () => {
    const shapes = (o: object): unknown => {
      const look = { width: 400, pixelRatio: 1, ...o };
      const { series } = figureOption(space, look) as { series: { renderItem: () => unknown }[] };
      return rounded(series.map(({ renderItem }) => renderItem()));
    };
    const { view: first } = placedIn(figure, {}).projection;
    expect(first).toEqual({ ...DEFAULT_VIEW, azimuth: first.azimuth });
    expect(shapes({})).toEqual(shapes({ view: first, theme: "light" }));
    expect(shapes({ theme: "dark" })).not.toEqual(shapes({}));
    expect(shapes({ view: { elevation: 60, azimuth: -50 } })).not.toEqual(shapes({}));
    expect(figureSize(space, { width: 700 }).width).toBe(700);
    expect(() => figureSize(space, { height: 200 })).toThrow(/height: expected at least \d+ px/);
  });

  test("runs from one start have rings around each other, as in the map", () => {
    const paths = ["SGD", "Adam"].map((name, i) =>
      samplePath(
        name,
        [
          [3, 2],
          [1 + i, 1],
          [i, 0],
        ],
        valley,
      ),
    );
    const figure = inSpace(sampleFigure(valley, { paths })) as Figure;
    const { series } = figureOption(figure, { width: 900 }) as {
      series: {
        name: string;
        renderItem?: () => { children: { shape?: { cx: number; cy: number; r: number } }[] };
      }[];
    };
    const front = series.find(({ name }) => name === "front")?.renderItem?.().children ?? [];
    const rings = front.flatMap(({ shape }) => (shape?.r === undefined ? [] : [shape]));
    const here = rings.filter(({ cx, cy }) => cx === rings[0]?.cx && cy === rings[0]?.cy);
    expect(new Set(here.map(({ r }) => r)).size).toBe(4);
  });

  test("is drawn for several paths without any loss, too", () => {
    const bare = sampleFigure(valley, {
      paths: [samplePath("a", arc(5, [9, 4]), null), samplePath("b", arc(4, [8, -4]), null)],
    });
    expect(sceneOf(bare).paths[0]?.points[1]?.own).toBeNull();
    expect(sceneOf(bare).paths[0]?.points[1]?.plane).not.toBeNull();
  });
});

test("a figure without some runs is the same one at every draw: its scene is kept by it", async () => {
  // Code of pages has the types of a browser.
  const page = new URL("../../src/figure/page/run-legend.ts", import.meta.url).href;
  const { withoutRuns } = (await import(page)) as {
    withoutRuns: (figure: Figure, hidden: ReadonlySet<number>) => Figure;
  };
  const figure = sampleFigure(valley);
  const none = withoutRuns(figure, new Set([0]));
  expect(mapOf(none).paths).toEqual([]);
  expect(withoutRuns(figure, new Set([0]))).toBe(none);
  expect(mapOf(withoutRuns(figure, new Set([1]))).paths).toHaveLength(1);
});
