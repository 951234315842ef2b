import { type Command, Option } from "commander";
import { resolveAnalyzeOptions } from "../../analysis/analyze-options.js";
import { analyzeRuns } from "../../analysis/analyze-runs.js";
import { SLICE_PLANES, type SlicePlane } from "../../analysis/plane-points.js";
import { resultFiles } from "../../analysis/slice-options.js";
import { createLinearAlgebra } from "../../backend/linear-algebra/create-linear-algebra.js";
import { InvalidOptionError } from "../../base/errors.js";
import { toRows } from "../../base/json.js";
import { modelFromManifest } from "../../model/model-from-manifest.js";
import { approximateFile } from "../../store/kinds/surface-file.js";
import { openRun } from "../../store/run/open-run.js";
import type { Surface } from "../../surface/surface.js";
import {
  type ApproximateCommandOptions,
  approximateOf,
  approximateOptions,
  defined,
  interruptionOptions,
  normalizationOptions,
  parseCount,
  parseMargin,
  parsePoints,
  pictureOptions,
  planeOptions,
  refuseStray,
  sliceOptions,
} from "../command-options.js";
import { loadDataModule, loadEvaluationData, loadUserModel } from "../load-module.js";
import {
  budgetOf,
  type EvaluationCommandOptions,
  type InterruptionCommandOptions,
  interruptible,
  openEvaluator,
  prepareEvaluation,
  startBackend,
} from "../open-evaluator.js";
import type { Output } from "../output.js";
import {
  analysisProgress,
  approximationFacts,
  approximationLines,
  createOutput,
  partialFacts,
  surfaceSummary,
} from "../output.js";
import type { PlaneCommandOptions } from "./pca.js";
import { type SurfacePlaneOptions, surfacePlane } from "./surface-plane.js";

/** Options of `surface`. */
export interface SurfaceCommandOptions
  extends PlaneCommandOptions,
    EvaluationCommandOptions,
    InterruptionCommandOptions,
    ApproximateCommandOptions {
  readonly points?: readonly [number, number];
  readonly margin?: number;
  readonly range?: string;
}

/** `surface RUN… --data MODULE`: a loss surface, by default around a run's trajectory on its PCA plane. */
export async function surface(
  references: readonly string[],
  {
    plane = "pca",
    ...options
  }: SurfaceCommandOptions & Omit<SurfacePlaneOptions, "plane"> & { readonly plane?: SlicePlane },
  output: Output,
): Promise<void> {
  const isMap = options.test === true || options.metric !== undefined || options.error === true;
  if (plane !== "pca" || isMap || options.batchNorm !== undefined) {
    return interruptible(output, (signal) => surfacePlane(references, { ...options, plane }, output, signal));
  }
  const [directory, ...others] = references;
  if (directory === undefined || others.length > 0) {
    throw new InvalidOptionError("runs", "one run for --plane pca", String(references.length));
  }
  const has = "--plane pca";
  const hint = `draw the surface with: tfjs-landscape plot ${directory}`;
  refuseStray(options, ["directions"], "--plane custom", has);
  refuseStray(options, ["seed", "normalize", "ignore", "oneDimensional"], "--plane random or another", has);
  refuseStray(options, ["out", "format", "title", "width", "height"], "--plane random or another", has, hint);
  return interruptible(output, (signal) => surfaceOnPca(directory, options, output, signal));
}

/** The loss surface around the trajectory, stored in the run directory. */
async function surfaceOnPca(
  directory: string,
  options: SurfaceCommandOptions,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const { center, components, weights, force, points, margin, range, resume } = options;
  const approximate = approximateOf(options);
  const asked = defined({ center, components, weights, force, points, margin, range, approximate });
  resolveAnalyzeOptions(asked);
  const run = await openRun(directory);
  const { surface: exact, fidelity } = resultFiles([run]);
  const own = approximate === undefined ? exact : approximateFile(exact);
  const earlier = await prepareEvaluation(options, { files: [own, ...fidelity] });
  await startBackend(options.backend, output);
  const module = await loadDataModule(options.data);
  const model = (await loadUserModel(module, options.data)) ?? (await modelFromManifest(run.manifest));
  const data = await loadEvaluationData(module, options.data);
  const isResumed = resume === true;
  const given = { ...options, signal };
  const evaluator = await openEvaluator(model, data, module, run.layout, given, earlier, isResumed);
  const { onProgress, stop } = analysisProgress(output);
  try {
    const analysis = await analyzeRuns(
      [run],
      { evaluator, linearAlgebra: createLinearAlgebra() },
      defined({
        center,
        components,
        weights,
        force,
        points,
        margin,
        range,
        approximate,
        resume,
        budget: budgetOf(options),
        signal,
        onProgress,
        dataName: module.dataName,
      }),
    );
    stop();
    output.warn(analysis.warnings);
    report(analysis.surface, output);
    for (const sentence of analysis.figure.fidelity) output.print(sentence);
    output.print(`draw it with: tfjs-landscape plot ${directory}`);
  } finally {
    stop();
    evaluator.dispose();
  }
}

function report(surface: Surface, output: Output): void {
  const { alpha, beta, loss, metrics, center, engine, nonFinite, partial } = surface;
  const rows = (values: Float64Array): number[][] => toRows(values, beta.length);
  output.result({
    alpha,
    beta,
    loss: rows(loss),
    metrics: Object.fromEntries(Object.entries(metrics).map(([name, values]) => [name, rows(values)])),
    center,
    engine,
    nonFinite,
    ...(partial === undefined ? {} : partialFacts(surface, partial)),
    ...approximationFacts(surface),
  });
  for (const line of [...surfaceSummary(surface), ...approximationLines(surface)]) output.print(line);
}

/** Declares the arguments and options of `surface`. */
export function declareSurface(command: Command): void {
  planeOptions(command)
    .argument("<runs...>", "run directories; RUN@STEP is a snapshot of a run (with --plane)")
    .addOption(new Option("--plane <plane>", "where the surface lies").choices(SLICE_PLANES).default("pca"))
    .option("--points <n>", "grid points: 21, or 21x15 (first axis x second axis)", parsePoints)
    .option("--margin <share>", "margin around the path as a share of its extent", parseMargin)
    .option("--range <range>", 'literal range "x0:x1:nx,y0:y1:ny" instead of one around the path')
    .option("--seed <n>", "seed of random directions (default: 0)", parseCount("--seed", 0))
    .option("--directions <file>", "Arrow file of directions for --plane custom")
    .option("--metric <name>", "metric to draw instead of the loss")
    .option("--error", "show error instead of accuracy, with --metric");
  const slice = normalizationOptions(sliceOptions(command));
  pictureOptions(approximateOptions(interruptionOptions(slice))).action((runs, options) =>
    surface(runs, options, createOutput(options.json)),
  );
}
