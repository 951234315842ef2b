import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DrawOptions } from "../../src/figure/draw/figure-frame.js";
import {
  figureOption,
  figureSize,
  figureTargets,
  layoutFigure,
} from "../../src/figure/draw/layout-figure.js";
import { runStroke, themeOf, valueColor } from "../../src/figure/draw/palette.js";
import { textWidth } from "../../src/figure/draw/placed-text.js";
import { sceneOf as panelScene, pointColors } from "../../src/figure/draw/scatter-panel.js";
import { snapshotReadout, timeline } from "../../src/figure/draw/snapshots.js";
import type { Figure } from "../../src/figure/figure.js";
import { renderMp4 } from "../../src/figure/files/render-movie.js";
import { renderPng, renderSvg } from "../../src/figure/files/render-picture.js";
import { createEmbeddingFigure } from "../../src/figure/make/create-embedding-figure.js";
import { createTopologyFigure } from "../../src/figure/make/create-topology-figure.js";
import { pointSceneOf } from "../../src/figure/space/point-scene.js";
import { sceneMeshes } from "../../src/figure/space/scene-mesh.js";
import { createProjection } from "../../src/figure/space/scene-view.js";
import type { PlacedSpace } from "../../src/figure/space/space-panel.js";
import { curvesOf, runOf, scatterOf } from "./panels.js";
import { sampleEmbedding } from "./sample-embedding.js";

const HOSTILE = `</script><script>alert(1)</script>\u202e\u0000<img src=x onerror="alert(1)">`;
/** The scene of a figure's only scatter. */
function sceneOf(figure: Figure, plot: typeof rect) {
  return panelScene(scatterOf(figure), plot);
}

/** The scale of the colours of the points; null where they have those of their runs. */
function scaleOf(figure: Figure) {
  const { color } = scatterOf(figure);
  return color === "run" ? null : color.scale;
}

const rect = { x: 10, y: 20, width: 400, height: 300 };

type Pair = readonly [number, number];

const CORNERS = [-1, 1].flatMap((i) => [-1, 1].flatMap((j) => [-1, 1].map((k) => [i, j, k] as const)));

/** The scatter of a figure in 3-D, at its place. */
function placedSpace(figure: Figure, options: DrawOptions = {}): PlacedSpace {
  return layoutFigure(figure, { width: 600, ...options }).panels[0] as PlacedSpace;
}

/** Rounds every number of plain data, so that a snapshot does not hang on the last digits. */
function rounded(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, item) => (typeof item === "number" ? Number(item.toPrecision(4)) : item)),
  );
}

describe("createEmbeddingFigure", () => {
  test("is plain data: a path for each run, its points in order, what is not known spelled out", () => {
    const figure = createEmbeddingFigure(sampleEmbedding());
    expect(JSON.stringify(JSON.parse(JSON.stringify(figure)))).toBe(JSON.stringify(figure));
    expect(figure.runs.map(({ name }, run) => [name, scatterOf(figure).paths[run]?.at.length])).toEqual([
      ["SGD", 5],
      ["Adam", 5],
    ]);
    const second = runOf(figure, 1);
    expect([second.step[0], second.epoch[0], second.iteration[0]]).toEqual([0, 0, 0]);
    expect(scatterOf(figure).paths[1]?.at[0]).toEqual([0, 0].map(() => expect.closeTo(0, 12)));
    // The loss of a start is not known; no step leads to it.
    expect(second.columns.map(({ name, values }) => [name, values[0]])).toEqual([
      ["training loss as logged", "NaN"],
      ["length of the step", null],
    ]);
    expect(figure).toMatchObject({
      title: "PHATE of SGD and Adam",
      progress: "epoch",
    });
    expect(scatterOf(figure)).toMatchObject({
      axes: [{ title: "PHATE 1" }, { title: "PHATE 2" }],
      color: { column: "training loss as logged" },
    });
  });

  test("colours by loss on a logarithmic scale, by step on a linear one, by run without a scale", () => {
    expect(scaleOf(createEmbeddingFigure(sampleEmbedding()))).toMatchObject({
      title: "training loss as logged",
      kind: "log",
      min: expect.closeTo(0.01, 9),
      max: 1,
    });
    for (const [most, kind] of [
      [2, "log"],
      [1.5, "linear"],
    ] as const) {
      const loss = Float64Array.from({ length: 10 }, (_, i) => 1 + ((most - 1) * i) / 9);
      const scale = scaleOf(createEmbeddingFigure(sampleEmbedding({ loss })));
      expect(scale).toMatchObject({ kind, min: 1, max: most });
      expect(scale?.ticks.length).toBeGreaterThan(2);
    }
    expect(scaleOf(createEmbeddingFigure(sampleEmbedding(), { color: "step" }))).toMatchObject({
      title: "length of the step",
      kind: "linear",
      min: 2,
      max: 5,
    });
    expect(scaleOf(createEmbeddingFigure(sampleEmbedding(), { color: "run" }))).toBeNull();
    const unknown = sampleEmbedding({ loss: new Float64Array(10).fill(Number.NaN) });
    expect(scatterOf(createEmbeddingFigure(unknown)).color).toBe("run");
    expect(scaleOf(createEmbeddingFigure(unknown, { color: "loss" }))).toBeNull();
    expect(() => createEmbeddingFigure(sampleEmbedding(), { color: "red" as "run" })).toThrow(
      "color: expected one of loss, run, step, got red",
    );
  });

  test("says in words what was done and how good it is", () => {
    const { caption, provenance } = createEmbeddingFigure(
      sampleEmbedding({
        stability: {
          settings: [{ knn: 4 }, { knn: 5 }, { knn: 7 }],
          disparities: new Float64Array(9),
          meanDisparity: 0.0212,
          maxDisparity: 0.0456,
        },
      }),
    );
    for (const part of [
      "10 snapshots of 1,234,567 weights of 2 runs in 2 dimensions by PHATE.",
      "cosine distances, with knn\u00a0=\u00a05, decay\u00a0=\u00a040, t\u00a0=\u00a012 (knee of the entropy)",
      "2 of 10 snapshots have no known finite loss and are grey.",
      "Trustworthiness 0.988: how far the 4 nearest",
      "Path continuity 0.75:",
      "With knn 4, 5 and 7 the shape changes by a Procrustes disparity of 0.021 on average and 0.046 at most",
    ]) {
      expect(caption).toContain(part);
    }
    expect(provenance).toBe("PHATE · knnDist cosine · seed 0 · knn 5 · decay 40 · t auto · gamma 1");
    const pca = createEmbeddingFigure(
      sampleEmbedding({ method: "pca", facts: { explainedVarianceRatio: [0.6123, 0.2] }, parameters: {} }),
    );
    expect(scatterOf(pca).axes.map(({ title }) => title)).toEqual([
      "PC 1: 61.2 % of the variance",
      "PC 2: 20 % of the variance",
    ]);
    expect(pca.provenance).toBe("");
  });

  test("cleans hostile names of control characters and keeps the rest as text", () => {
    const figure = createEmbeddingFigure(sampleEmbedding({ runs: [{ name: HOSTILE }, { name: "" }] }));
    const svg = renderSvg(figureOption(figure), figureSize(figure));
    expect(JSON.stringify(figure)).not.toMatch(/\\u0000|\u202e/);
    expect(svg).not.toMatch(/<script|<img/);
  });
});

describe("sceneOf", () => {
  const flat = createEmbeddingFigure(sampleEmbedding());
  const space = createEmbeddingFigure(sampleEmbedding({ dimensions: 3 }));

  test("has one unit equally long on both axes and every point inside", () => {
    const { place } = sceneOf(flat, rect);
    const [o, x, y] = [place([0, 0]), place([1, 0]), place([0, 1])];
    expect(x.x - o.x).toBeCloseTo(o.y - y.y, 9);
    expect([x.y, y.x]).toEqual([o.y, o.x]);
    for (const at of scatterOf(flat).paths.flatMap((path) => path.at)) {
      const placed = place(at.map(Number));
      expect(placed.x).toBeGreaterThan(rect.x);
      expect(placed.x).toBeLessThan(rect.x + rect.width);
      expect(placed.y).toBeGreaterThan(rect.y);
      expect(placed.y).toBeLessThan(rect.y + rect.height);
    }
  });

  test("keeps the box of three dimensions inside the rectangle, from wherever it is looked at", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -720, max: 720 }),
        fc.integer({ min: 5, max: 90 }),
        (azimuth, elevation) => {
          const { rect: plot, scene, projection } = placedSpace(space, { view: { azimuth, elevation } });
          const { width, depth, height } = scene.box;
          for (const [i, j, k] of CORNERS) {
            const [x, y] = projection.toScreen([(i * width) / 2, (j * depth) / 2, (k * height) / 2]);
            expect(x).toBeGreaterThanOrEqual(plot.x);
            expect(x).toBeLessThanOrEqual(plot.x + plot.width);
            expect(y).toBeGreaterThanOrEqual(plot.y);
            expect(y).toBeLessThanOrEqual(plot.y + plot.height);
          }
        },
      ),
    );
  });

  test("from above, the third coordinate is depth; from the front it is height; one unit is equally long on all axes", () => {
    const { box, paths } = pointSceneOf(scatterOf(space));
    const above = createProjection({ azimuth: 0, elevation: 90 }, 1, [0, 0]);
    const [o, x, y, z] = [
      [0, 0, 0],
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ].map((at) => above.toScreen(at as [number, number, number])) as [Pair, Pair, Pair, Pair];
    expect(z[0]).toBeCloseTo(o[0], 9);
    expect(z[1]).toBeCloseTo(o[1], 9);
    expect(above.toward[2]).toBeCloseTo(1, 9);
    expect(x[0]).toBeGreaterThan(o[0]);
    expect(y[1]).toBeLessThan(o[1]);
    const front = createProjection({ azimuth: 0, elevation: 0 }, 1, [0, 0]);
    expect(front.toScreen([0, 0, 1])[1]).toBeLessThan(front.toScreen([0, 0, 0])[1]);
    expect(front.toward[2]).toBeCloseTo(0, 9);
    expect(front.toward[1]).toBeLessThan(0);
    // Distances in the box are those of the coordinates, in one unit, and every snapshot lies inside.
    const given = scatterOf(space).paths.flatMap(({ at }) => at.map((one) => one.map(Number)));
    const placed = paths.flatMap(({ pieces }) => pieces.flat().map(({ at }) => at));
    const apart = (points: readonly (readonly number[])[], k: number): number =>
      Math.hypot(...[0, 1, 2].map((axis) => Number(points[k]?.[axis]) - Number(points[0]?.[axis])));
    const unit = apart(placed, 1) / apart(given, 1);
    for (let k = 1; k < given.length; k++) expect(apart(placed, k)).toBeCloseTo(unit * apart(given, k), 6);
    for (const at of placed)
      for (const [axis, side] of [box.width, box.depth, box.height].entries())
        expect(Math.abs(at[axis] as number)).toBeLessThan(side / 2);
    expect(Math.max(box.width, box.depth, box.height)).toBeCloseTo(100, 9);
  });

  test("a path that does not move, and coordinates that are not finite, still give a picture", () => {
    for (const dimensions of [2, 3] as const) {
      for (const value of [0, Number.NaN]) {
        const coordinates = new Float64Array(10 * dimensions).fill(value);
        const figure = createEmbeddingFigure(sampleEmbedding({ dimensions, coordinates }));
        const svg = renderSvg(figureOption(figure), figureSize(figure));
        expect(svg).not.toContain("NaN");
      }
    }
  });
});

describe("embeddingOption", () => {
  test("draws the same picture as before in 2 dimensions", () => {
    const figure = createEmbeddingFigure(sampleEmbedding());
    const option = figureOption(figure, { width: 700 }) as {
      series: { name: string; renderItem: () => { children: object[] } }[];
    };
    const drawn = option.series.map(({ name, renderItem }) => [name, renderItem().children]);
    expect(rounded(Object.fromEntries(drawn.filter(([name]) => name === "paths")))).toMatchSnapshot();
  });

  test("three dimensions are tubes and balls in one scene: colours of the values, a shadow for each path", () => {
    const figure = createEmbeddingFigure(sampleEmbedding({ dimensions: 3 }));
    const theme = themeOf("light");
    const meshesOf = (placed: PlacedSpace) => sceneMeshes(placed.scene, placed.colors(theme));
    const placed = placedSpace(figure);
    const { paths, rims, surface, floor } = meshesOf(placed);
    expect(surface.index.length).toBe(0);
    expect(rims.index.length).toBe(paths.index.length);
    // Every corner lies in the box; every colour is that of a run, of a value, or the grey of what is not known.
    const colors = new Set<string>();
    for (let k = 0; k < paths.sky.length; k++)
      colors.add([0, 1, 2].map((c) => Math.round(255 * (paths.color[3 * k + c] as number))).join());
    const rgb = (color: string) => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16)).join();
    const colorOf = pointColors(scatterOf(figure));
    const values = [0, 1, 2, 3, 4].map((snapshot) => colorOf?.(runOf(figure), snapshot) ?? theme.unknown);
    expect(colors).toEqual(
      new Set([runStroke(0, theme).color, runStroke(1, theme).color, ...values].map(rgb)),
    );
    // The floor is bright but for the shadow, which lies below the paths.
    const dark = floor.sky.reduce((sum, share) => sum + Number(share < 0.95), 0);
    expect(dark).toBeGreaterThan(20);
    expect(dark).toBeLessThan(0.3 * floor.sky.length);
    // More runs than colours differ by their dashes: gaps make more pieces, and less of a line.
    const recolored = { ...figure, runs: figure.runs.map((run) => ({ ...run, color: 8 + run.color })) };
    expect(runStroke(8, theme).lineDash).not.toBeNull();
    const pieces = (one: Figure): number => meshesOf(placedSpace(one)).paths.sky.length;
    expect(pieces(recolored)).toBeGreaterThan(pieces(figure));
  });

  test("three dimensions have pixels in SVG and PNG, a movie, and the same bytes twice", async () => {
    const figure = createEmbeddingFigure(sampleEmbedding({ dimensions: 3 }));
    const draw = () =>
      renderSvg(figureOption(figure, { width: 420, pixelRatio: 1 }), figureSize(figure, { width: 420 }));
    const svg = draw();
    expect(svg.match(/<image/g)?.length).toBe(1);
    expect(draw()).toBe(svg);
    for (const name of ["PHATE 1", "PHATE 2", "PHATE 3"]) expect(svg).toContain(name);
    const movie = await renderMp4(figure, { width: 320, height: 400, duration: 120 });
    expect(Buffer.from(movie.subarray(4, 8)).toString()).toBe("ftyp");
  });

  test("colours run along the scale, and grey is what is not known", () => {
    const figure = createEmbeddingFigure(sampleEmbedding());
    const colorOf = pointColors(scatterOf(figure));
    if (colorOf === undefined) throw new Error("no scale");
    const run = runOf(figure);
    expect(colorOf(run, 0)).toBeNull();
    expect(colorOf(run, 4)).toBe(valueColor(0));
    expect(colorOf(run, 1)).toBe(valueColor(0.97));
    const columns = run.columns.map((column) => ({ ...column, values: column.values.with(1, 0) }));
    expect(colorOf({ ...run, columns }, 1)).toBe(valueColor(0));
  });

  test("more runs than colours differ by their dashes", () => {
    const theme = themeOf("light");
    const strokes = Array.from({ length: 21 }, (_, i) => JSON.stringify(runStroke(i, theme)));
    expect(new Set(strokes).size).toBe(21);
  });

  test("plays: up to a count only what came before is there, and no star until the end", () => {
    const figure = createEmbeddingFigure(sampleEmbedding());
    expect(timeline(figure)).toEqual([0, 1, 2, 3, 4]);
    const shown = (until?: number) => figureTargets(layoutFigure(figure, { until }));
    expect([0, 1].map((one) => shown(2).filter(({ run }) => run === one).length)).toEqual([3, 3]);
    const stars = (until: number): number => {
      const option = figureOption(figure, { until }) as {
        series: { renderItem: () => { children: { type: string }[] } }[];
      };
      return option.series[1]?.renderItem().children.filter(({ type }) => type === "polygon").length ?? -1;
    };
    expect([stars(3), stars(4), stars(Number.POSITIVE_INFINITY)]).toEqual([0, 2, 2]);
    // Places do not move while it plays.
    const third = (targets: ReturnType<typeof shown>) =>
      targets.find(({ run, snapshot }) => run === 1 && snapshot === 2);
    expect(third(shown(2))).toEqual(third(shown()));
    expect(third(shown())).toBeDefined();
    const space = createEmbeddingFigure(sampleEmbedding({ dimensions: 3 }));
    const grown = (until: number) => figureTargets(layoutFigure(space, { until }));
    expect(grown(2).length).toBe(6);
    expect(grown(2)[2]).toEqual(figureTargets(layoutFigure(space))[2]);
  });

  test("lets no text leave the picture, the map keep its size, at any width and name", () => {
    const name = fc.string({ minLength: 1, maxLength: 90 });
    fc.assert(
      fc.property(
        fc.integer({ min: 280, max: 1500 }),
        name,
        name,
        fc.constantFrom(2, 3),
        (width, a, b, k) => {
          const figure = createEmbeddingFigure(
            sampleEmbedding({ dimensions: k as 2 | 3, runs: [{ name: a }, { name: b }], lossName: b }),
          );
          const layout = layoutFigure(figure, { width });
          expect(layout.panels[0]?.rect.height).toBeGreaterThanOrEqual(160);
          for (const { text, x, y, size, weight, align, isVertical } of layout.texts) {
            const length = textWidth(text, size, weight);
            const start = align === "left" ? 0 : length / 2;
            const [low, high] = isVertical
              ? [y - length / 2, y + length / 2]
              : [x - start, x - start + length];
            expect(low).toBeGreaterThanOrEqual(-0.5);
            expect(high).toBeLessThanOrEqual((isVertical ? layout.height : width) + 0.5);
          }
          for (const { text, x } of layout.legend)
            expect(x + 30 + textWidth(text, 12)).toBeLessThanOrEqual(width);
        },
      ),
      { numRuns: 60 },
    );
    expect(() => layoutFigure(createEmbeddingFigure(sampleEmbedding()), { width: 100 })).toThrow("width");
    expect(() => layoutFigure(createEmbeddingFigure(sampleEmbedding()), { height: 100 })).toThrow("height");
  });

  test("is a PNG of the size asked for", () => {
    const figure = createEmbeddingFigure(sampleEmbedding({ dimensions: 3 }));
    const size = figureSize(figure, { width: 500, height: 640 });
    const png = renderPng(renderSvg(figureOption(figure, { width: 500, height: 640 }), size), { scale: 1 });
    expect(Buffer.from(png).readUInt32BE(16)).toBe(500);
    expect(Buffer.from(png).readUInt32BE(20)).toBe(640);
  });
});

describe("snapshotReadout of an embedding", () => {
  test("tells run, epoch, loss, step and place", () => {
    const figure = createEmbeddingFigure(sampleEmbedding());
    const { heading, rows } = snapshotReadout(figure, 1, 1);
    expect(heading).toBe("Adam, epoch 1");
    expect(rows.slice(0, 3)).toEqual([
      ["iteration", "10"],
      ["training loss as logged", "1"],
      ["length of the step", "2"],
    ]);
    expect(rows[3]?.[1]).toBe(
      (scatterOf(figure).paths[1]?.at[1] ?? [])
        .map(Number)
        .map((v) => String(v.toPrecision(4)).replace("-", "−"))
        .join(", "),
    );
    const start = snapshotReadout(figure, 0, 0);
    expect(start.rows[1]).toEqual(["training loss as logged", "unknown"]);
    expect(start.rows.length).toBe(3);
  });
});

describe("createTopologyFigure", () => {
  const topology = {
    neighbours: 5,
    vertexCount: 8,
    edgeCount: 17,
    pairs: [
      {
        dimension: 0 as const,
        birth: 0.01,
        death: Number.POSITIVE_INFINITY,
        birthVertex: 4,
        deathVertex: -1,
      },
      { dimension: 0 as const, birth: 0.02, death: 0.5, birthVertex: 9, deathVertex: 1 },
      { dimension: 1 as const, birth: 0.2, death: 0.9, birthVertex: 2, deathVertex: 6 },
    ],
    levels: Float64Array.of(0.01, 0.1, 1),
    betti0: Int32Array.of(1, 2, 1),
    betti1: Int32Array.of(0, 0, 0),
    null: { observed: 0.48, permuted: Float64Array.of(0.5, 0.6, 0.9), pLower: 0.02, pUpper: 1 },
  };

  test("shows every pair, the Betti curves and the null", () => {
    const figure = createTopologyFigure(sampleEmbedding({ topology }));
    const [diagram, betti, chance] = curvesOf(figure);
    const series = Object.fromEntries((diagram?.series ?? []).map((one) => [one.name, [one.x, one.y]]));
    expect(series.basins).toEqual([[0.02], [0.5]]);
    expect(series.cycles).toEqual([[0.2], [0.9]]);
    expect(series["never disappears (drawn at the top)"]).toEqual([[0.01], [1]]);
    expect(betti?.series.map(({ y }) => y)).toEqual([
      [0, 0, 0],
      [1, 2, 1],
    ]);
    expect(chance?.marks).toEqual([{ x: 0.48, label: "observed", tone: "drop" }]);
    const bars = chance?.series[0]?.y ?? [];
    const counted = bars.reduce<number>((sum, value) => sum + Number(value), 0) / 2;
    expect(counted).toBe(3);
    expect(figure.caption).toContain("2 basins and 1 cycle");
    expect(figure.caption).toContain("2 snapshots without a finite loss are left out.");
    expect(figure.caption).toContain("smoother than chance");
    const svg = renderSvg(figureOption(figure), figureSize(figure));
    expect(svg).not.toContain("NaN");
  });

  test("is refused for an embedding without topology", () => {
    expect(() => createTopologyFigure(sampleEmbedding())).toThrow("expected topology");
  });
});
