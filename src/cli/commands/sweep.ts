import { join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import pick from "lodash/pick.js";
import { compareRuns } from "../../analysis/compare/compare-runs.js";
import { openSweepRuns, ownFigures, sweepFailures, sweepReport } from "../../analysis/sweep-report.js";
import { type NamedFigure, REPORT_FORMATS, writeReport } from "../../analysis/write-report.js";
import type { BackendChoice } from "../../backend/current-backend.js";
import { InvalidOptionError } from "../../base/errors.js";
import { defined } from "../../base/json.js";
import { condenseWarnings } from "../../base/warning.js";
import {
  CHANGED_CHOICES,
  checkSweep,
  runSweep,
  type SweepOptions,
  type SweepRun,
} from "../../training/run-sweep.js";
import type { SettingValue, SweepValues } from "../../training/sweep-module.js";
import { backendOption, outputFolder, parseCount, parseSweepFile, refuseStray } from "../command-options.js";
import {
  checkWhere,
  isOverQueue,
  type LossCommandOptions,
  lossOption,
  type QueueCommandOptions,
  queueOptions,
} from "../evaluation-options.js";
import { interruptible } from "../interruption.js";
import { loadDataModule, loadSweepFigures } from "../load-module.js";
import { openQueue, startBackend } from "../open-evaluator.js";
import { alignedTable, analysisProgress, createOutput, type Output, shortened } from "../output.js";
import { type PictureCommandOptions, styleOf, styleOptions } from "../pictures.js";

/** Options of `sweep`: those of the library, and what becomes of the runs. */
interface SweepCommandOptions
  extends Pick<SweepOptions, "workers" | "changed" | "set">,
    QueueCommandOptions,
    Pick<LossCommandOptions, "loss">,
    Omit<PictureCommandOptions, "out"> {
  readonly out: string;
  readonly by?: string;
  readonly compare?: boolean;
  readonly best?: number;
  readonly backend?: BackendChoice;
  readonly json?: boolean;
}

/** Runs that are compared where nothing is said. */
const COMPARED = 8;

/** Declares the arguments and options of `sweep`. */
export function declareSweep(command: Command): void {
  queueOptions(styleOptions(command))
    .argument(
      "<module>",
      "JS or TS module with a grid or a list of settings, and train(settings, task)",
      parseSweepFile,
    )
    .option("--out <dir>", "folder for runs, results and the report", "sweep")
    .option(
      "--set <name=values>",
      "values in place of the grid's: epochs=30, or optimizer=sgd,adam (again for another setting)",
      parseSet,
    )
    .option("--workers <n>", "trainings at a time (default: half of the processors)", parseCount("--workers"))
    .addOption(
      new Option("--changed <what>", "runs of another train() or backend (default: refuse)").choices(
        CHANGED_CHOICES,
      ),
    )
    .option("--by <figure>", "what settings are compared by (default: test error, if there is one)")
    .option("--compare", "compare the landscapes of the best runs, on the module's own loadData()")
    .option("--best <n>", `so many of them, with --compare (default: ${COMPARED})`, parseCount("--best", 2))
    .addOption(lossOption("with --compare: compiled loss or exact logits form"))
    .addOption(new Option("--format <formats...>", "files to write").choices([...REPORT_FORMATS]))
    .option("--title <text>", "title of the page")
    .addOption(backendOption())
    .action((file, options) => sweep(file, options, createOutput(options)));
}

/** `sweep MODULE`: one training for each combination of settings, and a page that compares them. */
async function sweep(file: string, options: SweepCommandOptions, output: Output): Promise<void> {
  await interruptible(output, (signal) => sweepUntil(file, options, output, signal));
}

async function sweepUntil(
  file: string,
  options: SweepCommandOptions,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const { workers, changed, set, by, format: formats, title = "Sweep" } = options;
  if (options.compare !== true) refuseStray(options, ["best", "loss"], "--compare", "none");
  checkWhere(defined({ ...pick(options, ["redis", "spool", "store", "queue"]), workers }));
  const folder = outputFolder(options.out, ".");
  const asked = { ...defined({ workers, changed, set, by }), directory: folder };
  // The module, its exports and the folder are checked before a backend is started.
  await checkSweep(file, asked);
  if (options.compare === true) await loadDataModule(file);
  const createFigures = await loadSweepFigures(file);
  await startBackend(options.backend, output);
  const bar = output.progress("settings");
  const onProgress = (done: number, total: number, run: SweepRun): void => {
    bar.update(done, total);
    if (!process.stderr.isTTY) output.note(`${done}/${total} ${run.status}: ${run.name}`);
  };
  const runner = isOverQueue(options) ? await openQueue({ ...options, signal }) : undefined;
  const given = { ...asked, ...defined({ runner }), signal, onProgress };
  const study = await runSweep(file, given).finally(() => {
    bar.stop();
    runner?.dispose();
  });
  output.warn(sweepFailures(study));
  const report = await sweepReport(study, { by });
  // What failed is named already, also where no report could be made.
  output.warn(report.warnings.filter(({ code }) => code !== "sweep-failed"));
  const compared =
    options.compare === true ? await landscapes(report.ranked, file, folder, options, output, signal) : [];
  const figures = [...report.figures, ...compared];
  let introduction: string | undefined;
  if (createFigures !== null) {
    output.note(`figures of ${file}`);
    const taken = figures.map(({ name }) => name);
    const own = await ownFigures(createFigures, study, { directory: study.directory, signal }, taken);
    const warnings = condenseWarnings(own.warnings);
    output.warn(warnings);
    if (warnings.length > 0) introduction = warnings.map(({ message }) => message).join(". ");
    figures.push(...own.figures);
  }
  const files = await writeReport(folder, figures, {
    ...styleOf(options),
    ...defined({ formats, introduction }),
    title,
    page: "sweep.html",
  });
  tell(study.runs, report.ranked, report.figures, output, { directory: folder, score: report.score, files });
}

/** Figures that compare the landscapes around the best runs. */
async function landscapes(
  ranked: readonly SweepRun[],
  file: string,
  folder: string,
  { best = COMPARED, by, loss }: SweepCommandOptions,
  output: Output,
  signal: AbortSignal,
): Promise<readonly NamedFigure[]> {
  const chosen = ranked.slice(0, best);
  if (chosen.length < 2) {
    throw new InvalidOptionError("--compare", "at least 2 runs that did not fail", String(chosen.length));
  }
  const module = await loadDataModule(file, chosen[0]?.settings);
  const runs = await openSweepRuns(chosen, { by });
  const { onProgress, stop } = analysisProgress(output);
  const comparison = await compareRuns(runs, {
    data: await module.load("loadData"),
    ...(module.has("loadTestData") ? { testData: await module.load("loadTestData") } : {}),
    ...defined({ classWeight: module.classWeight, loss }),
    names: { data: module.dataName },
    directory: join(folder, "comparison"),
    signal,
    onProgress,
  }).finally(stop);
  output.warn(comparison.warnings);
  // The curves of training stand in the report already.
  return comparison.figures.filter(({ name }) => name !== "training");
}

function tell(
  runs: readonly SweepRun[],
  ranked: readonly SweepRun[],
  figures: readonly NamedFigure[],
  output: Output,
  facts: { readonly directory: string; readonly score: string; readonly files: readonly string[] },
): void {
  const failed = runs.filter(({ status }) => status === "failed");
  output.result({ ...facts, runs: [...ranked, ...failed] });
  const table = figures[0]?.figure.panels.find((panel) => panel.kind === "table");
  if (table !== undefined) {
    const heads = [table.rowTitle, ...table.columns.map(({ title }) => title)];
    const rows = table.groups.flatMap((group) =>
      group.rows.map(({ name, cells }) => [name, ...cells.map(({ text }) => text)]),
    );
    for (const line of shortened(alignedTable([heads, ...rows]), 40)) output.print(line);
  }
  if (failed.length > 0)
    output.print(`failed: ${failed.length} of ${runs.length}; the same command tries again`);
  for (const file of facts.files) output.print(file);
}

/** Adds "epochs=30" or "optimizer=sgd,adam" to the values given before; numbers, booleans and null as such. */
function parseSet(text: string, before: SweepValues = {}): SweepValues {
  const [, name = "", values = ""] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (name === "") throw new InvalidArgumentError(`--set: expected NAME=VALUE, got "${text}".`);
  return { ...before, [name.trim()]: values.split(",").map((value) => settingValue(value.trim())) };
}

function settingValue(text: string): SettingValue {
  if (text === "true" || text === "false") return text === "true";
  if (text === "null") return null;
  const value = Number(text);
  return text !== "" && Number.isFinite(value) ? value : text;
}
