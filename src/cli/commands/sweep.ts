import { type Command, InvalidArgumentError, Option } from "commander";
import pick from "lodash/pick.js";
import { ownFigures, sweepFailures, sweepReport } from "../../analysis/sweep-report.js";
import {
  MOVIE_FORMATS,
  type NamedFigure,
  REPORT_FORMATS,
  type ReportFormat,
  writeReport,
} from "../../analysis/write-report.js";
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
import { alignedTable, createOutput, type Output, shortened } from "../output.js";
import { type PictureCommandOptions, styleOf, styleOptions } from "../pictures.js";
import { openSweepComparison } from "../sweep-comparison.js";

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
  const { workers, changed, set, by, format: formats, title = "Sweep", best = COMPARED, loss } = options;
  if (options.compare !== true) refuseStray(options, ["best", "loss"], "--compare", "none");
  checkWhere(defined({ ...pick(options, ["redis", "spool", "store", "queue"]), workers }));
  const folder = outputFolder(options.out, ".");
  const asked = { ...defined({ workers, changed, set, by }), directory: folder };
  // The module, its exports and the folder are checked before a backend is started.
  const { plan } = await checkSweep(file, asked);
  const createFigures = await loadSweepFigures(file);
  if (options.compare === true) await loadDataModule(file);
  else if (createFigures === null) refuseMovies(formats);
  await startBackend(options.backend, output);
  const settings = plan.settings.map((one) => one.settings);
  const comparison =
    options.compare === true
      ? await openSweepComparison(file, settings, { best, by, loss, directory: folder, signal })
      : null;
  const bar = output.progress("settings");
  const onProgress = (done: number, total: number, run: SweepRun): void => {
    bar.update(done, total);
    if (!process.stderr.isTTY) output.note(`${done}/${total} ${run.status}: ${run.name}`);
  };
  const runner = isOverQueue(options) ? await openQueue({ ...options, signal }) : undefined;
  const given = { ...asked, ...defined({ runner, checkRun: comparison?.check }), signal, onProgress };
  const study = await runSweep(file, given).finally(() => {
    bar.stop();
    runner?.dispose();
  });
  output.warn(sweepFailures(study));
  const report = await sweepReport(study, { by });
  // What failed is named already, also where no report could be made.
  output.warn(report.warnings.filter(({ code }) => code !== "sweep-failed"));
  const notes: string[] = [];
  let failure: unknown;
  const compared = await comparison?.figures(report.ranked, output).catch((error: unknown) => {
    signal.throwIfAborted();
    failure = error;
    notes.push(`The landscapes could not be compared: ${error instanceof Error ? error.message : error}`);
  });
  const figures = [...report.figures, ...(compared ?? [])];
  if (createFigures !== null) {
    output.note(`figures of ${file}`);
    const taken = figures.map(({ name }) => name);
    const own = await ownFigures(createFigures, study, { directory: study.directory, signal }, taken);
    const warnings = condenseWarnings(own.warnings);
    output.warn(warnings);
    notes.push(...warnings.map(({ message }) => message));
    figures.push(...own.figures);
  }
  const introduction = notes.length > 0 ? notes.join(". ") : undefined;
  const files = await writeReport(folder, figures, {
    ...styleOf(options),
    ...defined({ formats, introduction }),
    title,
    page: "sweep.html",
  });
  // What is compared is no part of what was trained: the page has the rest.
  if (failure !== undefined) throw failure;
  tell(study.runs, report.ranked, report.figures, output, { directory: folder, score: report.score, files });
}

/** Nothing moves in a sweep's own figures. */
function refuseMovies(formats: readonly ReportFormat[] | undefined): void {
  const movie = MOVIE_FORMATS.find((format) => formats?.includes(format));
  if (movie === undefined) return;
  throw new InvalidOptionError("--format", "--compare or createFigures(), for a movie of a path", movie);
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
