import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lossPanel, sharePanel } from "../../src/figure/draw/fidelity-panels.js";
import { LEGEND_MARK_WIDTH } from "../../src/figure/draw/legend.js";
import { hatchPath } from "../../src/figure/draw/marks.js";
import { themeOf } from "../../src/figure/draw/palette.js";
import type { PlacedText } from "../../src/figure/draw/placed-text.js";
import { textWidth } from "../../src/figure/draw/placed-text.js";
import { layoutTrajectory } from "../../src/figure/draw/trajectory-layout.js";
import { trajectoryOption } from "../../src/figure/draw/trajectory-option.js";
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

describe("layoutTrajectory", () => {
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
          const layout = layoutTrajectory(figure, { width });
          const boxes = layout.texts.filter(({ text }) => text !== "").map(box);
          const { map } = layout;
          const rects = [
            map,
            layout.sharePanel,
            ...(layout.lossPanel === null ? [] : [layout.lossPanel]),
          ].map((r) => ({
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
          for (const row of layout.legend) {
            for (const entry of row.entries) {
              expect(
                row.x + entry.offset + LEGEND_MARK_WIDTH + textWidth(entry.text, 12),
              ).toBeLessThanOrEqual(width);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("gives both axes the same units where that is asked for", () => {
    const figure = sampleFigure(valley, { aspect: "equal" });
    for (const options of [{ width: 1000 }, { width: 1000, height: 500 }, { width: 400 }]) {
      const { map } = layoutTrajectory(figure, options);
      expect(map.width / 16).toBeCloseTo(map.height / 11, 9);
    }
  });

  test("fills the height that is given", () => {
    const layout = layoutTrajectory(sampleFigure(valley), { width: 1000, height: 900 });
    expect(layout.height).toBe(900);
    const last = Math.max(...layout.texts.map((text) => text.y));
    expect(last).toBeGreaterThan(850);
    expect(last).toBeLessThan(900);
  });
});

test("refuses a size into which the picture does not fit", () => {
  const figure = sampleFigure(valley);
  expect(() => layoutTrajectory(figure, { width: 200 })).toThrow(/width: expected at least 280 px, got 200/);
  expect(() => layoutTrajectory(figure, { width: 8001 })).toThrow(
    /width: expected at most 8000 px, got 8001/,
  );
  expect(() => layoutTrajectory(figure, { height: 1e6 })).toThrow(/height: expected at most 8000 px/);
  expect(() => layoutTrajectory(figure, { height: 300 })).toThrow(
    /height: expected at least \d+ px for this figure, got 300/,
  );
});

describe("trajectoryOption", () => {
  test("has the axes, ticks and series of the figure", () => {
    const option = trajectoryOption(sampleFigure(bowl), { width: 1000 });
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
    expect(rounded(trajectoryOption(figure))).toEqual(rounded(trajectoryOption(figure)));
    expect(rounded(trajectoryOption(figure, { theme: "dark" }))).not.toEqual(
      rounded(trajectoryOption(figure)),
    );
  });
});

describe("fidelity panels", () => {
  const theme = themeOf("light");

  test("draw true and plane loss on a logarithmic axis where the range asks for it", () => {
    const figure = sampleFigure(valley);
    const panel = lossPanel(figure, theme);
    expect(panel.curves.map(({ name, isDashed }) => [name, isDashed])).toEqual([
      ["SGD, true", false],
      ["SGD, on the plane", true],
    ]);
    const [point] = figure.paths[0]?.points ?? [];
    expect(panel.curves[1]?.points[0]?.[1]).toBeCloseTo(Math.log10(Number(point?.planeLoss)), 12);
    expect(panel.y.ticks.map(({ label }) => label)).toEqual(["0.02", "0.05", "0.1", "0.2", "0.5"]);
  });

  test("break a curve where the loss is not finite", () => {
    const path = samplePath("SGD", arc(5, [5, 3]), bowl);
    path.trajectory.trueLoss?.set([Number.POSITIVE_INFINITY], 2);
    const panel = lossPanel(sampleFigure(bowl, { paths: [path] }), theme);
    expect(panel.curves[0]?.points.map(([, y]) => y === null)).toEqual([false, false, true, false, false]);
  });

  test("mark drops of the learning rate, unless it falls all the time", () => {
    expect(lossPanel(sampleFigure(bowl), theme).drops).toEqual([7, 10]);
    const falling = samplePath("SGD", arc(20, [5, 3]), bowl, (index) => ({
      learningRate: 0.1 * 0.9 ** index,
    }));
    expect(sharePanel(sampleFigure(bowl, { paths: [falling] }), theme).drops).toEqual([]);
  });

  test("leave the centre out of the shares", () => {
    const panel = sharePanel(sampleFigure(bowl), theme);
    expect(panel.curves[0]?.points.at(-1)?.[1]).toBeNull();
    expect(panel.curves[0]?.points[0]?.[1]).toBeCloseTo(0.93, 12);
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
