import { createLinearAlgebra } from "../../backend/linear-algebra/create-linear-algebra.js";
import { createEngineEvaluator } from "../../engine/create-engine-evaluator.js";
import type { EngineChoice } from "../../engine/engine-options.js";
import { InvalidOptionError } from "../../errors.js";
import { toRows } from "../../json.js";
import type { LossMode } from "../../model/loss-evaluator.js";
import { modelFromManifest } from "../../model/model-from-manifest.js";
import { resolveAnalyzeOptions } from "../../pipeline/analyze-options.js";
import { analyzeRuns } from "../../pipeline/analyze-runs.js";
import type { SlicePlane } from "../../pipeline/plane-points.js";
import { openRun } from "../../store/open-run.js";
import type { Surface } from "../../surface/surface.js";
import { analysisProgress } from "../analysis-progress.js";
import {
  type ApproximateCommandOptions,
  approximateOf,
  approximationFacts,
  approximationLines,
} from "../approximation-facts.js";
import { defined } from "../defined.js";
import { loadDataModule, loadEvaluationData, loadUserModel } from "../load-module.js";
import type { Output } from "../output.js";
import { startBackend } from "../start-backend.js";
import type { PlaneCommandOptions } from "./pca.js";
import { type SurfacePlaneOptions, surfacePlane } from "./surface-plane.js";

/** Options of `surface`. */
export interface SurfaceCommandOptions extends PlaneCommandOptions, ApproximateCommandOptions {
  readonly data: string;
  readonly points?: readonly [number, number];
  readonly margin?: number;
  readonly range?: string;
  readonly loss?: LossMode;
  readonly batchSize?: number;
  readonly engine?: EngineChoice;
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
  if (plane !== "pca" || options.test === true || options.batchNorm !== undefined) {
    return surfacePlane(references, { ...options, plane }, output);
  }
  const [directory, ...others] = references;
  if (directory === undefined || others.length > 0) {
    throw new InvalidOptionError("runs", "one run for --plane pca", String(references.length));
  }
  return surfaceOnPca(directory, options, output);
}

/** The loss surface around the trajectory, stored in the run directory. */
async function surfaceOnPca(
  directory: string,
  options: SurfaceCommandOptions,
  output: Output,
): Promise<void> {
  const { center, components, weights, force, points, margin, range } = options;
  const approximate = approximateOf(options);
  const asked = defined({ center, components, weights, force, points, margin, range, approximate });
  resolveAnalyzeOptions(asked);
  const run = await openRun(directory);
  await startBackend(options.backend, output);
  const module = await loadDataModule(options.data);
  const model = (await loadUserModel(module, options.data)) ?? (await modelFromManifest(run.manifest));
  const data = await loadEvaluationData(module, options.data);
  const evaluator = await createEngineEvaluator(
    model,
    data,
    defined({ loss: options.loss, batchSize: options.batchSize, engine: options.engine, layout: run.layout }),
  );
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
  const { alpha, beta, loss, metrics, center, engine, nonFinite } = surface;
  const rows = (values: Float64Array): number[][] => toRows(values, beta.length);
  output.result({
    alpha,
    beta,
    loss: rows(loss),
    metrics: Object.fromEntries(Object.entries(metrics).map(([name, values]) => [name, rows(values)])),
    center,
    engine,
    nonFinite,
    ...approximationFacts(surface),
  });
  const finite = loss.filter(Number.isFinite);
  const [least, most] = [Math.min(...finite), Math.max(...finite)].map((value) => value.toPrecision(4));
  output.print(
    `${alpha.length} × ${beta.length} points over ${surface.samples} samples: ` +
      `loss from ${least} to ${most}, ${center.loss.toPrecision(4)} at the centre, ${nonFinite} not finite`,
  );
  for (const line of approximationLines(surface)) output.print(line);
}
