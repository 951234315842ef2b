// Figures that the sweeps of this folder add to their page: planes and lines around each network, as Li et al. draw them,
// titled with the test error.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import {
  analyzeLine,
  analyzePlane,
  createLossEvaluator,
  type EvaluationSet,
  type LandscapeWarning,
  type ModelPoint,
  openModelPoint,
} from "tfjs-landscape";
import { createComparedLinesFigure, createMapsFigure } from "tfjs-landscape/figures";
import { type LineSlice, levelSetWidth, meanLossRise } from "tfjs-landscape/surface";
import type { OwnFigures, SweepFiguresTask, SweepRun } from "tfjs-landscape/sweep";
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
  const point = { ...(await openModelPoint(run.directory)), name: nameOf(settings) };
  const count = Math.min(PICTURED, settings.images);
  const [train, test] = [loadImages(settings, "train", count), loadImages(settings, "test", count)];
  // The size of batches is fixed, since a plane that was interrupted goes on with the same batches only.
  const options = { layout: point.run.layout, loss: "logits", batchSize: PICTURED } as const;
  const onTrain = await createLossEvaluator(model, train, options);
  const onTest = await createLossEvaluator(model, test, options);
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

/** What is drawn around each network, and where. */
export interface AroundOptions extends SweepFiguresTask {
  /** Put before the names of figures and of the table. Default "". */
  readonly prefix?: string;
  /** Points a side of each plane. Default 15. */
  readonly size?: number;
  /** Planes in a row. Default two or three. */
  readonly columns?: number;
}

/**
 * Draws the training loss around each network on a plane of two filter-normalized random directions, with common levels,
 * and along three such directions, with that of the test images. How sharp the lines are stands in `sharpness.csv`.
 * Warnings name the network.
 */
export async function figuresAround<Settings extends StudyData>(
  runs: readonly SweepRun[],
  networks: StudyNetworks<Settings>,
  { directory, signal, prefix = "", size = 15, columns }: AroundOptions,
): Promise<OwnFigures> {
  const surfaces = [];
  const lines = [];
  const warnings: LandscapeWarning[] = [];
  const table = [
    "network,training loss,mean rise at 0.5,lower quartile,upper quartile,width at a rise of 1,lines that rise less",
  ];
  for (const run of runs) {
    const { name, point, sets, dispose } = await openNetwork(run, networks);
    const [train] = sets;
    const [side, reach] = [`-1:1:${size}`, "-1:1:21"];
    const plane = { kind: "random", seed: 1 } as const;
    const analysis = await analyzePlane([point], plane, { sets: [train], grid: `${side},${side}`, signal });
    const [found] = analysis.surfaces;
    if (found !== undefined) surfaces.push({ set: name, surface: found.surface });
    const random = { kind: "random", seeds: [0, 1, 2] } as const;
    const along = await analyzeLine([point], random, { sets, grid: reach, signal });
    const { slice } = along;
    lines.push({ name, slice });
    warnings.push(...warningsOf(name, [...analysis.warnings, ...along.warnings]));
    table.push([`"${name}"`, ...sharpness(slice)].join(","));
    dispose();
  }
  writeFileSync(join(directory, `${prefix}sharpness.csv`), `${table.join("\n")}\n`);
  const title = "Training loss around each network, with its test error";
  const labels = ["random direction 1", "random direction 2"];
  const maps = createMapsFigure({ title, surfaces, labels, difference: false, batchNorm: "keep" });
  const planes = columns === undefined ? maps : { ...maps, layout: { columns } };
  const figures = [
    { name: `${prefix}random-planes`, figure: planes },
    { name: `${prefix}random-lines`, figure: createComparedLinesFigure(lines) },
  ];
  return { figures, warnings };
}

/** Warnings that say which network they are about. */
export function warningsOf(name: string, warnings: readonly LandscapeWarning[]): LandscapeWarning[] {
  return warnings.map(({ code, message }) => ({ code, message: `${name}: ${message}` }));
}

/**
 * Training loss in the middle, its mean rise at ±0.5 with quartiles, the mean width at a rise of 1, and how many lines do not
 * rise so far on both sides: their width is at least what was counted.
 */
function sharpness(slice: LineSlice): readonly string[] {
  const curves = slice.curves.filter(({ set }) => set === "train").map(({ surface }) => surface);
  const { mean, low, high } = meanLossRise(slice, "train", 0.5);
  const widths = curves.map(({ alpha, loss }) => levelSetWidth(alpha, loss, 1));
  const width = widths.reduce((sum, one) => sum + one.width, 0) / widths.length;
  const open = widths.filter(({ isOpen }) => isOpen).length;
  const loss = curves[0]?.loss[slice.alpha.length >> 1] ?? Number.NaN;
  return [...[loss, mean, low, high, width].map((value) => value.toPrecision(3)), String(open)];
}
