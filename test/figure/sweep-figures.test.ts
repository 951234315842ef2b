import { expect, test } from "vitest";
import { figureOption, figureSize } from "../../src/figure/draw/layout-figure.js";
import type { CurvesPanel, TablePanel } from "../../src/figure/figure.js";
import { renderSvg } from "../../src/figure/files/render-picture.js";
import {
  createSweepFigure,
  createSweepTable,
  sweepScore,
} from "../../src/figure/make/create-sweep-figures.js";
import type { SweepRun } from "../../src/training/run-sweep.js";
import type { SweepSettings } from "../../src/training/sweep-module.js";

function run(settings: SweepSettings, figures: SweepRun["figures"], parts: Partial<SweepRun> = {}): SweepRun {
  const name = Object.entries(settings)
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");
  return {
    ...{
      settings,
      name,
      figures,
      directory: "/nowhere",
      status: "made",
      snapshots: 3,
      epochs: 2,
      seconds: 1.5,
    },
    ...{ error: null, isOutdated: false },
    ...parts,
  };
}

const grid = [
  run({ optimizer: "adam", size: 128 }, { loss: 0.2, val_acc: 0.9 }),
  run({ optimizer: "adam", size: 32 }, { loss: 0.1, val_acc: 0.95 }),
  run({ optimizer: "sgd", size: 32 }, { loss: 0.3, val_acc: Number.NaN }),
  run({ optimizer: "sgd", size: 128 }, {}, { status: "failed", error: "out of memory", epochs: 0 }),
];
const texts = (panel: TablePanel): string[][][] =>
  panel.groups.map(({ rows }) => rows.map(({ name, cells }) => [name, ...cells.map(({ text }) => text)]));

test("the table of a sweep: a column for each setting, the least error first, NaN last, failed ones below", () => {
  const figure = createSweepTable(grid);
  const [table] = figure.panels as [TablePanel];
  expect(table.columns.map(({ title }) => title)).toEqual([
    ...["optimizer", "size", "validation error", "training loss", "last epoch", "seconds"],
  ]);
  expect(texts(table)).toEqual([
    [
      ["1", "adam", "32", "5 %", "0.1", "2", "1.5"],
      ["2", "adam", "128", "10 %", "0.2", "2", "1.5"],
      ["3", "sgd", "32", "NaN", "0.3", "2", "1.5"],
    ],
    [["–", "sgd", "128", "–", "–", "–", "1.5"]],
  ]);
  expect(figure.notes).toEqual(["optimizer=sgd, size=128 failed: out of memory"]);
  const kept = createSweepTable([...grid.slice(0, 1), { ...(grid[1] as SweepRun), isOutdated: true }]);
  expect(kept.notes).toEqual(["1 run made by another text of train() or on another backend, and kept"]);
});

test("a sweep is compared by test error where there is one, and by what is asked for", () => {
  const scored = (figures: Record<string, number>, by?: string) => sweepScore([run({ a: 1 }, figures)], by);
  expect(scored({ loss: 1, val_acc: 0.5, test_acc: 0.6 })).toEqual({
    ...{ figure: "test_acc", title: "test error", isShare: true },
  });
  expect(scored({ loss: 1, val_loss: 2 }).title).toBe("validation loss");
  expect(scored({ loss: 1 }).title).toBe("training loss");
  expect(scored({ loss: 1, sharpness: 2 }, "sharpness")).toEqual({
    ...{ figure: "sharpness", title: "sharpness", isShare: false },
  });
  expect(() => scored({ loss: 1 }, "acc")).toThrow('by: expected one of loss, got "acc"');
  expect(() => sweepScore([run({ a: 1 }, {})])).toThrow("expected figures");
  const failed = grid.filter(({ status }) => status === "failed");
  expect(() => createSweepTable(failed)).toThrow("expected at least one that did not fail, got 1 failed run");
});

test("small multiples: a panel for each setting that varies; lines join runs that differ in it alone", () => {
  const figure = createSweepFigure(
    grid.map((one) => ({ ...one, settings: { ...one.settings, fixed: true } })),
  );
  const panels = figure.panels as CurvesPanel[];
  expect(panels.map(({ x }) => [x.title, x.labels])).toEqual([
    ["optimizer", ["adam", "sgd"]],
    ["size", ["32", "128"]],
  ]);
  const [first, second] = panels as [CurvesPanel, CurvesPanel];
  expect(first.series.map(({ key, x, y }) => [key, x, y])).toEqual([
    ["size 128", [0], [1 - 0.9]],
    ["size 32", [0, 1], [1 - 0.95, "NaN"]],
  ]);
  expect(second.series.map(({ key, x }) => [key, x])).toEqual([
    ["optimizer adam", [0, 1]],
    ["optimizer sgd", [0]],
  ]);
  // No colour means two things.
  const colors = panels.map(({ series }) => series.map(({ color }) => color));
  expect(new Set(colors.flat()).size).toBe(4);
  const svg = renderSvg(figureOption(figure), figureSize(figure));
  for (const text of ["adam", "sgd", "32", "128", "validation error"]) expect(svg).toContain(`>${text}<`);
  expect(() => createSweepFigure(grid.slice(0, 1))).toThrow("expected settings that vary");
});

test("a setting of many numbers has an axis of its own, logarithmic where they span decades", () => {
  const many = Array.from({ length: 10 }, (_, i) => run({ rate: 10 ** -i }, { test_error: i / 10 }));
  const [panel] = createSweepFigure(many).panels as [CurvesPanel];
  expect([panel.x.scale, panel.x.labels, panel.series.length]).toEqual(["log", undefined, 1]);
  expect(panel.series[0]?.key).toBeNull();
  const seeds = Array.from({ length: 12 }, (_, i) => run({ seed: i }, { test_error: i / 10 }));
  expect((createSweepFigure(seeds).panels as CurvesPanel[])[0]?.x.scale).toBe("linear");
});
