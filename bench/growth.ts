import { writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { createLinearAlgebra } from "../src/backend/linear-algebra/create-linear-algebra.js";
import { selectBackend } from "../src/backend/select-backend.js";
import { parsePositive } from "../src/cli/command-options.js";
import { memoryRowSource } from "../src/directions/directions.js";
import { pcaDirections } from "../src/directions/pca.js";
import { phate } from "../src/embedding/phate/phate.js";
import { figureOption, figureSize } from "../src/figure/draw/layout-figure.js";
import type { Figure } from "../src/figure/figure.js";
import { renderHtml } from "../src/figure/files/render-html.js";
import { renderPng, renderSvg } from "../src/figure/files/render-picture.js";
import { chartOf, panelOf, seriesOf } from "../src/figure/make/chart-parts.js";
import { createLossEvaluator } from "../src/loss/create-loss-evaluator.js";
import { readWeights } from "../src/model/bound-weights.js";
import { layoutOfModel } from "../src/model/layout-of-model.js";
import { evaluateSurface } from "../src/surface/evaluate-surface.js";
import { createGrid } from "../src/surface/grid.js";
import { type BenchOptions, checkNames, checkPath } from "./bench-options.js";
import { trajectoryFigure } from "./page.js";
import { createPath } from "./pca-path.js";
import { branchingWalk } from "./phate-walk.js";

/** Cost against one size, everything else fixed. */
export interface GrowthCase {
  readonly case: string;
  /** What grows. */
  readonly of: string;
  readonly sizes: readonly number[];
  /** Least of the rounds. */
  readonly seconds: readonly number[];
  /** Least-squares slope of the logarithms: 1 is in proportion. */
  readonly slope: number;
}

/** The report of the bench. */
export interface GrowthReport {
  readonly bench: "growth";
  readonly cases: readonly GrowthCase[];
}

/** One thing that is measured at several sizes: it prepares a size, and returns what is timed. */
interface Growth {
  readonly case: string;
  readonly of: string;
  readonly sizes: readonly number[];
  /** Whether `--scale` leaves the sizes as they are: worker processes. */
  readonly fixed?: boolean;
  prepare(size: number): Promise<() => Promise<unknown>>;
}

const ROUNDS = 3;
/** Work that takes longer is done twice only. */
const LONG_SECONDS = 5;
/** The smallest size that is measured. */
const SMALLEST = 8;

/**
 * Measures how costs grow: with the number of snapshots, weights, grid points, samples and worker processes.
 *
 * Arguments: `--case pca-snapshots|pca-weights|phate|page|points|samples|workers` (default all), `--scale s` multiplies
 * every size but that of workers (default 1), `--picture FILE` draws the curves on logarithmic axes, as SVG or PNG.
 */
export async function runBench({ args, log }: BenchOptions): Promise<GrowthReport> {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--json"),
    options: {
      case: { type: "string", multiple: true, default: GROWTHS.map((growth) => growth.case) },
      scale: { type: "string", default: "1" },
      picture: { type: "string" },
    },
  });
  const scale = parsePositive("--scale")(values.scale);
  checkNames(
    "--case",
    values.case,
    GROWTHS.map((growth) => growth.case),
  );
  if (values.picture !== undefined) checkPath("--picture", dirname(resolve(values.picture)), "write");
  const backend = await selectBackend();
  log(`growth: ${backend.name}, ${backend.reason}`);
  const cases: GrowthCase[] = [];
  for (const growth of GROWTHS.filter((one) => values.case.includes(one.case))) {
    const sizes = growth.fixed ? growth.sizes : scaledSizes(growth.sizes, scale);
    const seconds: number[] = [];
    for (const size of sizes) {
      const work = await growth.prepare(size);
      seconds.push(await leastOf(work));
      log(`growth ${growth.case}: ${size} ${growth.of} in ${seconds.at(-1)?.toFixed(3)} s`);
    }
    cases.push({ case: growth.case, of: growth.of, sizes, seconds, slope: slopeOf(sizes, seconds) });
  }
  release();
  if (values.picture !== undefined) {
    const svg = growthSvg(cases, backend.name);
    writeFileSync(values.picture, values.picture.endsWith(".svg") ? svg : renderPng(svg));
  }
  return { bench: "growth", cases };
}

/** The sizes times `scale`, and never two that are equal: the slope is one over different sizes. */
export function scaledSizes(sizes: readonly number[], scale: number): number[] {
  return sizes.map((size, i) => Math.max(SMALLEST * 2 ** i, Math.round(size * scale)));
}

/** Least seconds of a few rounds, the first of which compiles; long ones are done twice. */
async function leastOf(work: () => Promise<unknown>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS && !(round > 1 && least > LONG_SECONDS); round++) {
    const begin = performance.now();
    await work();
    least = Math.min(least, (performance.now() - begin) / 1000);
  }
  return least;
}

/** Least-squares slope of log seconds over log sizes. */
export function slopeOf(sizes: readonly number[], seconds: readonly number[]): number {
  const [x, y] = [sizes.map(Math.log), seconds.map(Math.log)];
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const along = x.reduce((sum, value, i) => sum + (value - mx) * ((y[i] as number) - my), 0);
  return along / x.reduce((sum, value) => sum + (value - mx) ** 2, 0);
}

/** The curves of cases as an SVG picture with a title. */
export function growthSvg(cases: readonly GrowthCase[], backend: string): string {
  const figure = growthFigure(cases, backend);
  const size = figureSize(figure);
  return renderSvg(figureOption(figure, size), size).replace(
    /^<svg[^>]*>/,
    "$&<title>Seconds against snapshots, weights, points, samples and workers</title>",
  );
}

/** One curve for each thing that grows, its slope in the heading. */
export function growthFigure(cases: readonly GrowthCase[], backend: string): Figure {
  const panels = cases.map(({ case: name, of, sizes, seconds, slope }) =>
    panelOf(
      `${name}: slope ${slope.toFixed(2).replace("-", "−")}`,
      { title: of, scale: "log" },
      { title: "seconds", scale: "log" },
      [seriesOf(name, 0, sizes, seconds, { key: null })],
    ),
  );
  return chartOf("How cost grows", panels, {
    columns: 3,
    caption: [
      `Least seconds of up to ${ROUNDS} rounds, ${backend} backend, everything but one size fixed. A slope of 1 is in proportion, of −1 for worker processes.`,
    ],
  });
}

async function pcaOf(rows: number, columns: number): Promise<() => Promise<unknown>> {
  const next = createPath(rows, columns);
  const matrix = Array.from({ length: rows }, () => {
    const row = new Float32Array(columns);
    next(row);
    return row;
  });
  const source = memoryRowSource(matrix);
  return () => pcaDirections(source, { linearAlgebra: createLinearAlgebra() });
}

/** What the surfaces leave to be freed. */
const open: (() => void)[] = [];

function release(): void {
  for (const dispose of open.splice(0)) dispose();
}

/** A 784-128-64-10 network and random data. */
async function surfaceOf(side: number, samples: number, workers?: number): Promise<() => Promise<unknown>> {
  release();
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 128, activation: "relu", inputShape: [784] }),
      tf.layers.dense({ units: 64, activation: "relu" }),
      tf.layers.dense({ units: 10, activation: "softmax" }),
    ],
  });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  const layout = layoutOfModel(model);
  const center = await readWeights(model, layout);
  const vectors = [1, 2].map((k) => Float32Array.from(center, (_, i) => 0.02 * Math.sin(k * i + k)));
  const xs = tf.randomNormal([samples, 784], 0, 1, "float32", 7);
  const ys = tf
    .oneHot(
      tf.tensor1d(
        Int32Array.from({ length: samples }, (_, i) => (i * 7) % 10),
        "int32",
      ),
      10,
    )
    .toFloat();
  const evaluator = await createLossEvaluator(
    model,
    { xs, ys },
    { dataId: "growth", workers, batchSize: 256, threads: 1 },
  );
  open.push(() => {
    evaluator.dispose();
    tf.dispose([xs, ys]);
    model.dispose();
  });
  const gridOf = (size: number) => {
    const axis = { from: -0.5, to: 0.5, size };
    return createGrid({ grid: { alpha: axis, beta: axis } });
  };
  // Not part of what is timed: worker processes start, each loads its library and the data, engines compile.
  await evaluateSurface(evaluator, { center, vectors }, gridOf(WARM_SIDE));
  return () => evaluateSurface(evaluator, { center, vectors }, gridOf(side));
}

/** Points a side of what is evaluated before the clock starts: enough for each worker to get some. */
const WARM_SIDE = 5;

const GROWTHS: readonly Growth[] = [
  {
    case: "pca-snapshots",
    of: "snapshots",
    sizes: [250, 500, 1000, 2000, 4000],
    prepare: (rows) => pcaOf(rows, 2000),
  },
  {
    case: "pca-weights",
    of: "weights",
    sizes: [10_000, 30_000, 100_000, 300_000, 1_000_000],
    prepare: (columns) => pcaOf(100, columns),
  },
  {
    case: "phate",
    of: "snapshots",
    sizes: [125, 250, 500, 1000, 2000],
    async prepare(count) {
      const points = { rows: branchingWalk(count, 50), count, dimension: 50 };
      return () => phate(points, createLinearAlgebra(), { knnDist: "cosine" });
    },
  },
  {
    case: "page",
    of: "snapshots",
    sizes: [300, 1000, 3000, 10_000, 30_000],
    async prepare(snapshots) {
      const figure = trajectoryFigure(251, snapshots);
      return async () => renderHtml({ title: "large", figures: [figure] });
    },
  },
  {
    case: "points",
    of: "grid points",
    sizes: [8, 16, 32, 64].map((side) => side ** 2),
    prepare: (points) => surfaceOf(Math.round(Math.sqrt(points)), 2000),
  },
  {
    case: "samples",
    of: "samples",
    sizes: [1000, 2000, 4000, 8000],
    prepare: (samples) => surfaceOf(12, samples),
  },
  {
    case: "workers",
    of: "worker processes",
    sizes: [1, 2],
    fixed: true,
    prepare: (workers) => surfaceOf(41, 10_000, workers),
  },
];
