import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import isEqual from "lodash/isEqual.js";
import { compareRuns } from "../analysis/compare/compare-runs.js";
import { openSweepRuns } from "../analysis/sweep-report.js";
import type { NamedFigure } from "../analysis/write-report.js";
import { EvaluationError, InvalidDataError, InvalidOptionError, LandscapeError } from "../base/errors.js";
import { defined } from "../base/json.js";
import { createLossEvaluator } from "../loss/create-loss-evaluator.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import type { LossMode } from "../loss/loss-evaluator.js";
import { resolveModelLossOptions } from "../loss/loss-options.js";
import { planLoss } from "../loss/loss-plan.js";
import { disposeOptimizer } from "../model/describe-training.js";
import { modelFromManifest } from "../model/model-from-manifest.js";
import { readManifest } from "../store/run/manifest-file.js";
import type { SweepRun } from "../training/run-sweep.js";
import type { SweepSettings } from "../training/sweep-module.js";
import { type DataExport, type DataModule, loadDataModule } from "./load-module.js";
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
   * Checks that one of these runs can be compared: its loss has the form asked for, and the data fit. What is wrong with the
   * module must not show when all is trained. Runs need not be alike: once one could be compared, nothing is said of others.
   *
   * @throws {@link InvalidOptionError} or {@link InvalidDataError} naming the first run, where none can be compared.
   */
  check(runs: readonly SweepRun[]): Promise<void>;
  /**
   * Compares the best of the runs, which are sorted. Those that cannot be compared are left out, with a warning.
   *
   * @throws {@link InvalidOptionError} if fewer than two are left; as `compareRuns`.
   */
  figures(ranked: readonly SweepRun[], output: Output): Promise<ComparedRuns>;
}

/** What a comparison adds to the page of a sweep. */
export interface ComparedRuns {
  readonly figures: readonly NamedFigure[];
  /** A sentence for each run that is left out. */
  readonly leftOut: readonly string[];
}

/** The evaluation sets of a module. */
interface Sets {
  readonly data: EvaluationData;
  readonly testData?: EvaluationData;
}

/**
 * Loads the data module of a sweep that is to be compared, before a backend is needed.
 *
 * @param settings - those that are to be trained.
 * @throws {@link InvalidOptionError} for fewer than two settings, or a module without `loadData`, with a `loadLoss` or
 * with a `loadModel`.
 */
export async function loadComparedModule(
  file: string,
  settings: readonly SweepSettings[],
): Promise<DataModule> {
  if (settings.length < 2)
    throw new InvalidOptionError("--compare", "at least 2 settings to train", String(settings.length));
  const module = await loadDataModule(file);
  for (const [name, isThere] of [
    ["loadLoss", module.hasLoss],
    ["loadModel", module.hasModel],
  ] as const) {
    if (!isThere) continue;
    const hint = "compare RUN... --data MODULE takes it";
    throw new InvalidOptionError("--compare", `no ${name}() in ${file}`, "one", { hint });
  }
  return module;
}

/**
 * Prepares the comparison of a sweep: loads the module's data, so that what is wrong with them shows before the first
 * training.
 *
 * @param module - what {@link loadComparedModule} gives.
 * @param settings - those that are to be trained first.
 * @throws {@link InvalidDataError} if its functions throw.
 */
export async function openSweepComparison(
  file: string,
  module: DataModule,
  settings: SweepSettings,
  options: SweepComparisonOptions,
): Promise<SweepComparison> {
  const setsOf = createSets(file);
  await setsOf(settings);
  let isSettled = false;
  return {
    async check(runs) {
      const problems: LandscapeError[] = [];
      for (const run of runs) {
        if (isSettled) return;
        const problem = await problemOf(run, () => setsOf(run.settings), module, options);
        if (problem === null) isSettled = true;
        else problems.push(problem);
      }
      if (!isSettled && problems[0] !== undefined) throw problems[0];
    },
    async figures(ranked, output) {
      const chosen: SweepRun[] = [];
      const leftOut: string[] = [];
      const sets = (run: SweepRun) => setsOf((chosen[0] ?? run).settings);
      for (const run of ranked) {
        if (chosen.length === options.best) break;
        const problem = await problemOf(run, () => sets(run), module, options);
        if (problem === null) chosen.push(run);
        else leftOut.push(`Left out of the comparison: ${textOf(problem)}`);
      }
      output.warn(leftOut.map((message) => ({ code: "not-compared", message })));
      const [first] = chosen;
      if (first === undefined || chosen.length < 2) {
        const [why] = leftOut;
        const got = why === undefined ? "" : `; ${why}${leftOut.length > 1 ? ", and others" : ""}`;
        throw new InvalidOptionError("--compare", "at least 2 runs to compare", `${chosen.length}${got}`);
      }
      return { figures: await compared(chosen, await sets(first), module, options, output), leftOut };
    },
  };
}

/**
 * Returns what loads a module's evaluation sets for the settings of a run. The last ones are kept: one set of settings
 * mostly serves for all, and a function without an argument is called once. Nothing is freed: the tensors are the module's,
 * which may give them again.
 */
export function createSets(file: string): (settings: SweepSettings) => Promise<Sets> {
  let last: { readonly settings: SweepSettings; readonly sets: Sets } | null = null;
  return async (settings) => {
    const before = last;
    if (before !== null && isEqual(settings, before.settings)) return before.sets;
    const module = await loadDataModule(file, settings);
    const load = async (name: DataExport, known: EvaluationData | undefined): Promise<EvaluationData> =>
      known !== undefined && !module.takesArgument(name) ? known : module.load(name);
    const data = await load("loadData", before?.sets.data);
    const sets = module.has("loadTestData")
      ? { data, testData: await load("loadTestData", before?.sets.testData) }
      : { data };
    last = { settings, sets };
    return sets;
  };
}

/**
 * Returns why a run cannot be compared, as an error that names it; null if it can. Of the run only the manifest is read,
 * of the sets all.
 */
async function problemOf(
  { directory, name }: SweepRun,
  sets: () => Promise<Sets>,
  { classWeight }: DataModule,
  { loss, signal }: SweepComparisonOptions,
): Promise<LandscapeError | null> {
  signal.throwIfAborted();
  const how = defined({ loss, classWeight });
  const manifest = await readManifest(directory);
  let model: tf.LayersModel | undefined;
  let loaded: Sets | undefined;
  try {
    model = await modelFromManifest(manifest);
    planLoss(model, resolveModelLossOptions(how));
    loaded = await sets();
    const { data, testData } = loaded;
    for (const set of testData === undefined ? [data] : [data, testData]) {
      // What evaluates in the end does not matter: the engine that needs no choice.
      const options = { ...how, engine: "tfjs", layout: manifest.layout, signal } as const;
      (await createLossEvaluator(model, set, options)).dispose();
    }
    return null;
  } catch (cause) {
    // A module whose functions throw is no matter of one run.
    if (!(cause instanceof (loaded === undefined ? EvaluationError : LandscapeError))) throw cause;
    const { where, expected, got } = cause;
    const options = { hint: HINT, cause };
    if (loaded !== undefined)
      return new InvalidDataError(`--compare: ${where} (${name})`, expected, got, options);
    const option = loss === undefined ? "--compare" : `--loss ${loss}`;
    return new InvalidOptionError(option, expected, `${got} (${name})`, options);
  } finally {
    if (model !== undefined) {
      disposeOptimizer(model.optimizer);
      model.dispose();
    }
  }
}

/** What a user can do about a sweep that ends at a check. */
const HINT = "what is trained stays: the same command, mended, goes on";

/** A problem without what can be done about a sweep that ends. */
function textOf({ where, expected, got }: LandscapeError): string {
  return `${where}: expected ${expected}, got ${got}`;
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
