import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { figureOption, figureSize } from "../src/figure/draw/layout-figure.js";
import type { Figure } from "../src/figure/figure.js";
import { renderHtml } from "../src/figure/files/render-html.js";
import { renderMp4 } from "../src/figure/files/render-movie.js";
import { renderPng, renderSvg } from "../src/figure/files/render-picture.js";
import { createTrainingFigure } from "../src/figure/make/create-training-figure.js";
import { createTrajectoryFigure } from "../src/figure/make/create-trajectory-figure.js";
import { inSpace } from "../src/figure/space/surface-panel.js";
import type { BenchOptions } from "./bench-options.js";

/** A surface as large as a report is made for, and a long path on it. */
const POINTS = 251;
const SNAPSHOTS = 300;
/** As many as a training that is recorded by batch makes. */
const MANY_SNAPSHOTS = 10_000;
const ROUNDS = 5;

/** One measured thing: seconds, the median of a few rounds, or bytes. */
interface BenchCase {
  readonly case: string;
  readonly seconds?: number;
  readonly bytes?: number;
  readonly framesPerSecond?: number;
}

/**
 * Measures the page and the pictures of a 251 × 251 surface with 300 snapshots: size with and without 3-D, time to
 * write, a PNG of 3840 × 2160 and a movie of 5 s in 3-D, and in Chromium (CHROMIUM_PATH, or /usr/bin/chromium) the time
 * from opening to the first drawn map, frames per second while the pointer moves and while the surface is turned
 * (without a graphics card), and the time from the press of the button to the drawn surface.
 */
export async function runBench({ args, log }: BenchOptions): Promise<{ bench: string; cases: BenchCase[] }> {
  // Nothing can be chosen.
  parseArgs({ args: [...args], options: { json: { type: "boolean" } } });
  const figure = trajectoryFigure(POINTS);
  const small = trajectoryFigure(21);
  const long = trajectoryFigure(POINTS, MANY_SNAPSHOTS);
  const curves = createTrainingFigure([pathOf()]);
  const html = renderHtml({ title: "large", figures: [figure] });
  const svg = renderSvg(figureOption(figure), figureSize(figure));
  const surface = inSpace(figure) as Figure;
  const space = renderSvg(figureOption(surface), figureSize(surface));
  const cases: BenchCase[] = [
    { case: "page", bytes: html.length },
    { case: "page, gzip", bytes: gzipSync(html).length },
    { case: "page of curves, without 3-D", bytes: renderHtml({ title: "curves", figures: [curves] }).length },
    {
      case: "page of a small surface, with 3-D",
      bytes: renderHtml({ title: "small", figures: [small] }).length,
    },
    {
      case: "svg of the map",
      bytes: svg.length,
      seconds: timeOf(() => renderSvg(figureOption(figure), figureSize(figure))),
    },
    {
      case: "svg of the surface in space",
      bytes: space.length,
      seconds: timeOf(() => renderSvg(figureOption(surface), figureSize(surface))),
    },
    { case: "png of the map", seconds: timeOf(() => renderPng(svg)) },
    { case: "page of 10,000 snapshots", bytes: renderHtml({ title: "large", figures: [long] }).length },
    {
      case: "page of 10,000 snapshots written",
      seconds: timeOf(() => renderHtml({ title: "large", figures: [long] })),
    },
    { case: "page written", seconds: timeOf(() => renderHtml({ title: "large", figures: [figure] })) },
  ];
  return {
    bench: "page",
    cases: [...cases, ...(await largePictures(surface)), ...(await inChromium(html, log))],
  };
}

/** A picture for a large screen, and a movie of 5 s: 3.5 s in which the surface turns, and the still end. */
async function largePictures(surface: Figure): Promise<BenchCase[]> {
  const look = { width: 1920, height: 1080 };
  const start = performance.now();
  const large = { ...surface, fidelity: [], caption: "", provenance: "" };
  const png = renderPng(renderSvg(figureOption(large, { ...look, pixelRatio: 2 }), look), { scale: 2 });
  const drawn = performance.now();
  const movie = await renderMp4(surface, { duration: 3500 });
  return [
    { case: "png of 3840 × 2160 in 3-D", seconds: (drawn - start) / 1000, bytes: png.length },
    {
      case: "movie of 5 s in 3-D, 1280 × 720",
      seconds: (performance.now() - drawn) / 1000,
      bytes: movie.length,
    },
  ];
}

const valley = (a: number, b: number): number =>
  0.02 + 0.15 * (b - 0.045 * (a - 1) ** 2) ** 2 + 0.006 * a * a;

/** A path of 300 snapshots down the valley. */
function pathOf(snapshots = SNAPSHOTS) {
  const places = Array.from({ length: snapshots }, (_, k) => {
    const t = 1 - k / (snapshots - 1);
    return [9 * t ** 1.4, 4 * t ** 2.6 + 0.1 * Math.sin(40 * t) * t] as const;
  });
  const plane = Float64Array.from(places, ([a, b]) => valley(a, b));
  return {
    name: "SGD",
    snapshots: places.map((_, k) => ({
      step: k,
      epoch: k,
      iteration: k * 469,
      time: 0,
      learningRate: k < snapshots / 2 ? 0.1 : 0.01,
      logs: {
        loss: 2.3 * 0.98 ** k,
        acc: 1 - 0.9 * 0.98 ** k,
        val_loss: 2.4 * 0.982 ** k,
        val_acc: 1 - 0.9 * 0.982 ** k,
      },
    })),
    trajectory: {
      coordinates: Float64Array.from(places.flat()),
      dimensions: 2,
      inPlaneShare: Float64Array.from(places, (_, k) => 0.6 + (0.4 * k) / snapshots),
      distance: Float64Array.from(places, (_, k) => 1 - k / snapshots),
      trueLoss: plane.map((value) => value * 0.9),
      planeLoss: plane,
      warnings: [],
    },
  };
}

/** The valley at so many points a side, with the path. */
/** A figure of a surface with so many points a side, and a path of so many snapshots. */
export function trajectoryFigure(points: number, snapshots = SNAPSHOTS): Figure {
  const axis = (min: number, max: number): Float64Array =>
    Float64Array.from({ length: points }, (_, i) => min + ((max - min) * i) / (points - 1));
  const [alpha, beta] = [axis(-4, 12), axis(-5, 6)];
  const loss = Float64Array.from({ length: points * points }, (_, k) =>
    valley(alpha[k % points] as number, beta[Math.floor(k / points)] as number),
  );
  return createTrajectoryFigure({
    title: `${points} points`,
    surface: {
      alpha,
      beta,
      loss,
      metrics: {},
      center: { loss: valley(0, 0), metrics: {}, clippedShare: 0 },
      nonFinite: 0,
      clippedShare: 0,
      lossMode: "model",
      samples: 60_000,
      engine: { name: "tfjs", backend: "native", batchSize: 1000, threads: 2 },
      warnings: [],
    },
    axes: { labels: ["PC 1", "PC 2"], explainedVarianceRatio: [0.83, 0.12], randomWalkBaseline: [0.6, 0.15] },
    paths: [pathOf(snapshots)],
  });
}

/** Median seconds of a few rounds after one that is not counted. */
function timeOf(work: () => unknown): number {
  work();
  const seconds = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    work();
    return (performance.now() - start) / 1000;
  });
  return seconds.sort((a, b) => a - b)[ROUNDS >> 1] as number;
}

/** Moves the pointer over the map and the curves, once a frame, and returns the frames per second: at most 60. */
const HOVER = `new Promise((done) => {
  const chart = document.querySelector(".chart");
  const { left, top, width } = chart.getBoundingClientRect();
  const start = performance.now();
  let frame = 0;
  const step = () => {
    const clientX = left + (0.1 + 0.85 * (frame % 60) / 60) * width;
    chart.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY: top + 60 + 3 * frame, pointerType: "mouse" }));
    if (++frame < 120) requestAnimationFrame(step);
    else done((1000 * frame) / (performance.now() - start));
  };
  requestAnimationFrame(step);
})`;

/** Turns the surface by a drag, once a frame, and returns the frames per second: at most 60. */
const TURN = `new Promise((done) => {
  const space = document.querySelector(".space");
  const { left, top } = space.getBoundingClientRect();
  const tell = (name, x) => space.dispatchEvent(new PointerEvent(name, { clientX: left + 200 + x, clientY: top + 200, pointerType: "touch", pointerId: 7, bubbles: true }));
  tell("pointerdown", 0);
  const start = performance.now();
  let frame = 0;
  const step = () => {
    tell("pointermove", 4 * frame);
    if (++frame < 30) requestAnimationFrame(step);
    else done((1000 * frame) / (performance.now() - start));
  };
  requestAnimationFrame(step);
})`;

async function inChromium(html: string, log: (line: string) => void): Promise<BenchCase[]> {
  const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
  const folder = mkdtempSync(join(tmpdir(), "landscape-bench-"));
  try {
    const { chromium } = createRequire(import.meta.url)(
      "playwright-core",
    ) as typeof import("playwright-core");
    // As on a machine without a graphics card: WebGL in software, and the page drawn by the processor.
    const browser = await chromium.launch({
      executablePath,
      args: ["--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"],
    });
    const file = join(folder, "report.html");
    writeFileSync(file, html);
    const rounds: (readonly [number, number, number, number])[] = [];
    for (let k = 0; k < ROUNDS; k++) {
      const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
      const start = performance.now();
      await page.goto(pathToFileURL(file).href, { waitUntil: "commit" });
      await page.waitForSelector(".canvas svg path", { state: "attached" });
      const first = performance.now();
      const frames = await page.evaluate<number>(HOVER);
      const pressed = performance.now();
      await page.getByRole("button", { name: "Surface in 3-D" }).click();
      await page.waitForSelector(".gl canvas", { state: "attached" });
      await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
      const opened = performance.now();
      const turned = await page.evaluate<number>(TURN);
      rounds.push([(first - start) / 1000, (opened - pressed) / 1000, frames, turned]);
      await page.close();
    }
    await browser.close();
    const median = (index: 0 | 1 | 2 | 3): number =>
      rounds.map((r) => r[index]).sort((a, b) => a - b)[ROUNDS >> 1] as number;
    return [
      { case: "first picture in Chromium", seconds: median(0) },
      { case: "pointing at the map, 1280 × 800", framesPerSecond: median(2) },
      { case: "surface in Chromium, without a graphics card", seconds: median(1) },
      {
        case: "turning the surface, 1280 × 800, without a graphics card",
        framesPerSecond: median(3),
      },
    ];
  } catch (error) {
    log(
      `page: left out what needs Chromium: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`,
    );
    return [];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
