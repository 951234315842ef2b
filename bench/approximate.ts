import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { trajectoryCallback } from "../callbacks/trajectory-callback.js";
import { analyzePlane } from "../src/analysis/analyze-plane.js";
import { BACKEND_CHOICES, type BackendChoice } from "../src/backend/current-backend.js";
import { selectBackend } from "../src/backend/select-backend.js";
import { parseCount, parsePositive, parseShare } from "../src/cli/command-options.js";
import { createLeNet, loadMnist, seededBatches } from "../src/cli/demo/train.js";
import type { Directions } from "../src/directions/directions.js";
import { randomDirections } from "../src/directions/random.js";
import { createLossEvaluator } from "../src/loss/create-loss-evaluator.js";
import type { LossEvaluator } from "../src/loss/loss-evaluator.js";
import { openRun } from "../src/store/run/open-run.js";
import { approximateSurface } from "../src/surface/approximate/approximate-surface.js";
import { evaluateSurface } from "../src/surface/evaluate-surface.js";
import { createGrid } from "../src/surface/grid.js";
import type { Grid, Surface } from "../src/surface/surface.js";
import { type BenchOptions, checkNames } from "./bench-options.js";

/** An approximate surface (ours) beside the exact one (peer) on the same grid. */
export interface ApproximateCase {
  readonly case: string;
  readonly backend: string;
  readonly engine: string;
  /** Seconds of the whole surface. */
  readonly ours: number;
  readonly peer: number;
  readonly ratio: number;
  /** Sample evaluations as a share of the exact surface's. */
  readonly evaluations: number;
  readonly points: number;
  readonly samples: number;
  readonly subsample: number;
  readonly seed: number;
  /** Points interpolated, from the subsample, and exact. */
  readonly methods: readonly [number, number, number];
  /** Error below which 95 % of the points are, the largest one, and the one stated: shares of the loss range. */
  readonly error95: number;
  readonly errorMax: number;
  readonly stated: number;
  /** Share of the points whose error is within its own bound. */
  readonly coverage: number;
}

/** The report of the bench. */
export interface ApproximateReport {
  readonly bench: "approximate";
  readonly cases: readonly ApproximateCase[];
}

export interface Plane {
  readonly name: string;
  readonly directions: Directions;
  readonly grid: Grid;
}

const PLANES = ["pca", "random"];

/**
 * Measures approximate against exact surfaces of a LeNet trained on MNIST: on the plane of its path's principal
 * components, and on one of two filter-normalized random directions.
 *
 * Arguments: `--samples n` (default 10,000 training images), `--points n` a side (default 25), `--seeds n`
 * subsamples (default 3), `--tolerance` and `--budget` (defaults 0.01, 0.1), `--backend` (default auto),
 * `--plane pca|random` (default both), `--loss model|logits` (default model).
 */
export async function runBench({ args, log }: BenchOptions): Promise<ApproximateReport> {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--json"),
    options: {
      samples: { type: "string", default: "10000" },
      points: { type: "string", default: "25" },
      seeds: { type: "string", default: "3" },
      tolerance: { type: "string", default: "0.01" },
      budget: { type: "string", default: "0.1" },
      backend: { type: "string", default: "auto" },
      plane: { type: "string", multiple: true, default: PLANES },
      loss: { type: "string", default: "model" },
    },
  });
  const [samples, seeds] = [parseCount("--samples")(values.samples), parseCount("--seeds")(values.seeds)];
  const points = parseCount("--points", 3)(values.points);
  const [tolerance, share] = [
    parsePositive("--tolerance")(values.tolerance),
    parseShare("--budget")(values.budget),
  ];
  checkNames("--backend", [values.backend], BACKEND_CHOICES);
  checkNames("--plane", values.plane, PLANES);
  checkNames("--loss", [values.loss], ["model", "logits"]);
  const { name: backend } = await selectBackend({ backend: values.backend as BackendChoice });
  const images = await loadMnist("train", samples);
  const model = createLeNet(1);
  const planes = await trainedPlanes(model, points, log);
  const loss = values.loss === "logits" ? "logits" : "model";
  const evaluator = await createLossEvaluator(model, images, { loss, dataId: "mnist" });
  log(`approximate: ${JSON.stringify(evaluator.facts.engine)}`);
  const cases: ApproximateCase[] = [];
  try {
    for (const plane of planes.filter(({ name }) => values.plane.includes(name))) {
      const [exact, peer] = await timed(() => evaluateSurface(evaluator, plane.directions, plane.grid));
      log(`approximate ${plane.name}: exact in ${peer.toFixed(1)} s`);
      for (let seed = 0; seed < seeds; seed++) {
        const options = { seed, tolerance, share };
        const [surface, ours] = await timed(() =>
          approximateSurface(evaluator, plane.directions, plane.grid, options),
        );
        cases.push(caseOf(`lenet-${plane.name}`, backend, evaluator, surface, exact, ours, peer));
        log(`approximate ${plane.name}: ${JSON.stringify(cases.at(-1))}`);
      }
    }
  } finally {
    evaluator.dispose();
    tf.dispose([images.xs, images.ys]);
  }
  return { bench: "approximate", cases };
}

export async function timed<T>(task: () => Promise<T>): Promise<readonly [T, number]> {
  const begin = performance.now();
  const result = await task();
  return [result, (performance.now() - begin) / 1000];
}

/** Trains on 3,000 images for 6 epochs, and takes the planes through the end of training. */
export async function trainedPlanes(
  model: tf.LayersModel,
  points: number,
  log: (line: string) => void,
): Promise<Plane[]> {
  const directory = await mkdtemp(join(tmpdir(), "tfjs-landscape-bench-"));
  const images = await loadMnist("train", 3000);
  try {
    model.compile({
      optimizer: tf.train.momentum(0.02, 0.9),
      loss: "categoricalCrossentropy",
      metrics: ["accuracy"],
    });
    const callbacks = [trajectoryCallback({ directory, overwrite: true })];
    await model.fitDataset(seededBatches(images, 64, 1), { epochs: 6, verbose: 0, callbacks });
    log("approximate: trained");
    const run = await openRun(directory);
    const { directions, trajectories } = await analyzePlane([run], { kind: "pca" });
    const center = await run.readTheta(run.snapshots.length - 1);
    const axis = { from: -1, to: 1, size: points };
    return [
      {
        name: "pca",
        directions: directions as Directions,
        grid: createGrid({ coordinates: trajectories[0].coordinates, size: points }),
      },
      {
        name: "random",
        directions: await randomDirections(run.layout, center, { seed: 0 }),
        grid: createGrid({ grid: { alpha: axis, beta: axis } }),
      },
    ];
  } finally {
    tf.dispose([images.xs, images.ys]);
    await rm(directory, { recursive: true, force: true });
  }
}

function caseOf(
  name: string,
  backend: string,
  { facts: { engine } }: LossEvaluator,
  { loss, samples, approximation }: Surface,
  exact: Surface,
  ours: number,
  peer: number,
): ApproximateCase {
  if (approximation === undefined)
    throw new Error("approximate: expected an approximate surface, got an exact one");
  const { error, errorOn95, range, method } = approximation;
  const errors = loss.map((value, i) => Math.abs(value - exact.loss[i]));
  const sorted = errors.slice().sort();
  const count = (wanted: number) => method.filter((value) => value === wanted).length;
  return {
    case: name,
    backend,
    engine: engine.name,
    ours,
    peer,
    ratio: ours / peer,
    evaluations: approximation.sampleEvaluations / approximation.exactSampleEvaluations,
    points: loss.length,
    samples,
    subsample: approximation.subsample,
    seed: approximation.seed,
    methods: [count(0), count(1), count(2)],
    error95: sorted[Math.ceil(0.95 * sorted.length) - 1] / range,
    errorMax: sorted[sorted.length - 1] / range,
    stated: errorOn95 / range,
    coverage: errors.filter((value, i) => value <= error[i]).length / errors.length,
  };
}
