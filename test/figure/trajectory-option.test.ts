import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { figureOption, figureTargets, layoutFigure } from "../../src/figure/draw/layout-figure.js";
import { LEGEND_MARK_WIDTH } from "../../src/figure/draw/legend.js";
import { themeOf } from "../../src/figure/draw/palette.js";
import { pathShapes } from "../../src/figure/draw/paths.js";
import { type PlacedText, textWidth } from "../../src/figure/draw/placed-text.js";
import { verticalScale } from "../../src/figure/draw/scales.js";
import { hatchPath } from "../../src/figure/draw/shapes.js";
import { curvesNamed, placedMap, pointsOf } from "./panels.js";
import { arc, bowl, sampleFigure, samplePath, stepped, valley } from "./sample-figures.js";

/** Rounds every number of plain data, so that a snapshot does not hang on the last digits. */
function rounded(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, item) => (typeof item === "number" ? Number(item.toPrecision(4)) : item)),
  );
}

function box(text: PlacedText): { x0: number; x1: number; y0: number; y1: number } {
  const width = textWidth(text.text, text.size, text.weight);
  const shift = text.align === "left" ? 0 : text.align === "right" ? width : width / 2;
  const half = text.size / 2;
  return text.isVertical
    ? { x0: text.x - half, x1: text.x + half, y0: text.y - width / 2, y1: text.y + width / 2 }
    : { x0: text.x - shift, x1: text.x - shift + width, y0: text.y - half, y1: text.y + half };
}

describe("layoutFigure of a path", () => {
  const name = fc.string({ minLength: 1, maxLength: 120 });

  test("lets no text overlap another, the map or the panels, nor leave the picture, at any width", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 300, max: 1600 }),
        name,
        name,
        fc.boolean(),
        (width, title, lossName, hasLoss) => {
          const loss = hasLoss ? valley : null;
          const paths = [
            samplePath(title, arc(9, [9, 4]), loss, stepped(9)),
            samplePath("Adam", arc(5, [8, -4]), loss),
          ];
          const figure = sampleFigure(valley, { title, lossName, paths });
          const layout = layoutFigure(figure, { width });
          const boxes = layout.texts.filter(({ text }) => text !== "").map(box);
          expect(layout.panels.length).toBe(hasLoss ? 3 : 2);
          const rects = layout.panels.map(({ rect: r }) => ({
            x0: r.x,
            x1: r.x + r.width,
            y0: r.y,
            y1: r.y + r.height,
          }));
          for (const [index, a] of boxes.entries()) {
            expect(Math.min(a.x0, a.y0)).toBeGreaterThanOrEqual(0);
            expect(a.x1).toBeLessThanOrEqual(width);
            expect(a.y1).toBeLessThanOrEqual(layout.height);
            for (const b of [...boxes.slice(index + 1), ...rects]) {
              const apart = a.x1 <= b.x0 || b.x1 <= a.x0 || a.y1 <= b.y0 || b.y1 <= a.y0;
              expect(apart, `${layout.texts[index]?.text} overlaps at width ${width}`).toBe(true);
            }
          }
          for (const { x, text } of layout.legend)
            expect(x + LEGEND_MARK_WIDTH + textWidth(text, 12)).toBeLessThanOrEqual(width);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("gives both axes the same units where that is asked for", () => {
    const figure = sampleFigure(valley, { aspect: "equal" });
    for (const options of [{ width: 1000 }, { width: 1000, height: 540 }, { width: 400 }]) {
      const { rect } = placedMap(figure, options);
      expect(rect.width / 16).toBeCloseTo(rect.height / 11, 9);
    }
  });

  test("fills the height that is given", () => {
    const layout = layoutFigure(sampleFigure(valley), { width: 1000, height: 900 });
    expect(layout.height).toBe(900);
    const last = Math.max(...layout.texts.map((text) => text.y));
    expect(last).toBeGreaterThan(850);
    expect(last).toBeLessThan(900);
  });
});

test("refuses a size into which the picture does not fit", () => {
  const figure = sampleFigure(valley);
  expect(() => layoutFigure(figure, { width: 200 })).toThrow(/width: expected at least 280 px, got 200/);
  expect(() => layoutFigure(figure, { width: 8001 })).toThrow(/width: expected at most 8000 px, got 8001/);
  expect(() => layoutFigure(figure, { height: 1e6 })).toThrow(/height: expected at most 8000 px/);
  expect(() => layoutFigure(figure, { height: 300 })).toThrow(
    /height: expected at least \d+ px for this figure, got 300/,
  );
});

describe("figureOption of a path", () => {
  test("has the axes, ticks and series of the figure", () => {
    const option = figureOption(sampleFigure(bowl), { width: 1000 });
    const { xAxis, yAxis, grid, series } = option as Record<string, Record<string, unknown>[]>;
    const ticks = (axes: Record<string, unknown>[] = []): unknown =>
      axes.map(({ min, max, axisTick }) => [min, max, (axisTick as Record<string, unknown>).customValues]);
    expect(
      rounded({
        grid,
        x: ticks(xAxis),
        y: ticks(yAxis),
        series: series?.map(({ type, name, xAxisIndex, data }) => ({
          type,
          name,
          xAxisIndex,
          data: (data as unknown[]).slice(0, 3),
        })),
      }),
    ).toMatchSnapshot();
  });

  test("is the same for the same figure, and another in the dark", () => {
    const figure = sampleFigure(valley);
    expect(rounded(figureOption(figure))).toEqual(rounded(figureOption(figure)));
    expect(rounded(figureOption(figure, { theme: "dark" }))).not.toEqual(rounded(figureOption(figure)));
  });
});

describe("fidelity panels", () => {
  const LOSS = "Loss along the path";
  const SHARE = "Squared distance held by the plane";

  test("draw true and plane loss on a logarithmic axis where the range asks for it", () => {
    const figure = sampleFigure(valley);
    const panel = curvesNamed(figure, LOSS);
    expect(panel.series.map(({ name, isDashed }) => [name, isDashed])).toEqual([
      ["true loss", false],
      ["loss on the plane", true],
    ]);
    const [point] = pointsOf(figure);
    const scale = verticalScale(panel, "left", 5);
    expect(scale?.position(panel.series[1]?.y[0] ?? "NaN")).toBeCloseTo(
      Math.log10(Number(point?.planeLoss)),
      12,
    );
    expect(scale?.ticks.map(({ label }) => label)).toEqual(["0.02", "0.05", "0.1", "0.2", "0.5"]);
    const two = [samplePath("SGD", arc(5, [9, 4]), valley), samplePath("Adam", arc(4, [8, -4]), valley)];
    expect(curvesNamed(sampleFigure(valley, { paths: two }), LOSS).series.map(({ name }) => name)).toEqual([
      "SGD, true loss",
      "SGD, loss on the plane",
      "Adam, true loss",
      "Adam, loss on the plane",
    ]);
  });

  test("break a curve where the loss is not finite", () => {
    const path = samplePath("SGD", arc(5, [5, 3]), bowl);
    path.trajectory.trueLoss?.set([Number.POSITIVE_INFINITY], 2);
    const figure = sampleFigure(bowl, { paths: [path] });
    const panel = curvesNamed(figure, LOSS);
    expect(panel.series[0]?.y.map((y) => typeof y !== "number")).toEqual([false, false, true, false, false]);
    const { series } = figureOption(figure) as { series: { name: string; data: (number | null)[][] }[] };
    const drawn = series.find(({ name }) => name === "true loss")?.data;
    expect(drawn?.map(([, y]) => y === null)).toEqual([false, false, true, false, false]);
  });

  test("mark drops of the learning rate, unless it falls all the time", () => {
    expect(curvesNamed(sampleFigure(bowl), LOSS).marks).toEqual(
      [7, 10].map((x) => ({ x, label: "", tone: "drop" })),
    );
    const falling = samplePath("SGD", arc(20, [5, 3]), bowl, (index) => ({
      learningRate: 0.1 * 0.9 ** index,
    }));
    expect(curvesNamed(sampleFigure(bowl, { paths: [falling] }), SHARE).marks).toEqual([]);
  });

  test("leave the centre out of the shares", () => {
    const [share] = curvesNamed(sampleFigure(bowl), SHARE).series;
    expect(share?.y.at(-1)).toBe("NaN");
    expect(share?.y[0]).toBeCloseTo(0.93, 12);
  });
});

test("hatching lies inside its rectangle, on one lattice for all", () => {
  const path = hatchPath({ x: 10, y: 20, width: 30, height: 11 });
  const lines = [...path.matchAll(/M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)/g)].map((match) =>
    match.slice(1).map(Number),
  );
  expect(lines.length).toBe(6);
  for (const [x0, y0, x1, y1] of lines as [number, number, number, number][]) {
    expect(x0 >= 10 && x1 <= 40 && y1 >= 20 && y0 <= 31).toBe(true);
    expect((x0 + y0) % 7).toBeCloseTo(0, 9);
    expect(x0 + y0).toBeCloseTo(x1 + y1, 9);
  }
});

describe("a path of many snapshots", () => {
  const many = arc(2_000, [9, 4]);
  const figure = sampleFigure(valley, { paths: [samplePath("SGD", many, valley, () => ({}))] });
  const paths = figure.panels.flatMap((panel) => (panel.kind === "map" ? panel.paths : []));
  const shapesOf = (until?: number) =>
    pathShapes(figure, paths, ([x = 0, y = 0]) => ({ x, y }), themeOf("light"), {
      until,
    });

  test("has 500 dots and the caption says so; the line passes through all, and each can be pointed at", () => {
    const discs = shapesOf().filter(({ type }) => type === "circle");
    expect(discs.length).toBeGreaterThan(2 * 499);
    expect(discs.length).toBeLessThan(2 * 510);
    const lines = shapesOf().filter(({ type }) => type === "polyline");
    expect(lines.map(({ shape }) => (shape?.points as unknown[] | undefined)?.length)).toEqual([
      2_000, 2_000, 2_000,
    ]);
    expect(figure.caption).toContain("500 have a dot");
    expect(figureTargets(layoutFigure(figure, { width: 1000 })).length).toBeGreaterThan(1_900);
  });
});
