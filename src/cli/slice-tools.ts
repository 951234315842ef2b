import type { NamedFigure } from "../analysis/write-report.js";
import { type ReportFormat, writeReport } from "../analysis/write-report.js";
import type { BackendChoice } from "../backend/current-backend.js";
import { InvalidOptionError } from "../base/errors.js";
import type { BatchNormPolicyName } from "../loss/batch-norm-policy.js";
import { isBatchDataset } from "../loss/evaluation-data.js";
import { modelFromManifest } from "../model/model-from-manifest.js";
import type { Run } from "../store/run/run.js";
import type { EvaluationSet } from "../surface/lines/level-set-width.js";
import { defined } from "./command-options.js";
import { loadDataModule, loadEvaluationData, loadUserModel } from "./load-module.js";
import {
  type EvaluationCommandOptions,
  openEvaluator,
  prepareEvaluation,
  type StoredPlaces,
  startBackend,
} from "./open-evaluator.js";
import type { Output } from "./output.js";

/** Options of the commands that slice a loss. */
export interface SliceCommandOptions extends EvaluationCommandOptions {
  readonly test?: boolean;
  readonly batchNorm?: BatchNormPolicyName;
  readonly resume?: boolean;
  readonly backend?: BackendChoice;
}

/** Options of the commands that write pictures. */
export interface PictureCommandOptions {
  readonly out?: string;
  readonly format?: readonly ReportFormat[];
  readonly title?: string;
  readonly width?: number;
  readonly height?: number;
}

/** Where the results of each set are to be stored, which may have been interrupted. */
export interface SlicePlaces {
  readonly train: StoredPlaces;
  readonly test: StoredPlaces;
}

/** What a slice is computed with. */
export interface SliceTools {
  /** "train", and "test" where it is asked for. */
  readonly sets: readonly EvaluationSet[];
  readonly dataName: string | undefined;
  dispose(): void;
}

/**
 * Loads data and model of a run, and opens evaluators on each set.
 *
 * @param places - where results are to be stored. Default nowhere.
 */
export async function openSliceTools(
  run: Run,
  options: SliceCommandOptions,
  output: Output,
  places?: SlicePlaces,
  signal?: AbortSignal,
): Promise<SliceTools> {
  const nowhere = { folder: ".", names: [] };
  const earlier = await prepareEvaluation(options, places?.train ?? nowhere);
  await startBackend(options.backend, output);
  const module = await loadDataModule(options.data);
  if (options.test === true && module.loadTestData === undefined) {
    throw new InvalidOptionError("--test", `${options.data} to export loadTestData()`, "none");
  }
  const model = (await loadUserModel(module, options.data)) ?? (await modelFromManifest(run.manifest));
  const isResumed = options.resume === true;
  const given = { ...options, ...defined({ signal }) };
  const open: { dispose(): void }[] = [];
  const dispose = (): void => {
    for (const part of open) part.dispose();
  };
  try {
    const data = await loadEvaluationData(module, options.data);
    const train = await openEvaluator(model, data, module, run.layout, given, earlier, isResumed);
    open.push(train);
    const sets: EvaluationSet[] = [{ name: "train", evaluator: train }];
    if (options.test === true) {
      const held = await loadEvaluationData(module, options.data, "loadTestData");
      const reuse = await prepareEvaluation(options, places?.test ?? nowhere);
      const isStream = options.workers !== undefined && isBatchDataset(held);
      const dataExport = isStream ? "loadTestData" : undefined;
      const evaluator = await (train.withData as NonNullable<typeof train.withData>)(held, {
        reuse,
        dataExport,
        signal,
      });
      sets.push({ name: "test", evaluator });
      open.push(evaluator);
    }
    return { sets, dataName: module.dataName, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Checks a metric that is to be drawn before anything is evaluated; "none" is none of them. */
export function checkMetric(metric: string | undefined, { sets }: Pick<SliceTools, "sets">): void {
  const names = [...(sets[0]?.evaluator.facts.metricNames ?? []), "none"];
  if (metric === undefined || names.includes(metric)) return;
  throw new InvalidOptionError("--metric", `one of ${names.join(", ")}`, JSON.stringify(metric));
}

/** Writes pictures of a command's figures, and one page with all, named after the command. */
export async function writePictures(
  name: string,
  directory: string,
  figures: readonly NamedFigure[],
  { format: formats, width, height, title }: PictureCommandOptions,
  output: Output,
): Promise<string[]> {
  const options = defined({ formats, width, height, title, page: `${name}.html` });
  const files = await writeReport(directory, figures, options);
  for (const file of files) output.print(file);
  return files;
}
