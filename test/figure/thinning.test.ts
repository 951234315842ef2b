import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeNumber } from "../../src/base/json.js";
import type { PlacedCurves } from "../../src/figure/draw/curves-panel.js";
import { isInside } from "../../src/figure/draw/figure-frame.js";
import {
  figureMoment,
  figureOption,
  figureReadout,
  layoutFigure,
} from "../../src/figure/draw/layout-figure.js";
import { countUpTo } from "../../src/figure/draw/snapshots.js";
import { extremes, MOST_DOTS, MOST_ROWS, thinnedFigure } from "../../src/figure/draw/thinning.js";
import type { Figure, ScatterPanel } from "../../src/figure/figure.js";
import { styleFigure } from "../../src/figure/files/picture-style.js";
import { renderHtml } from "../../src/figure/files/render-html.js";
import { createEmbeddingFigure } from "../../src/figure/make/create-embedding-figure.js";
import { pointSceneOf, pointsUntil } from "../../src/figure/space/point-scene.js";
import { sceneMeshes } from "../../src/figure/space/scene-mesh.js";
import { inSpace } from "../../src/figure/space/surface-panel.js";
import { createSurfaceScene } from "../../src/figure/space/surface-scene.js";
import { curvesNamed, curvesOf, mapOf } from "./panels.js";
import { sampleEmbedding } from "./sample-embedding.js";
import { sampleFigure, samplePath, valley } from "./sample-figures.js";

const MANY = 10_000;

/** A run recorded after every batch: its loss has one peak that lasts a single batch. */
function longFigure(count: number): Figure {
  const places = Array.from({ length: count }, (_, k): [number, number] => {
    const t = 1 - k / (count - 1);
    return [9 * t ** 1.4, 4 * t ** 2.6 + 0.05 * Math.sin(2.4 * k) * t];
  });
  const path = samplePath("SGD", places, valley, (step) => ({
    step,
    epoch: step / 100,
    iteration: step,
    logs: { loss: step === 7777 ? 9 : 2 * Math.exp(-step / 3000) },
  }));
  return sampleFigure(valley, { paths: [path] });
}

const long = longFigure(MANY);

describe("extremes", () => {
  test("keep the lowest and the highest value of every column, first and last, at most three a column", () => {
    const value = fc.oneof(fc.double({ noNaN: true, min: -9, max: 9 }), fc.constant(Number.NaN));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 300 }), fc.nat(20), (values, n) => {
        const columns = n + 1;
        const columnOf = (i: number): number => Math.floor((i * columns) / values.length);
        const kept = extremes(values.length, columnOf, [(i) => values[i] as number]);
        expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
        expect(kept.length).toBeLessThanOrEqual(3 * columns + 2);
        expect([kept[0], kept.at(-1)]).toEqual([0, values.length - 1]);
        for (let column = 0; column < columns; column++) {
          const all = values.filter((v, i) => columnOf(i) === column && Number.isFinite(v));
          const of = kept.filter((i) => columnOf(i) === column).map((i) => values[i] as number);
          const finite = of.filter(Number.isFinite);
          expect(Math.min(...finite)).toBe(Math.min(...all));
          expect(Math.max(...finite)).toBe(Math.max(...all));
          const hasGap = values.some((v, i) => columnOf(i) === column && Number.isNaN(v));
          expect(of.some(Number.isNaN)).toBe(hasGap);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe("a run of 10,000 snapshots", () => {
  test("has thinned curves with every peak, and says so; the figure's own data stay", () => {
    const logged = (figure: Figure) => {
      const found = curvesOf(figure).find(({ title }) => title === "Loss while training");
      return (found?.series[0]?.y ?? []).map((y) => decodeNumber(y));
    };
    expect(logged(long)).toHaveLength(MANY);
    const drawn = logged(thinnedFigure(long));
    expect(drawn.length).toBeLessThanOrEqual(1202);
    expect(Math.max(...drawn)).toBe(9);
    expect(long.caption).toContain(
      "Curves of more than 2000 points are drawn through the lowest and the highest",
    );
    expect(long.caption).toContain(
      "Of more than 500 snapshots, 500 have a dot; the line passes through all of them.",
    );
    const few = longFigure(400);
    expect(few.caption).not.toContain("have a dot");
    expect(thinnedFigure(few)).toBe(few);
  });

  test("makes a page of 250 bytes or less for each further snapshot, with a table of 1,000 rows", () => {
    const page = renderHtml({ title: "long", figures: [long] });
    const small = renderHtml({ title: "long", figures: [longFigure(2000)] });
    expect((page.length - small.length) / (MANY - 2000)).toBeLessThan(250);
    expect(page.split("<tr><td>")).toHaveLength(MOST_ROWS + 1);
    expect(page).toContain("Of more than 1,000 snapshots, 1,000 are listed");
  });

  test("is drawn with 500 dots, and lines without points on each other", () => {
    const text = JSON.stringify(figureOption(long));
    expect(text.split('"circle"').length).toBeLessThan(3 * MOST_DOTS);
    expect(text.length).toBeLessThan(2_000_000);
  });

  test("is marked at the same moment in every panel, also where a curve leaves the snapshot out", () => {
    const layout = layoutFigure(long, { isPage: true, width: 1000 });
    const hasCurves = layout.panels.filter(({ panel }) => panel.kind === "curves").length;
    const placed = layout.panels.find(({ panel }) => panel.title === "Loss while training");
    const { rect, left } = placed as PlacedCurves;
    for (const snapshot of [0, 1, 1234, 5555, 7776, 9998, 9999]) {
      const { rings, cursors } = figureMoment(layout, snapshot / 100);
      const [ring, ...others] = rings.filter((one) => isInside(rect, one));
      expect(others).toEqual([]);
      // At its own loss, not at the peak of the batch after it.
      const height = left.position(2 * Math.exp(-snapshot / 3000)) as number;
      const y = rect.y + rect.height * (1 - (height - left.min) / (left.max - left.min));
      expect(Math.abs((ring?.y ?? Number.NaN) - y)).toBeLessThan(0.1);
      expect(cursors).toHaveLength(hasCurves);
      expect(rings.filter(({ isLarge }) => isLarge)).toHaveLength(1);
      // The loss on the plane, that of the snapshots, the share, the logged loss, the learning rate.
      expect(rings.length).toBeGreaterThanOrEqual(5);
    }
  });

  test("reads out the nearest point of a curve", () => {
    const layout = layoutFigure(long, { isPage: true, width: 1000 });
    const placed = layout.panels.find(({ panel }) => panel.title === "Loss while training");
    const { rect } = placed as NonNullable<typeof placed>;
    const found = figureReadout(layout, { x: rect.x + rect.width / 2, y: rect.y + 9 });
    expect(found?.moment).toBeGreaterThan(49);
    expect(found?.moment).toBeLessThan(51);
    expect(found?.readout.rows).toHaveLength(1);
  });

  test("says nothing of its curves where they are not drawn", () => {
    const sentence = "Curves of more than";
    expect(inSpace(long)?.caption).not.toContain(sentence);
    expect(inSpace(long)?.caption).toContain("500 have a dot");
    expect(styleFigure(long, { style: "page", hide: ["curves"] }).caption).not.toContain(sentence);
    expect(styleFigure(long, { style: "page" }).caption).toContain(sentence);
  });

  test("has at most as many triangles in 3-D as 500 snapshots of the same path, and a half", () => {
    const triangles = (figure: Figure): number => {
      const scene = createSurfaceScene({ panel: mapOf(inSpace(figure) as Figure), figure });
      const colors = {
        bands: ["#000000"],
        paths: [{ color: "#ffffff", lineDash: null }],
        rim: "#ffffff",
        stem: "#808080",
      };
      return sceneMeshes(scene, colors).paths.index.length / 3;
    };
    expect(triangles(long)).toBeLessThan(1.5 * triangles(longFigure(500)));
  });
});

test("captions of embeddings say that dots are left out, and in a box that the line passes through some", () => {
  const count = 3000;
  const figureOf = (dimensions: 2 | 3): Figure => {
    const each = Int32Array.from({ length: count }, (_, i) => i);
    return createEmbeddingFigure(
      sampleEmbedding({
        dimensions,
        runs: [{ name: "SGD" }],
        run: new Int32Array(count),
        coordinates: Float64Array.from({ length: dimensions * count }, (_, i) => Math.sin(i)),
        step: each,
        epoch: each,
        iteration: each,
        loss: Float64Array.from(each, (i) => 1 / (1 + i)),
        stepSize: new Float64Array(count).fill(1),
      }),
    );
  };
  expect(figureOf(2).caption).toContain("500 have a dot; the line passes through all of them.");
  expect(figureOf(3).caption).toContain("500 have a dot; the line passes through 2000 of them.");
});

/** Curves of two runs as long as 3,000 and 3,500 snapshots, the second one with other values. */
function twoLong(x: (i: number) => number = (i) => i): Figure {
  const paths = [3000, 3500].map((count, k) =>
    samplePath(
      `run ${k}`,
      Array.from({ length: count }, (_, i): [number, number] => [9 * (1 - i / count), 1]),
      valley,
      (i) => ({ step: i, epoch: x(i), iteration: i, logs: { loss: 1 + k + Math.sin((1.7 + k) * i) / 2 } }),
    ),
  );
  return sampleFigure(valley, { paths });
}

test("a read-out has every run's value, also where the thinned curves of two runs keep other snapshots", () => {
  const layout = layoutFigure(twoLong(), { isPage: true, width: 1000 });
  const placed = layout.panels.find(({ panel }) => panel.title === "Loss while training");
  const { rect } = placed as PlacedCurves;
  for (let share = 0.1; share < 0.8; share += 0.05) {
    const found = figureReadout(layout, { x: rect.x + share * rect.width, y: rect.y + 9 });
    const at = found?.moment ?? Number.NaN;
    const losses = [0, 1].map((k) => 1 + k + Math.sin((1.7 + k) * at) / 2);
    const rows = found?.readout.rows ?? [];
    expect(rows).toHaveLength(2);
    for (const [k, [, value]] of rows.entries())
      expect(Math.abs(Number(value) - (losses[k] as number))).toBeLessThan(0.001);
  }
});

test("a curve recorded densely, then rarely, leaves the dense part at its last value", () => {
  const figure = thinnedFigure(twoLong((i) => (i < 2990 ? i / 2990 : i - 2988)));
  const drawn = curvesNamed(figure, "Loss while training").series[0];
  const snapshots = drawn?.link?.snapshots ?? [];
  expect(snapshots).toContain(2989);
  expect(snapshots).toContain(2990);
});

test("which snapshots are drawn in 3-D, and how large, stays while a path grows", () => {
  const each = Int32Array.from({ length: 700 }, (_, i) => i);
  const figure = createEmbeddingFigure(
    sampleEmbedding({
      dimensions: 3,
      runs: [{ name: "SGD" }],
      run: new Int32Array(700),
      coordinates: Float64Array.from({ length: 2100 }, (_, i) => (i > 300 && i < 900 ? NaN : Math.sin(i))),
      step: each,
      epoch: each,
      iteration: each,
      loss: Float64Array.from(each, (i) => 1 / (1 + i)),
      stepSize: new Float64Array(700).fill(1),
    }),
  );
  const scene = pointSceneOf(figure.panels[0] as ScatterPanel);
  const colors = { bands: [], paths: [], rim: "#ffffff", stem: "#808080" };
  const dots = (until?: number): number[] => {
    const shown: number[] = [];
    const snapshot = (_: number, index: number) => {
      shown.push(index);
      return { fill: "#000000", rim: "#ffffff" };
    };
    sceneMeshes(pointsUntil(scene, figure, until), { ...colors, snapshot });
    return shown;
  };
  const whole = dots();
  expect(whole.at(-1)).toBe(699);
  for (const until of [50, 555]) expect(dots(until)).toEqual(whole.filter((i) => i <= until));
});

test("countUpTo counts what is not above a value", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -9, max: 9 })),
      fc.integer({ min: -10, max: 10 }),
      (all, value) => {
        const sorted = [...all].sort((a, b) => a - b);
        expect(countUpTo(sorted, value)).toBe(sorted.filter((one) => one <= value).length);
      },
    ),
  );
});
