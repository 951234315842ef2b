import type { LayersModel } from "@tensorflow/tfjs";
import { InvalidOptionError } from "../../errors.js";
import { toRows } from "../../json.js";
import type { CompareRunsOptions } from "../../pipeline/compare-options.js";
import { compareRuns, type RunsComparison } from "../../pipeline/compare-runs.js";
import { type ReportFormat, writeReport } from "../../pipeline/write-report.js";
import { openRun } from "../../store/open-run.js";
import type { Run } from "../../store/run.js";
import type { AxisRange } from "../../surface/axis.js";
import { accuracyFormOf } from "../accuracy-form.js";
import { analysisProgress } from "../analysis-progress.js";
import { defined } from "../defined.js";
import { interruptible } from "../interruption.js";
import { loadDataModule, loadEvaluationData, loadUserModel } from "../load-module.js";
import { openEvaluator, prepareEvaluation } from "../open-evaluator.js";
import type { Output } from "../output.js";
import { outputFolder } from "../output-folder.js";
import type { SliceCommandOptions } from "../slice-tools.js";
import { startBackend } from "../start-backend.js";
import type { PlaneCommandOptions } from "./pca.js";
import type { NormalizationCommandOptions } from "./surface-plane.js";

/** Options of `compare`. */
export interface CompareCommandOptions
  extends Omit<SliceCommandOptions, "batchNorm">,
    PlaneCommandOptions,
    NormalizationCommandOptions {
  readonly points?: readonly [number, number];
  readonly margin?: number;
  readonly seeds?: readonly number[];
  readonly range?: AxisRange;
  readonly rise?: number;
  readonly radius?: number;
  readonly epsilon?: number;
  readonly accuracy?: boolean;
  readonly out: string;
  readonly format?: readonly ReportFormat[];
  readonly title?: string;
  readonly width?: number;
  readonly height?: number;
}

/** `compare RUN… --data MODULE`: runs against each other, on one page. */
export async function compare(
  directories: readonly string[],
  options: CompareCommandOptions,
  output: Output,
): Promise<void> {
  if (directories.length < 2) throw new InvalidOptionError("runs", "at least 2 to compare", "1");
  await interruptible(output, (signal) => compareUntil(directories, options, output, signal));
}

async function compareUntil(
  directories: readonly string[],
  options: CompareCommandOptions,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const runs: Run[] = [];
  for (const directory of directories) runs.push(await openRun(directory));
  const folder = outputFolder(options.out, ".");
  await prepareEvaluation(options, { files: [] });
  await startBackend(options.backend, output);
  const module = await loadDataModule(options.data);
  if (options.test === true && module.loadTestData === undefined) {
    throw new InvalidOptionError("--test", `${options.data} to export loadTestData()`, "none");
  }
  const given = await loadUserModel(module, options.data);
  const data = await loadEvaluationData(module, options.data);
  const testData =
    options.test === true ? await loadEvaluationData(module, options.data, "loadTestData") : undefined;
  const { onProgress, stop } = analysisProgress(output);
  const { center, components, weights, force, points, margin, loss } = options;
  const { seeds, range, rise, radius, epsilon, normalize, ignore, oneDimensional, title } = options;
  const plane = { center, components, weights, force, points, margin };
  const lines = {
    seeds,
    range,
    rise,
    radius,
    epsilon,
    normalize,
    ignore,
    oneDimensional,
    accuracyAs: accuracyFormOf(options),
  };
  const comparison = await compareRuns(runs, {
    ...defined({ ...plane, ...lines, loss, title, dataName: module.dataName, testData }),
    ...(given === null ? {} : { model: (): LayersModel => given }),
    data,
    openEvaluator: (model, set, layout, name) =>
      openEvaluator(model, set, module, layout, {
        ...options,
        signal,
        dataExport: name === "test" ? "loadTestData" : "loadData",
      }),
    directory: folder,
    signal,
    onProgress,
  } satisfies CompareRunsOptions).finally(stop);
  output.warn(comparison.warnings);
  await report(comparison, folder, options, output);
}

async function report(
  comparison: RunsComparison,
  folder: string,
  { format: formats, title, width, height }: CompareCommandOptions,
  output: Output,
): Promise<void> {
  const { runs, pairs, joint, whyNoJoint, figures } = comparison;
  const files = await writeReport(
    folder,
    figures,
    defined({
      formats,
      width,
      height,
      title: title ?? runs.map(({ name }) => name).join(" and "),
      introduction: whyNoJoint ?? undefined,
      page: "compare.html",
    }),
  );
  output.result({
    runs: runs.map(({ explainedVarianceRatio, randomWalkBaseline, ...facts }) => ({
      ...facts,
      explainedVarianceRatio: explainedVarianceRatio === null ? null : Array.from(explainedVarianceRatio),
      randomWalkBaseline: randomWalkBaseline === null ? null : Array.from(randomWalkBaseline),
    })),
    distance: toRows(pairs.distance, runs.length),
    cosine: toRows(pairs.cosine, runs.length),
    joint:
      joint === null
        ? null
        : {
            explainedVarianceRatio: joint.directions.explainedVarianceRatio,
            randomWalkBaseline: joint.directions.randomWalkBaseline,
          },
    whyNoJoint,
    files,
  });
  if (whyNoJoint !== null) output.print(whyNoJoint);
  for (const { name, scores, distance, pathLength } of runs) {
    const losses = scores.map(({ set, loss }) => `${set} loss ${loss.toPrecision(4)}`);
    output.print(
      `${name}: ${losses.join(", ")}, ${distance.toPrecision(4)} from the start on a path of ${pathLength.toPrecision(4)}`,
    );
  }
  for (const file of files) output.print(file);
}
