import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeNumber } from "../../src/base/json.js";
import type { PlacedCurves } from "../../src/figure/draw/curves-panel.js";
import { figureOption, figureReadout, layoutFigure } from "../../src/figure/draw/layout-figure.js";
import { canBeLogarithmic, withScale } from "../../src/figure/draw/scales.js";
import { snapshotAt, timeline } from "../../src/figure/draw/snapshots.js";
import type { Figure } from "../../src/figure/figure.js";
import { packNumbers, unpackNumbers } from "../../src/figure/files/page-data.js";
import { styleFigure } from "../../src/figure/files/picture-style.js";
import { createMapsFigure } from "../../src/figure/make/create-maps-figures.js";
import { runSettings } from "../../src/figure/make/run-data.js";
import type { Run } from "../../src/store/run/run.js";
import { curvesNamed, curvesOf, mapOf, runOf } from "./panels.js";
import {
  arc,
  bowl,
  sampleFigure,
  samplePath,
  sampleSurface,
  stepped,
  uniform,
  valley,
} from "./sample-figures.js";

describe("packing of numbers", () => {
  const pass = (value: unknown): unknown => JSON.parse(JSON.stringify(value, packNumbers), unpackNumbers);

  test("gives float32 back exactly, and what is not finite", () => {
    fc.assert(
      fc.property(fc.array(fc.float(), { minLength: 256, maxLength: 300 }), (values) => {
        const encoded = values.map(encodeNumber);
        const text = JSON.stringify({ loss: encoded }, packNumbers);
        expect(text).toContain("$float32");
        const { loss } = pass({ loss: encoded }) as { loss: unknown[] };
        expect(loss.map((v) => Number(v) + 0)).toEqual(encoded.map((v) => Number(v) + 0));
      }),
      { numRuns: 30 },
    );
  });

  test("never rounds a whole number: iterations are looked up by their value", () => {
    const iterations = Array.from({ length: 300 }, (_, k) => 16_777_217 + 2 * k);
    expect(pass(iterations)).toEqual(iterations);
    const small = iterations.map((_, k) => k);
    expect(JSON.stringify(small, packNumbers)).toContain("$float32");
    expect(pass(small)).toEqual(small);
  });

  test("keeps double precision to a millionth, and leaves what float32 would spoil", () => {
    const values = Array.from({ length: 400 }, (_, k) => Math.exp(k / 10 - 20));
    for (const [k, value] of (pass(values) as number[]).entries()) {
      expect(Math.abs(value / (values[k] as number) - 1)).toBeLessThan(1e-6);
    }
    for (const odd of [1e-60, 1e60]) expect(pass([...values, odd])).toEqual([...values, odd]);
  });

  test("leaves short arrays and other data as they are", () => {
    for (const value of [[1.1, 2.2], { $float32: 3 }, Array(400).fill("x"), null, "text"]) {
      expect(pass(value)).toEqual(value);
    }
  });
});

describe("levels of the other kind", () => {
  test("change scale and caption and nothing else", () => {
    const figure = sampleFigure(valley);
    const linear = withScale(figure, "linear");
    expect(mapOf(figure).scale?.kind).toBe("log");
    expect(mapOf(linear).scale?.kind).toBe("linear");
    expect(linear.caption).toBe(figure.caption.replace("logarithmic", "linear"));
    const without = (one: Figure) => ({
      ...one,
      caption: 0,
      panels: one.panels.map((panel) => ({ ...panel, scale: 0 })),
    });
    expect(without(linear)).toEqual(without(figure));
    expect(mapOf(withScale(linear, "log")).scale).toEqual(mapOf(figure).scale);
  });

  test("are no choice where they are logarithmic on both sides of zero, and captions follow such levels", () => {
    const figure = sampleFigure(valley);
    const symmetric = styleFigure(figure, { lossScale: "symlog" });
    expect(symmetric.caption).toContain(", symmetric logarithmic levels");
    expect(canBeLogarithmic(figure)).toBe(true);
    expect(canBeLogarithmic(symmetric)).toBe(false);
    expect(withScale(symmetric, "linear").caption).toBe(withScale(figure, "linear").caption);
    expect(styleFigure(symmetric, { lossScale: "log" }).caption).toBe(figure.caption);
  });

  test("cannot be logarithmic with a negative loss", () => {
    expect(canBeLogarithmic(sampleFigure(bowl))).toBe(true);
    expect(canBeLogarithmic(sampleFigure((a) => a))).toBe(false);
    expect(() =>
      withScale(
        sampleFigure((a) => a),
        "log",
      ),
    ).toThrow(/kind: expected values/);
  });
});

test("the time line has every epoch once, and each run stands at its last snapshot before it", () => {
  const slow = samplePath("slow", arc(4, [8, -4]), valley, (k) => ({ epoch: 3 * k }));
  const figure = sampleFigure(valley, { paths: [samplePath("SGD", arc(6, [9, 4]), valley), slow] });
  expect(timeline(figure)).toEqual([0, 1, 2, 3, 4, 5, 6, 9]);
  const second = runOf(figure, 1);
  expect([0, 2, 3, 8, 9].map((place) => snapshotAt(second, "epoch", place))).toEqual([0, 0, 1, 2, 3]);
  expect(snapshotAt(second, "epoch", -1)).toBe(-1);
});

/** The curves that only a page shows. */
const pagePanels = (figure: Figure) => curvesOf(figure).filter(({ only }) => only === "page");

describe("training curves beside a trajectory", () => {
  test("show what was logged and the learning rate, at the snapshots that know them", () => {
    const panels = pagePanels(
      sampleFigure(valley, {
        paths: [
          samplePath("SGD", arc(5, [9, 4]), valley, (k) => ({
            ...stepped(5)(k),
            logs: k === 0 ? {} : { loss: 2 - k / 4, val_loss: 2 },
          })),
        ],
      }),
    );
    expect(
      panels.map(({ title, series }) => [title, series.map((s) => [s.name, s.isDashed, s.x.length])]),
    ).toEqual([
      [
        "Loss while training",
        [
          ["training", false, 4],
          ["validation", true, 4],
        ],
      ],
      ["Learning rate", [["learning rate", false, 5]]],
    ]);
    expect(panels[1]?.left.scale).toBe("log");
    expect(panels[0]?.series[0]?.y[0]).toBe(1.75);
  });

  test("are none where nothing is known", () => {
    const path = samplePath("SGD", arc(5, [9, 4]), valley, () => ({ logs: {}, learningRate: Number.NaN }));
    expect(pagePanels(sampleFigure(valley, { paths: [path] }))).toEqual([]);
  });
});

describe("what is said of a place", () => {
  test("of a chart: every curve at the nearest position", () => {
    const layout = layoutFigure(sampleFigure(valley), { width: 900, parts: "chart", isPage: true });
    const { rect, x } = layout.panels.find(({ panel }) => panel.title === "Learning rate") as PlacedCurves;
    const at = rect.x + ((8.2 - x.min) / (x.max - x.min)) * rect.width;
    const said = figureReadout(layout, { x: at, y: rect.y + 5 });
    expect(said?.readout).toEqual({ heading: "epoch 8", rows: [["learning rate", "0.01"]] });
    expect(figureReadout(layout, { x: 1, y: 1 })).toBeNull();
  });

  test("of a map: the nearest grid point", () => {
    const surface = sampleSurface(uniform(-1, 1, 5), uniform(-2, 2, 5), (a, b) => a + 10 * b);
    const figure = createMapsFigure({
      title: "maps",
      surfaces: [{ set: "train", surface }],
      labels: ["right", "up"],
    });
    const layout = layoutFigure(figure, { width: 700, parts: "chart" });
    const rect = layout.panels[0]?.rect ?? { x: 0, y: 0, width: 0, height: 0 };
    const said = figureReadout(layout, {
      x: rect.x + rect.width * 0.74,
      y: rect.y + rect.height * 0.02,
    });
    expect(said?.readout.rows.map(([, value]) => value)).toEqual(["0.5", "2", "20.5"]);
    expect(said?.readout.rows.slice(0, 2).map(([name]) => name)).toEqual(["right", "up"]);
    expect(figureReadout(layout, { x: 0, y: 0 })).toBeNull();
  });
});

test("the gap is a band between the two losses, broken where one is not finite", () => {
  const path = samplePath("SGD", arc(6, [5, 3]), bowl);
  path.trajectory.trueLoss?.set([Number.NaN], 3);
  const figure = sampleFigure(bowl, { paths: [path] });
  const [own, plane] = curvesNamed(figure, "Loss along the path").series;
  expect([own?.band?.low, own?.band?.high]).toEqual([own?.y, plane?.y]);
  type Drawn = { name: string; renderItem?: () => { children: { shape: { points: number[][] } }[] } };
  const { series } = figureOption(figure) as { series: Drawn[] };
  const bands = series.flatMap(({ name, renderItem }) =>
    name === "bands" ? (renderItem?.().children ?? []) : [],
  );
  const placed = layoutFigure(figure).panels.find(({ panel }) => panel.title === "Loss along the path");
  const { rect, x } = placed as PlacedCurves;
  const at = (px: number) => Math.round(x.min + ((px - rect.x) / rect.width) * (x.max - x.min));
  // Along one curve and back along the other.
  expect(bands.map(({ shape }) => shape.points.map(([px = 0]) => at(px)))).toEqual([
    [0, 1, 2, 2, 1, 0],
    [4, 5, 5, 4],
  ]);
});

test("settings of a run are in words, and cleaned", () => {
  const run = {
    manifest: {
      optimizer: { className: "Momentum", config: { learningRate: 0.02, useNesterov: false, decay: null } },
      loss: "categoricalCrossentropy",
      metrics: ["accuracy", "custom"],
      fit: { epochs: 12, batchSize: 64, __proto__x: [1, { deep: true }] },
      layout: { parameterCount: 56_714, trainableCount: 56_700 },
      dtype: "float32",
      backend: { name: "native", package: "tfjs-node", reason: "" },
      seed: null,
      createdAt: "2026-01-02T03:04:05Z",
      packages: { node: "20" },
    },
    snapshots: Array(13),
  } as unknown as Run;
  const rows = Object.fromEntries(runSettings(run));
  expect(rows).toMatchObject({
    optimizer: "Momentum: learningRate 0.02, useNesterov no, decay none",
    loss: "categoricalCrossentropy",
    metrics: "accuracy, custom",
    "batch size": "64",
    __proto__x: "1, deep yes",
    parameters: "56,714, 14 of them not trained",
    snapshots: "13",
    seed: "not declared",
  });
  expect("continued" in rows).toBe(false);
  const settings = [["a\u0000b", "c\u202ed"]] as const;
  const figure = sampleFigure(bowl, { paths: [{ ...samplePath("x", arc(3, [5, 3]), bowl), settings }] });
  expect(figure.runs[0]?.settings).toEqual([["a b", "c d"]]);
});
