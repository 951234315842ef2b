import { existsSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import type { BackendChoice } from "../../backend/backend-info.js";
import { createLinearAlgebra } from "../../backend/linear-algebra/create-linear-algebra.js";
import { createEngineEvaluator } from "../../engine/create-engine-evaluator.js";
import { RunStateError } from "../../errors.js";
import { type AnalysisTools, analyzeRuns, type RunsAnalysis } from "../../pipeline/analyze-runs.js";
import { type NamedFigure, writeReport } from "../../pipeline/write-report.js";
import type { TrajectoryFigure } from "../../report/figure.js";
import { openRun } from "../../store/open-run.js";
import { inspectDirectory } from "../../store/prepare-run.js";
import type { Run } from "../../store/run.js";
import { analysisProgress } from "../analysis-progress.js";
import { type Images, loadMnist } from "../demo/mnist.js";
import { type DemoTraining, trainDemo } from "../demo/train.js";
import type { Output } from "../output.js";
import { outputFolder } from "../output-folder.js";
import { startBackend } from "../start-backend.js";

/** Options of `demo`. */
export interface DemoCommandOptions {
  readonly out: string;
  readonly overwrite?: boolean;
  readonly epochs: number;
  readonly images: number;
  readonly points: readonly [number, number];
  readonly seed: number;
  readonly backend?: BackendChoice;
}

/** Training images on which every surface and loss of the demo is evaluated. */
const EVALUATION_IMAGES = 2000;

/** `demo`: LeNet on MNIST with SGD and with Adam, each on its own plane and both on their joint one. */
export async function demo(options: DemoCommandOptions, output: Output): Promise<void> {
  const started = Date.now();
  const out = outputFolder(options.out, ".");
  if (options.overwrite !== true) await checkUnused(out);
  await startBackend(options.backend, output);
  const images = await loadMnist("train", Math.max(options.images, EVALUATION_IMAGES));
  const { runs, model } = await trainBoth(out, images, options, output);
  const evaluation = takeFirst(images, EVALUATION_IMAGES);
  const evaluator = await createEngineEvaluator(model, evaluation, { layout: runs[0].layout });
  const tools = { evaluator, linearAlgebra: createLinearAlgebra() };
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
  const figures: NamedFigure<TrajectoryFigure>[] = [];
  for (const { name, title, runs: shown, directory } of planes) {
    const analysis = await analyzeOne(shown, tools, { directory, title, points: options.points }, output);
    figures.push({ name, figure: analysis.figure });
  }
  evaluator.dispose();
  const files = await writeReport(out, figures, { title: "LeNet on MNIST: where SGD and Adam went" });
  const seconds = (Date.now() - started) / 1000;
  output.result({ out, runs: runs.map((run) => run.directory), files, seconds });
  for (const { figure } of figures) output.print(`${figure.title}: ${figure.fidelity.join(" ")}`);
  output.print(`report: ${join(out, "report.html")} (${seconds.toFixed(0)} s)`);
}

/** Nothing of an earlier demo is replaced unasked; found out before the first training, not after it. */
async function checkUnused(out: string): Promise<void> {
  for (const name of ["sgd", "adam"]) {
    if ((await inspectDirectory(join(out, name))) === "run") throw inUse(join(out, name));
  }
  if (existsSync(join(out, "report.html"))) throw inUse(join(out, "report.html"));
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
  tools: AnalysisTools,
  options: { readonly directory: string; readonly title: string; readonly points: readonly [number, number] },
  output: Output,
): Promise<RunsAnalysis> {
  const { onProgress, stop } = analysisProgress(output, `${options.title}: `);
  const dataName = `the first ${EVALUATION_IMAGES.toLocaleString("en")} training images of MNIST`;
  const names = { dataName, lossName: "training loss" };
  const analysis = await analyzeRuns(runs, tools, { ...options, ...names, onProgress }).finally(stop);
  output.warn(analysis.warnings);
  return analysis;
}

function takeFirst({ xs, ys }: Images, count: number): Images {
  return { xs: xs.slice(0, count), ys: ys.slice(0, count) };
}
