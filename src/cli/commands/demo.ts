import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { type Command, Option } from "commander";
import { analyzePlane } from "../../analysis/analyze-plane.js";
import { type NamedFigure, writeReport } from "../../analysis/write-report.js";
import type { BackendChoice } from "../../backend/current-backend.js";
import { RunStateError } from "../../base/errors.js";
import { condenseWarnings } from "../../base/warning.js";
import type { Figure } from "../../figure/figure.js";
import { createLossEvaluator } from "../../loss/create-loss-evaluator.js";
import type { LossEvaluator } from "../../loss/loss-evaluator.js";
import { openRun } from "../../store/run/open-run.js";
import { inspectDirectory } from "../../store/run/prepare-run.js";
import type { Run } from "../../store/run/run.js";
import { backendOption, outputFolder, parseCount, parseSize, renamedOption } from "../command-options.js";
import { type DemoTraining, type Images, loadMnist, mnistModule, trainDemo } from "../demo/train.js";
import { startBackend } from "../open-evaluator.js";
import { analysisProgress, createOutput, type Output } from "../output.js";

/** Options of `demo`. */
export interface DemoCommandOptions {
  readonly out: string;
  readonly overwrite?: boolean;
  readonly epochs: number;
  readonly images: number;
  readonly size: readonly [number, number];
  readonly seed: number;
  readonly backend?: BackendChoice;
}

/** Training images on which every surface and loss of the demo is evaluated. */
const EVALUATION_IMAGES = 2000;

/** `demo`: LeNet on MNIST with SGD and with Adam, each on its own plane and both on their joint one. */
export async function demo(options: DemoCommandOptions, output: Output): Promise<void> {
  const started = Date.now();
  const out = outputFolder(options.out, ".");
  await checkUnused(out, options.overwrite === true);
  await startBackend(options.backend, output);
  const images = await loadMnist("train", Math.max(options.images, EVALUATION_IMAGES));
  const { runs, model } = await trainBoth(out, images, options, output);
  const evaluation = takeFirst(images, EVALUATION_IMAGES);
  const evaluator = await createLossEvaluator(model, evaluation, { layout: runs[0].layout });
  const planes = [
    {
      name: "sgd",
      title: "LeNet on MNIST, SGD with momentum",
      runs: [runs[0]],
      directory: runs[0].directory,
    },
    { name: "adam", title: "LeNet on MNIST, Adam", runs: [runs[1]], directory: runs[1].directory },
    {
      name: "joint",
      title: "LeNet on MNIST, SGD and Adam on one plane",
      runs,
      directory: join(out, "joint"),
    },
  ];
  const figures: NamedFigure[] = [];
  for (const { name, title, runs: shown, directory } of planes) {
    const settings = { directory, title, size: options.size };
    figures.push({ name, figure: await analyzeOne(shown, evaluator, settings, output) });
  }
  evaluator.dispose();
  const files = await writeReport(out, figures, { title: "LeNet on MNIST: where SGD and Adam went" });
  const seconds = (Date.now() - started) / 1000;
  output.result({ out, runs: runs.map((run) => run.directory), files, seconds });
  for (const { figure } of figures) output.print(`${figure.title}: ${figure.fidelity.join(" ")}`);
  const [sgd, adam] = runs.map((run) => relative("", run.directory));
  const module = relative("", mnistModule());
  output.print(
    `compare them with: tfjs-landscape compare ${sgd} ${adam} --data ${module} --out ${relative("", out)}`,
  );
  output.print(`report: ${join(out, "report.html")} (${seconds.toFixed(0)} s)`);
}

/** Nothing but an earlier demo is replaced, and only if asked; found out before the first training. */
async function checkUnused(out: string, overwrite: boolean): Promise<void> {
  for (const name of ["sgd", "adam"]) {
    const state = await inspectDirectory(join(out, name));
    if (state === "run" && !overwrite) throw inUse(join(out, name));
  }
  if (!overwrite && existsSync(join(out, "report.html"))) throw inUse(join(out, "report.html"));
}

function inUse(path: string): RunStateError {
  return new RunStateError(path, "nothing there yet", "the result of an earlier demo", {
    hint: "choose another folder with --out, or replace it with --overwrite",
  });
}

async function trainBoth(
  out: string,
  images: Images,
  { epochs, images: count, seed, overwrite = false }: DemoCommandOptions,
  output: Output,
): Promise<{ readonly runs: readonly [Run, Run]; readonly model: tf.LayersModel }> {
  const training = takeFirst(images, count);
  const shared = { epochs, seed, overwrite };
  const sgd: DemoTraining = {
    ...shared,
    name: "SGD",
    directory: join(out, "sgd"),
    optimizer: tf.train.momentum(0.02, 0.9),
  };
  const adam: DemoTraining = {
    ...shared,
    name: "Adam",
    directory: join(out, "adam"),
    optimizer: tf.train.adam(0.002),
  };
  const first = await trainDemo(sgd, training, output.progress("training with SGD, epochs"));
  first.dispose();
  const model = await trainDemo(adam, training, output.progress("training with Adam, epochs"));
  return { runs: [await openRun(sgd.directory), await openRun(adam.directory)], model };
}

async function analyzeOne(
  runs: readonly Run[],
  evaluator: LossEvaluator,
  options: { readonly directory: string; readonly title: string; readonly size: readonly [number, number] },
  output: Output,
): Promise<Figure> {
  const { directory, title, size } = options;
  const { onProgress, stop } = analysisProgress(output, `${title}: `);
  const data = `the first ${EVALUATION_IMAGES.toLocaleString("en")} training images of MNIST`;
  const { figure, warnings } = await analyzePlane(
    runs,
    { kind: "pca" },
    {
      sets: [{ name: "train", evaluator }],
      directory,
      size,
      onProgress,
      figure: { title, names: { data, loss: "training loss" } },
    },
  ).finally(stop);
  output.warn(condenseWarnings(warnings));
  return figure as Figure;
}

function takeFirst({ xs, ys }: Images, count: number): Images {
  return { xs: xs.slice(0, count), ys: ys.slice(0, count) };
}

/** Declares the arguments and options of `demo`. */
export function declareDemo(command: Command): void {
  const size = new Option("--size <n>", "grid points a side").argParser(parseSize);
  renamedOption(command, size.default([15, 15] as const), "points")
    .option("--out <dir>", "folder for the runs and the report", "landscape-demo")
    .option("--overwrite", "replace the runs and the report of an earlier demo in that folder")
    .option("--epochs <n>", "epochs of each training", parseCount("--epochs", 2), 12)
    .option("--images <n>", "training images", parseCount("--images"), 3000)
    .option("--seed <n>", "seed of weights and batches", parseCount("--seed", 0), 1)
    .addOption(backendOption())
    .action((options) => demo(options, createOutput(options)));
}
