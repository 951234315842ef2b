import type { LayersModel } from "@tensorflow/tfjs";
import { type Command, Option } from "commander";
import type { CompareRunsOptions } from "../../analysis/compare/compare-options.js";
import { compareRuns, type RunsComparison } from "../../analysis/compare/compare-runs.js";
import { isModelPoint, openSubject } from "../../analysis/model-point.js";
import { REPORT_FORMATS, writeReport } from "../../analysis/write-report.js";
import { InvalidOptionError } from "../../base/errors.js";
import { defined, toRows } from "../../base/json.js";
import { ALIGN_METHODS, type AlignMethod } from "../../between/align-models.js";
import { titleOfRuns } from "../../figure/make/run-data.js";
import type { VariablesLoss } from "../../loss/variables-evaluator.js";
import type { Run } from "../../store/run/run.js";
import {
  alignMethodOf,
  gridOptions,
  type NormalizationCommandOptions,
  normalizationOptions,
  outputFolder,
  parseCount,
  parseLineGrid,
  parsePositive,
  parseSeeds,
  pathOptions,
  planeOptions,
  renamedOption,
  stepOptions,
  triesOption,
} from "../command-options.js";
import { type SliceCommandOptions, sliceOptions } from "../evaluation-options.js";
import { interruptible } from "../interruption.js";
import { checkVariables, loadDataModule } from "../load-module.js";
import { openEvaluator, prepareEvaluation, startBackend } from "../open-evaluator.js";
import { alignedTable, analysisProgress, createOutput, type Output } from "../output.js";
import {
  type AccuracyCommandOptions,
  accuracyFormOf,
  type PictureCommandOptions,
  styleOf,
  styleOptions,
} from "../pictures.js";
import type { PlaneCommandOptions } from "./pca.js";

/** Options of `compare`. */
export interface CompareCommandOptions
  extends Omit<PictureCommandOptions, "out">,
    Pick<AccuracyCommandOptions, "accuracy">,
    SliceCommandOptions,
    PlaneCommandOptions,
    NormalizationCommandOptions {
  readonly size?: readonly [number, number];
  readonly margin?: number;
  readonly pathLosses?: number | "all";
  readonly seeds?: readonly number[];
  readonly grid?: string;
  readonly rise?: number;
  readonly radius?: number;
  readonly epsilon?: number;
  readonly stability?: number;
  readonly out: string;
  readonly align?: AlignMethod | true;
  readonly tries?: number;
}

/** `compare RUN… --data MODULE`: runs against each other, on one page. */
export async function compare(
  directories: readonly string[],
  options: CompareCommandOptions,
  output: Output,
): Promise<void> {
  if (directories.length < 2) throw new InvalidOptionError("runs", "at least 2 to compare", "1");
  alignMethodOf(options);
  await interruptible(output, (signal) => compareUntil(directories, options, output, signal));
}

async function compareUntil(
  directories: readonly string[],
  options: CompareCommandOptions,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const runs: Run[] = [];
  for (const directory of directories) {
    const subject = await openSubject(directory);
    if (isModelPoint(subject))
      throw new InvalidOptionError("runs", "run directories", `the snapshot ${directory}`);
    runs.push(subject);
  }
  const folder = outputFolder(options.out, ".");
  await prepareEvaluation(options, { folder, names: [] });
  await startBackend(options.backend, output);
  const module = await loadDataModule(options.data);
  if (options.test === true && !module.has("loadTestData")) {
    throw new InvalidOptionError("--test", `${options.data} to export loadTestData()`, "none");
  }
  if (options.stability !== undefined && (await module.loadLoss()) !== null) {
    const hint = "use curvature RUN --trajectory";
    throw new InvalidOptionError(
      "--stability",
      "the compiled loss of each run",
      "a loss of the module's own",
      { hint },
    );
  }
  const given = await module.loadModel();
  const hasVariables = given === null && runs.some(({ manifest }) => manifest.model === null);
  if (hasVariables) checkVariables(module, options);
  const variablesLoss = hasVariables ? ((await module.loadLoss()) as VariablesLoss | null) : null;
  const data = await module.load("loadData");
  const testData = options.test === true ? await module.load("loadTestData") : undefined;
  const { onProgress, stop } = analysisProgress(output);
  const { centering, components, weights, force, size, margin, pathLosses, loss } = options;
  const { batchNorm, from, until } = options;
  const { seeds, grid, rise, radius, epsilon, normalize, ignore, oneDimensional, title } = options;
  const plane = { centering, components, weights, force, size, margin, pathLosses, batchNorm, from, until };
  const lines = {
    seeds,
    grid,
    rise,
    radius,
    epsilon,
    ...defined({ normalize, ignore, oneDimensional }),
    accuracyAs: accuracyFormOf(options),
  };
  const comparison = await compareRuns(runs, {
    ...plane,
    ...lines,
    loss,
    title,
    align: alignMethodOf(options),
    alignTries: options.tries,
    ...defined({ stability: options.stability }),
    classWeight: module.classWeight,
    names: { data: module.dataName },
    testData,
    ...(given === null ? {} : { model: (): LayersModel => given }),
    ...(variablesLoss === null ? {} : { variablesLoss }),
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
  options: CompareCommandOptions,
  output: Output,
): Promise<void> {
  const { format: formats, title } = options;
  const { runs, pairs, joint, whyNoJoint, figures } = comparison;
  const files = await writeReport(folder, figures, {
    ...styleOf(options),
    ...defined({
      formats,
      title: title ?? titleOfRuns(runs.map(({ name }) => name)),
      introduction: whyNoJoint ?? undefined,
      page: "compare.html",
    }),
  });
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
            explainedVarianceRatio: joint.directions?.explainedVarianceRatio ?? null,
            randomWalkBaseline: joint.directions?.randomWalkBaseline ?? null,
          },
    whyNoJoint,
    files,
  });
  if (whyNoJoint !== null) output.print(whyNoJoint);
  const sets = runs[0]?.scores.map(({ set }) => `${set} loss`) ?? [];
  const rows = runs.map(({ name, scores, distance, pathLength }) => [
    name,
    ...[...scores.map(({ loss }) => loss), distance, pathLength].map((value) => value.toPrecision(4)),
  ]);
  for (const line of alignedTable([["run", ...sets, "from the start", "path length"], ...rows])) {
    output.print(line);
  }
  for (const file of files) output.print(file);
}

/** Declares the arguments and options of `compare`. */
export function declareCompare(command: Command): void {
  normalizationOptions(planeOptions(sliceOptions(styleOptions(command))));
  pathOptions(gridOptions(stepOptions(command)));
  const grid = new Option("--grid <grid>", 'coordinates of the random lines, "x0:x1:n" (default: -1:1:41)');
  triesOption(renamedOption(command, grid.argParser(parseLineGrid), "range"))
    .argument("<runs...>", "run directories, at least two")
    .option("--seeds <seeds>", "seeds of the random lines: 0,1,2 or 0..9 (default: 0..4)", parseSeeds)
    .option("--rise <loss>", "rise of the loss at which widths are read", parsePositive("--rise"))
    .option("--radius <alpha>", "distance at which the mean rise is read", parsePositive("--radius"))
    .option("--epsilon <size>", "box of the epsilon-sharpness (default: 0.05)", parsePositive("--epsilon"))
    .addOption(
      new Option(
        "--align [how]",
        "draw all paths also with the units of each run matched to those of the first (default: weights)",
      ).choices(ALIGN_METHODS),
    )
    .option(
      "--stability <n>",
      "at so many snapshots of each run: λ₁ against its optimizer's edge of stability (the data must be the training set)",
      parseCount("--stability"),
    )
    .option("--accuracy", "show accuracies instead of errors in the figures")
    .option("--out <dir>", "folder for results and pictures", "comparison")
    .addOption(new Option("--format <formats...>", "files to write").choices([...REPORT_FORMATS]))
    .option("--title <text>", "title of the page (default: the names of the runs)")
    .action((runs, options) => compare(runs, options, createOutput(options)));
}
