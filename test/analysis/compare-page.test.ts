import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { compareRuns, type RunsComparison } from "../../src/analysis/compare/compare-runs.js";
import { layoutFigure } from "../../src/figure/draw/layout-figure.js";
import { dashesOf } from "../../src/figure/draw/legend.js";
import type { CurvesPanel, Figure } from "../../src/figure/figure.js";
import { renderHtml } from "../../src/figure/files/render-html.js";
import { openRun } from "../../src/store/run/open-run.js";
import type { Run } from "../../src/store/run/run.js";
import { needChromium, useChromium } from "../figure/chromium.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
const chromium = useChromium();

/** Twelve trainings of six epochs, named as a sweep over optimizers and rates names them. */
const OPTIMIZERS: readonly (readonly [string, (rate: number) => tf.Optimizer])[] = [
  ["SGD", (rate) => tf.train.sgd(rate)],
  ["momentum", (rate) => tf.train.momentum(rate, 0.9)],
  ["Adam", (rate) => tf.train.adam(rate)],
  ["RMSProp", (rate) => tf.train.rmsprop(rate)],
];
const RATES = [0.3, 0.03, 0.003];

async function trained(): Promise<Run[]> {
  const { xs, ys } = tinyData();
  const runs: Run[] = [];
  for (const [name, optimizer] of OPTIMIZERS) {
    for (const rate of RATES) {
      const directory = newFolder();
      await tinyModel(optimizer(rate)).fit(xs, ys, {
        epochs: 6,
        batchSize: 4,
        verbose: 0,
        validationData: [xs, ys],
        callbacks: [trajectoryCallback({ directory, name: `${name}, rate ${rate}` })],
      });
      runs.push(await openRun(directory));
    }
  }
  return runs;
}

describe("the page of a comparison of twelve runs", { timeout: 240_000 }, () => {
  let compared: RunsComparison;
  let html = "";

  beforeAll(async () => {
    await useTestBackend();
    const { xs, ys } = tinyData();
    compared = await compareRuns(await trained(), {
      data: { xs, ys },
      testData: { xs, ys },
      directory: newFolder(),
      size: 7,
      seeds: [0, 1],
      grid: "-1:1:9",
    });
    html = renderHtml({ title: "Twelve runs", figures: compared.figures.map(({ figure }) => figure) });
    if (process.env.KEEP_PAGE !== undefined) {
      mkdirSync(process.env.KEEP_PAGE, { recursive: true });
      writeFileSync(join(process.env.KEEP_PAGE, "compare12.html"), html);
    }
  }, 240_000);

  test("shows everything that there is, and titles that count the runs", () => {
    expect(compared.figures.map(({ name }) => name)).toEqual([
      "joint",
      "planes",
      "lines",
      "table",
      "training",
    ]);
    for (const { figure } of compared.figures) {
      expect(figure.title).toMatch(/^12 runs: /);
      expect(figure.title).not.toContain("rate");
    }
  });

  test("names each run once in a legend, and strokes no two runs alike", () => {
    const figureOf = (wanted: string) =>
      compared.figures.find(({ name }) => name === wanted)?.figure as Figure;
    for (const [name, dashed] of [
      ["lines", "test"],
      ["training", "validation"],
    ] as const) {
      const figure = figureOf(name);
      const texts = layoutFigure(figure).legend.map(({ text }) => text);
      expect(texts.length).toBe(13);
      expect(texts.indexOf(dashed)).toBe(12);
      const [loss] = figure.panels as readonly [CurvesPanel];
      const strokes = loss.series.map((series) => `${series.color % 7} ${dashesOf(series)}`);
      expect(new Set(strokes).size).toBe(24);
    }
  });

  test("is at most eight screens of 1280 × 800, and nothing is wider than a screen or a phone", async (context) => {
    needChromium(context);
    for (const width of [1280, 360]) {
      const { page, heard } = await chromium.open(html, { width });
      const [wide, high] = await page.evaluate<[number, number]>(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]",
      );
      expect(wide).toBeLessThanOrEqual(width);
      if (width === 1280) expect(high / 800).toBeLessThanOrEqual(8);
      expect(heard).toEqual([]);
      await page.context().close();
    }
  });
});
