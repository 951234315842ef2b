// Figures that the sweeps of this folder add to their page: planes and lines around each network, as Li et al. draw them,
// titled with the test error.
import type * as tf from "@tensorflow/tfjs";
import {
  analyzeLine,
  analyzePlane,
  createLossEvaluator,
  type EvaluationSet,
  type ModelPoint,
  type NamedFigure,
  openModelPoint,
} from "tfjs-landscape";
import { createComparedLinesFigure, createMapsFigure } from "tfjs-landscape/figures";
import type { SweepRun } from "tfjs-landscape/sweep";
import { loadImages, type StudyData } from "./study.js";

/** How a study makes its networks and names them. */
export interface StudyNetworks<Settings> {
  create(settings: Settings): tf.LayersModel;
  /** "SGD, batch 32". */
  nameOf(settings: Settings): string;
}

/** A trained network of a sweep and what evaluates it. */
export interface OpenedNetwork {
  /** "SGD, batch 32: 18.3 %", with the test error. */
  readonly name: string;
  readonly point: ModelPoint;
  readonly sets: readonly [EvaluationSet, ...EvaluationSet[]];
  dispose(): void;
}

/** Images that each point of a picture is evaluated on. */
const PICTURED = 256;

/** Opens a network of a sweep; the caller disposes it. */
export async function openNetwork<Settings extends StudyData>(
  run: SweepRun,
  { create, nameOf }: StudyNetworks<Settings>,
): Promise<OpenedNetwork> {
  const settings = run.settings as unknown as Settings;
  const model = create(settings);
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const point = await openModelPoint(run.directory);
  const train = loadImages(settings, "train", Math.min(PICTURED, settings.images));
  const test = loadImages(settings, "test", PICTURED);
  const { layout } = point.run;
  const onTrain = await createLossEvaluator(model, train, { layout, loss: "logits" });
  const onTest = await createLossEvaluator(model, test, { layout, loss: "logits" });
  const error = 100 * (1 - (run.figures.test_acc ?? Number.NaN));
  return {
    name: `${nameOf(settings)}: ${error.toFixed(1)} %`,
    point,
    sets: [
      { name: "train", evaluator: onTrain },
      { name: "test", evaluator: onTest },
    ],
    dispose() {
      onTrain.dispose();
      onTest.dispose();
      model.dispose();
      for (const { xs, ys } of [train, test]) {
        xs.dispose();
        ys.dispose();
      }
    },
  };
}

/** What is drawn around each network. */
export interface AroundOptions {
  /** Points a side of each plane. Default 15. */
  readonly size?: number;
  /** How far planes and lines reach, in filter-normalized units. Default 1. */
  readonly reach?: number;
  readonly signal: AbortSignal;
}

/**
 * Draws the training loss around each network on a plane of two filter-normalized random directions, with common levels,
 * and along three such directions, with that of the test images.
 */
export async function figuresAround<Settings extends StudyData>(
  runs: readonly SweepRun[],
  networks: StudyNetworks<Settings>,
  { size = 15, reach = 1, signal }: AroundOptions,
): Promise<readonly NamedFigure[]> {
  const surfaces = [];
  const lines = [];
  const side = `${-reach}:${reach}:${size}`;
  for (const run of runs) {
    const { name, point, sets, dispose } = await openNetwork(run, networks);
    const [train] = sets;
    const plane = { kind: "random", seed: 1 } as const;
    const analysis = await analyzePlane([point], plane, { sets: [train], grid: `${side},${side}`, signal });
    const [found] = analysis.surfaces;
    if (found !== undefined) surfaces.push({ set: name, surface: found.surface });
    const line = { kind: "random", seeds: [0, 1, 2] } as const;
    const { slice } = await analyzeLine([point], line, { sets, grid: `${-reach}:${reach}:21`, signal });
    lines.push({ name, slice });
    dispose();
  }
  const title = "Training loss around each network, with its test error";
  const labels = ["random direction 1", "random direction 2"];
  const common = { labels, difference: false, batchNorm: "keep" };
  return [
    { name: "random-planes", figure: createMapsFigure({ title, surfaces, ...common }) },
    { name: "random-lines", figure: createComparedLinesFigure(lines) },
  ];
}
