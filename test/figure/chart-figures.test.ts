import { describe, expect, it } from "vitest";
import { figureOption, figureSize, layoutFigure } from "../../src/figure/draw/layout-figure.js";
import { textWidth } from "../../src/figure/draw/placed-text.js";
import type { Figure, MapPanel } from "../../src/figure/figure.js";
import { renderPng, renderSvg } from "../../src/figure/files/render-picture.js";
import { createLineFigure } from "../../src/figure/make/create-line-figures.js";
import { createMapsFigure } from "../../src/figure/make/create-maps-figures.js";
import { createTrainingFigure } from "../../src/figure/make/create-training-figure.js";
import {
  createAngleFigure,
  createHistogramFigure,
  createNormsFigure,
} from "../../src/figure/make/create-weights-figures.js";
import type { SnapshotInfo } from "../../src/store/run/run.js";
import type { LineSlice } from "../../src/surface/lines/level-set-width.js";
import { curvesOf, mapsOf } from "./panels.js";
import { samplePath, sampleSurface, uniform } from "./sample-figures.js";

const line = uniform(-0.5, 1.5, 21);

function lineSlice(
  seeds: readonly (number | null)[],
  sets: readonly string[] = ["train", "test"],
): LineSlice {
  return {
    kind: seeds[0] === null ? "models" : "random",
    axis: "α: SGD at 0, Adam at 1",
    alpha: line,
    curves: sets.flatMap((set, s) =>
      seeds.map((seed, k) => {
        const loss = (a: number) => 0.1 + s + (1 + k) * a * a;
        const surface = sampleSurface(line, Float64Array.of(0), loss);
        return { set, seed, surface: { ...surface, metrics: { acc: line.map((a) => 1 / (1 + loss(a))) } } };
      }),
    ),
    marks: [
      { alpha: 0, name: "SGD" },
      { alpha: 1, name: "Adam" },
    ],
    batchNorm: "interpolate",
    warnings: [],
  };
}

const snapshots = Array.from(
  { length: 6 },
  (_, i): SnapshotInfo => ({
    step: i,
    epoch: i,
    iteration: 10 * i,
    time: 0,
    learningRate: i < 4 ? 0.1 : 0.01,
    logs: i === 0 ? {} : { loss: 2 / i, acc: 1 - 0.5 / i, val_loss: 3 / i, val_acc: 1 - 0.7 / i },
  }),
);

function draw(figure: Figure, options = {}): string {
  return renderSvg(figureOption(figure, options), figureSize(figure, options));
}

/** Texts of a picture, entities decoded as far as these tests need. */
function textsOf(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text as string);
}

describe("createLineFigure", () => {
  it("has loss left and the first metric right, solid on the first set and dashed on the others", () => {
    const [panel] = curvesOf(createLineFigure(lineSlice([null])));
    expect(panel?.series.map(({ name, axis, isDashed }) => [name, axis, isDashed])).toEqual([
      ["loss, train", "left", false],
      ["loss, test", "left", true],
      ["accuracy, train", "right", false],
      ["accuracy, test", "right", true],
    ]);
    expect(panel?.left.scale).toBe("log");
    expect(panel?.right).toEqual({ title: "accuracy", scale: "percent" });
    expect(panel?.marks.map(({ x, label }) => [x, label])).toEqual([
      [0, "SGD"],
      [1, "Adam"],
    ]);
  });

  it("shows the error instead of the accuracy, or no metric", () => {
    const [shown] = curvesOf(createLineFigure(lineSlice([null], ["train"]), { accuracyAs: "error" }));
    const [accuracy] = curvesOf(createLineFigure(lineSlice([null], ["train"])));
    expect(shown?.series[1]?.name).toBe("error");
    expect(shown?.series[1]?.y[3]).toBe(1 - (accuracy?.series[1]?.y[3] as number));
    expect(curvesOf(createLineFigure(lineSlice([null]), { metric: null }))[0]?.right).toBeNull();
    expect(() => createLineFigure(lineSlice([null]), { metric: "mae" })).toThrow(
      "quantity: expected one of loss, acc",
    );
  });

  it("is the median with a band over several seeds, and says so", () => {
    const figure = createLineFigure(lineSlice([0, 1, 2]));
    const [series] = curvesOf(figure)[0]?.series ?? [];
    expect(series?.y[0]).toBeCloseTo(0.1 + 2 * 0.25, 12);
    expect(series?.band?.low[0]).toBeCloseTo(0.1 + 1.5 * 0.25, 12);
    expect(figure.caption).toContain("Median over 3 seeds; band from the 25 % to the 75 % quantile.");
  });

  it("breaks curves at values that are not finite, and counts them", () => {
    const slice = lineSlice([null], ["train"]);
    slice.curves[0]?.surface.loss.set([Number.NaN, Number.POSITIVE_INFINITY], 4);
    const figure = createLineFigure(slice, { metric: null });
    expect(curvesOf(figure)[0]?.series[0]?.y.slice(3, 7)).toEqual([
      expect.any(Number),
      "NaN",
      "Infinity",
      expect.any(Number),
    ]);
    expect(figure.caption).toContain("2 of 21 values are not finite and shown as gaps.");
    const option = figureOption(figure) as { series: { type: string; data: (number | null)[][] }[] };
    const curve = option.series.find(({ type }) => type === "line");
    expect(curve?.data.slice(3, 7).map(([, y]) => y === null)).toEqual([false, true, true, false]);
  });
});

describe("charts", () => {
  const figures: Record<string, Figure> = {
    line: createLineFigure(lineSlice([null])),
    band: createLineFigure(lineSlice([1, 2, 3])),
    training: createTrainingFigure([{ name: "SGD", snapshots }]),
    norms: createNormsFigure([
      {
        name: "SGD",
        snapshots,
        statistics: {
          norm: uniform(1, 2, 6),
          distance: uniform(0, 3, 6),
          stepLength: uniform(0, 1, 6),
          pathLength: uniform(0, 5, 6),
          layers: [{ name: "conv1", norm: uniform(1, 2, 6) }],
          kernels: [
            {
              name: "conv1/kernel",
              filters: 3,
              mean: uniform(1, 2, 6),
              least: uniform(0.5, 1, 6),
              largest: uniform(2, 3, 6),
            },
          ],
        },
      },
    ]),
    histogram: createHistogramFigure({
      edges: uniform(-1, 1, 6),
      weights: 100,
      histograms: [
        { name: "SGD", density: Float64Array.of(0, 1, 2, 1, 0), outside: 0 },
        { name: "Adam", density: Float64Array.of(0.5, 0.5, 1, 0.5, 0.5), outside: 3 },
      ],
    }),
    angles: createAngleFigure([
      {
        name: "SGD",
        snapshots,
        angles: {
          degrees: Float64Array.of(5, 20, 80, 85, Number.NaN),
          inPlaneStep: uniform(1, 0.1, 5),
          gradientNorm: uniform(2, 0.1, 5),
        },
      },
    ]),
  };

  it.each(Object.entries(figures))(
    "%s: everything lies inside, the same each time, as SVG and PNG",
    (_, figure) => {
      for (const width of [320, 700, 1200]) {
        const layout = layoutFigure(figure, { width });
        for (const { text, x, size, align, isVertical, weight } of layout.texts) {
          if (isVertical) continue;
          const length = textWidth(text, size, weight);
          const left = align === "left" ? x : align === "right" ? x - length : x - length / 2;
          expect(left).toBeGreaterThanOrEqual(0);
          expect(left + length).toBeLessThanOrEqual(width);
        }
        const svg = draw(figure, { width });
        expect(svg).toBe(draw(figure, { width }));
        expect(svg).not.toContain('NaN"');
      }
      const png = renderPng(draw(figure), { scale: 0.5 });
      expect(Array.from(png.subarray(0, 4))).toEqual([0x89, 0x50, 0x4e, 0x47]);
    },
  );

  it("training: error in percent by epoch, validation dashed, marks where the rate dropped", () => {
    const figure = figures.training as ReturnType<typeof createTrainingFigure>;
    expect(figure.panels.map(({ title }) => title)).toEqual(["Loss", "Error"]);
    const [training, validation] = curvesOf(figure)[1]?.series ?? [];
    expect(training?.y).toEqual([0.5, 0.25, 1 - (1 - 0.5 / 3), 0.125, 1 - (1 - 0.1)]);
    expect(validation?.isDashed).toBe(true);
    expect(curvesOf(figure)[0]?.marks).toEqual([{ x: 4, label: "rate lowered", tone: "drop" }]);
    const accuracy = createTrainingFigure([{ name: "SGD", snapshots }], { accuracyAs: "accuracy" });
    expect(curvesOf(accuracy)[1]?.series[0]?.y[0]).toBe(0.5);
    expect(() => createTrainingFigure([{ name: "a", snapshots: snapshots.slice(0, 1) }])).toThrow(
      "snapshots with logs",
    );
  });

  it("training: curves are what was logged, each under its own key", () => {
    const [loss] = curvesOf(createTrainingFigure([{ name: "SGD", snapshots }]));
    const [training, validation] = loss?.series ?? [];
    expect(training?.x).toEqual([1, 2, 3, 4, 5]);
    expect(training?.y).toEqual([2, 1, 2 / 3, 0.5, 0.4]);
    expect(validation?.y).toEqual([3, 1.5, 1, 0.75, 0.6]);
  });

  it("training: accuracies of several outputs are told apart", () => {
    const logs = { a_acc: 0.5, b_acc: 0.25, b_loss: 3 };
    const one = snapshots.slice(0, 1).map((snapshot) => ({ ...snapshot, logs }));
    const panels = curvesOf(createTrainingFigure([{ name: "SGD", snapshots: one }]));
    expect(panels.map(({ title, series }) => [title, series[0]?.y[0]])).toEqual([
      ["Error, a", 0.5],
      ["Error, b", 0.75],
      ["B_loss", 3],
    ]);
  });

  it("norms: each panel has its own quantity, by epoch and by iteration", () => {
    const panels = curvesOf(figures.norms as Figure);
    const facts = panels.map(({ title, x, series, marks }) => [
      title,
      x.title,
      series[0]?.x.slice(-1)[0],
      series[0]?.y.slice(-1)[0],
      marks[0]?.x,
    ]);
    expect(facts).toEqual([
      ["Weight norm by epoch", "epoch", 5, 2, 4],
      ["Weight norm by iteration", "iteration", 50, 2, 40],
      ["Distance from the start", "epoch", 5, 3, 4],
      ["Length of the path", "epoch", 5, 5, 4],
      ["Norm of each layer by epoch", "epoch", 5, 2, 4],
      ["Norm of each layer by iteration", "iteration", 50, 2, 40],
      ["Filter norms of each layer by epoch", "epoch", 5, 2, 4],
      ["Filter norms of each layer by iteration", "iteration", 50, 2, 40],
    ]);
    const [filters] = panels[7]?.series ?? [];
    expect(filters?.name).toBe("conv1");
    expect([filters?.band?.low[5], filters?.band?.high[5]]).toEqual([1, 3]);
  });

  it("angles: a value belongs to the epoch in which its step ends", () => {
    const [degrees] = curvesOf(figures.angles as Figure);
    expect(degrees?.series[0]?.x).toEqual([1, 2, 3, 4, 5]);
    expect(degrees?.series[0]?.y).toEqual([5, 20, 80, 85, "NaN"]);
  });

  it("histogram: steps along the edges of the bins", () => {
    const [panel] = curvesOf(figures.histogram as Figure);
    const x = panel?.series[0]?.x.map((value) => Math.round(10 * value) / 10);
    expect(x).toEqual([-1, -0.6, -0.6, -0.2, -0.2, 0.2, 0.2, 0.6, 0.6, 1]);
    expect(panel?.series[0]?.y).toEqual([0, 0, 1, 1, 2, 2, 1, 1, 0, 0]);
  });

  it("have ticks at whole epochs, of a single epoch too", () => {
    for (const count of [1, 2, 3]) {
      const figure = createTrainingFigure([{ name: "a", snapshots: snapshots.slice(1, 1 + count) }]);
      const [placed] = layoutFigure(figure).panels as unknown as [{ x: { ticks: { value: number }[] } }];
      const values = placed.x.ticks.map(({ value }) => value);
      expect(values.length).toBeGreaterThan(0);
      expect(values.every(Number.isInteger)).toBe(true);
    }
  });

  it("hold hostile names as text", () => {
    const svg = draw(
      createTrainingFigure([
        { name: "<script>alert(1)</script>", snapshots },
        { name: "b", snapshots },
      ]),
    );
    expect(svg).not.toContain("<script");
    expect(textsOf(svg).join(" ")).toContain("script");
  });

  it("refuse sizes that are too small, and angles of another run", () => {
    expect(() => draw(figures.line as Figure, { width: 100 })).toThrow("width: expected at least 280 px");
    expect(() => draw(figures.line as Figure, { height: 100 })).toThrow("height: expected at least");
    const angles = {
      degrees: new Float64Array(2),
      inPlaneStep: new Float64Array(2),
      gradientNorm: new Float64Array(2),
    };
    expect(() => createAngleFigure([{ name: "SGD", snapshots, angles }])).toThrow(
      "SGD: expected angles of 5 steps, got 2",
    );
  });
});

describe("createMapsFigure", () => {
  const alpha = uniform(-0.5, 1.5, 7);
  const beta = uniform(-0.5, 1.5, 5);
  const train = sampleSurface(alpha, beta, (a, b) => 0.01 + a * a + 2 * b * b);
  const test = sampleSurface(alpha, beta, (a, b) => 0.01 + a * a + 2 * b * b + a / 4);
  const surfaces = [
    { set: "train", surface: train },
    { set: "test", surface: test },
  ];
  const input = { title: "Three models", surfaces, labels: ["α", "β"] };

  it("has common levels, and the difference with levels symmetric about zero", () => {
    const maps = mapsOf(createMapsFigure(input));
    expect(maps.map(({ title, palette }) => [title, palette])).toEqual([
      ["train", "value"],
      ["test", "value"],
      ["test − train", "difference"],
    ]);
    expect(maps[0]?.scale).toEqual(maps[1]?.scale);
    // The levels reach over both sets: the test loss is the highest, at α = 1.5.
    const far = { ...test, loss: test.loss.map((value) => 40 * value) };
    const wide = createMapsFigure({
      ...input,
      surfaces: [surfaces[0] as never, { set: "test", surface: far }],
    });
    expect(Math.max(...(mapsOf(wide)[0]?.scale?.levels ?? []))).toBeGreaterThan(Math.max(...train.loss));
    const levels = maps[2]?.scale?.levels ?? [];
    expect(levels.map((level) => -level + 0).reverse()).toEqual(levels.map((level) => level + 0));
    expect(maps[2]?.values?.[0]).toBeCloseTo(-0.125, 12);
  });

  it("draws the same picture each time, names inside the maps and off each other", () => {
    const marks = [
      { alpha: 0, beta: 0, label: "SGD" },
      { alpha: 0.05, beta: 0.02, label: "a long name of a model" },
      { alpha: 1.49, beta: 1.49, label: "Adam" },
    ];
    const path = samplePath(
      "SGD",
      [
        [1, 1],
        [0.5, 0.2],
        [0, 0],
      ],
      null,
    );
    const figure = createMapsFigure({ ...input, marks, path });
    const svg = draw(figure);
    expect(svg).toBe(draw(figure));
    expect(textsOf(svg).filter((text) => text === "Adam").length).toBe(3);
    for (const width of [300, 800]) expect(layoutFigure(figure, { width }).panels.length).toBe(3);
  });

  it("has maps of one size side by side, whatever room their colour bars need", () => {
    // Bars of three widths: with a value of six digits, without ends, and with signs.
    const steep = { ...train, loss: train.loss.map((value) => 123.456 * value) };
    const figure = createMapsFigure({
      ...input,
      surfaces: [{ set: "train", surface: steep }, surfaces[1] as never],
    });
    for (const width of [300, 1280]) {
      const sizes = layoutFigure(figure, { width }).panels.map(({ rect }) => `${rect.width} ${rect.height}`);
      expect(sizes.length).toBe(3);
      expect(new Set(sizes).size).toBe(1);
    }
  });

  it("marks the least value around models and says so, and none where there is nothing to look for", () => {
    const texts = (figure: Figure) => layoutFigure(figure).legend.map(({ text }) => text);
    const marked = createMapsFigure({ ...input, marks: [{ alpha: 0, beta: 0, label: "SGD" }] });
    expect(texts(marked)).toEqual(["least value of the grid"]);
    const bare = { ...marked, panels: mapsOf(marked).map((map) => ({ ...map, marks: [] })) };
    expect(texts(bare)).toEqual([]);
    expect(draw(bare).length).toBeLessThan(draw(marked).length);
    const lost = mapsOf(marked).map((map) => ({
      ...map,
      values: (map.values ?? []).map(() => "NaN" as const),
    }));
    expect(texts({ ...marked, panels: lost })).toEqual([]);
  });

  it("marks the least value inside a map alone, where a part of it is enlarged", () => {
    const figure = createMapsFigure({ ...input, marks: [{ alpha: 0, beta: 0, label: "SGD" }] });
    const [map] = mapsOf(figure) as [MapPanel];
    const shapesIn = (window: MapPanel["window"]) => {
      const one = { ...figure, panels: [{ ...map, window }] };
      const all = figureOption(one, figureSize(one)).series as unknown as {
        name: string;
        renderItem: () => Group;
      }[];
      return all.find(({ name }) => name === "minimum")?.renderItem().children.length;
    };
    type Group = { readonly children: readonly unknown[] };
    expect(shapesIn(undefined)).toBe(2);
    expect(shapesIn({ x: [-0.2, 0.5], y: [-0.2, 0.5] })).toBe(2);
    expect(shapesIn({ x: [1, 1.4], y: [1, 1.4] })).toBe(0);
  });

  it("refuses a line, other grids, unknown metrics", () => {
    const flat = sampleSurface(alpha, Float64Array.of(0), () => 1);
    expect(() => createMapsFigure({ ...input, surfaces: [{ set: "a", surface: flat }] })).toThrow(
      "2 × 2 points",
    );
    const other = sampleSurface(beta, alpha, () => 1);
    expect(() =>
      createMapsFigure({ ...input, surfaces: [...surfaces.slice(0, 1), { set: "b", surface: other }] }),
    ).toThrow("identical grids");
    expect(() => createMapsFigure({ ...input, quantity: "acc" })).toThrow(
      'quantity: expected one of loss, got "acc"',
    );
    expect(() => createMapsFigure({ ...input, surfaces: [] })).toThrow("at least one surface");
    expect(() => createMapsFigure({ ...input, labels: ["α"] })).toThrow("two labels");
  });
});
