import { join } from "node:path";
import isEqual from "lodash/isEqual.js";
import { openRunEvaluators } from "../analysis/compare/compare-options.js";
import { compareRuns } from "../analysis/compare/compare-runs.js";
import { openSweepRuns } from "../analysis/sweep-report.js";
import type { NamedFigure } from "../analysis/write-report.js";
import { EvaluationError, InvalidDataError, InvalidOptionError, LandscapeError } from "../base/errors.js";
import { defined } from "../base/json.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import type { LossMode } from "../loss/loss-evaluator.js";
import { resolveModelLossOptions } from "../loss/loss-options.js";
import { planLoss } from "../loss/loss-plan.js";
import { disposeOptimizer } from "../model/describe-training.js";
import { modelFromManifest } from "../model/model-from-manifest.js";
import { openRun } from "../store/run/open-run.js";
import type { SweepRun } from "../training/run-sweep.js";
import type { SweepSettings } from "../training/sweep-module.js";
import { type DataModule, loadDataModule } from "./load-module.js";
import { analysisProgress, type Output } from "./output.js";

/** What `sweep --compare` is asked for. */
export interface SweepComparisonOptions {
  /** Runs to compare, the best ones. */
  readonly best: number;
  readonly by?: string | undefined;
  readonly loss?: LossMode | undefined;
  /** Folder of the sweep. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

/** The landscapes around the best runs of a sweep, on the data of its module. */
export interface SweepComparison {
  /**
   * Checks that a run could be compared: its loss has the form asked for, and, of the first one, the data fit. What is
   * wrong must not show when all is trained.
   *
   * @throws {@link InvalidOptionError} or {@link InvalidDataError} naming the run.
   */
  check(run: SweepRun): Promise<void>;
  /** Compares the best of the runs, which are sorted, and returns the figures. */
  figures(ranked: readonly SweepRun[], output: Output): Promise<readonly NamedFigure[]>;
}

/** The evaluation sets of a module. */
interface Sets {
  readonly data: EvaluationData;
  readonly testData?: EvaluationData;
}

/**
 * Prepares the comparison of a sweep: loads the module's data, so that what is wrong with them shows before the first
 * training.
 *
 * @param settings - those that are to be trained.
 * @throws {@link InvalidOptionError} for a module without `loadData`, with a `loadLoss`, or fewer than two settings;
 * {@link InvalidDataError} if its functions throw.
 */
export async function openSweepComparison(
  file: string,
  settings: readonly SweepSettings[],
  options: SweepComparisonOptions,
): Promise<SweepComparison> {
  if (settings.length < 2)
    throw new InvalidOptionError("--compare", "at least 2 settings to train", String(settings.length));
  const module = await loadDataModule(file);
  if (module.hasLoss) {
    const hint = "compare RUN... --data MODULE takes it";
    throw new InvalidOptionError("--compare", `no loadLoss() in ${file}`, "one", { hint });
  }
  // The last that were loaded: one set of settings mostly serves for all.
  let loaded = { settings: settings[0] as SweepSettings, sets: await loadSets(file, settings[0]) };
  const setsOf = async (asked: SweepSettings): Promise<Sets> => {
    if (!isEqual(asked, loaded.settings)) loaded = { settings: asked, sets: await loadSets(file, asked) };
    return loaded.sets;
  };
  let isFirst = true;
  return {
    async check(run) {
      await checkForm(run, module, options.loss);
      if (!isFirst) return;
      isFirst = false;
      await checkData(run, await setsOf(run.settings), module, options);
    },
    async figures(ranked, output) {
      const chosen = ranked.slice(0, options.best);
      const [first] = chosen;
      if (first === undefined || chosen.length < 2) {
        const got = String(chosen.length);
        throw new InvalidOptionError("--compare", "at least 2 runs that did not fail", got);
      }
      return compared(chosen, await setsOf(first.settings), module, options, output);
    },
  };
}

async function loadSets(file: string, settings: SweepSettings | undefined): Promise<Sets> {
  const module = await loadDataModule(file, settings);
  const data = await module.load("loadData");
  return module.has("loadTestData") ? { data, testData: await module.load("loadTestData") } : { data };
}

/** What a user can do about a sweep that ends at a check. */
const HINT = "what is trained stays: the same command, mended, goes on";

async function checkForm(
  { directory, name }: SweepRun,
  { classWeight }: DataModule,
  loss: LossMode | undefined,
): Promise<void> {
  const run = await openRun(directory);
  await run.close();
  try {
    const model = await modelFromManifest(run.manifest);
    try {
      planLoss(model, resolveModelLossOptions(defined({ loss, classWeight })));
    } finally {
      disposeOptimizer(model.optimizer);
      model.dispose();
    }
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    const option = loss === undefined ? "--compare" : `--loss ${loss}`;
    throw new InvalidOptionError(option, error.expected, `${error.got} (${name})`, {
      hint: HINT,
      cause: error,
    });
  }
}

async function checkData(
  { directory, name }: SweepRun,
  sets: Sets,
  { classWeight }: DataModule,
  { loss }: SweepComparisonOptions,
): Promise<void> {
  const run = await openRun(directory);
  await run.close();
  try {
    // What evaluates in the end does not matter: the engine that needs no choice.
    const evaluation = { ...sets, ...defined({ loss, classWeight }), engine: "tfjs" as const, directory };
    (await openRunEvaluators([run], evaluation)).dispose();
  } catch (error) {
    if (!(error instanceof LandscapeError)) throw error;
    const where = `--compare: ${error.where} (${name})`;
    throw new InvalidDataError(where, error.expected, error.got, { hint: HINT, cause: error });
  }
}

/** Figures that compare the landscapes around some runs. */
async function compared(
  chosen: readonly SweepRun[],
  sets: Sets,
  { classWeight, dataName }: DataModule,
  { by, loss, directory, signal }: SweepComparisonOptions,
  output: Output,
): Promise<readonly NamedFigure[]> {
  const runs = await openSweepRuns(chosen, { by });
  const { onProgress, stop } = analysisProgress(output);
  const comparison = await compareRuns(runs, {
    ...sets,
    ...defined({ classWeight, loss }),
    names: { data: dataName },
    directory: join(directory, "comparison"),
    signal,
    onProgress,
  }).finally(stop);
  output.warn(comparison.warnings);
  // The curves of training stand in the report already.
  return comparison.figures.filter(({ name }) => name !== "training");
}
