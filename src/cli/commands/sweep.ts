import { type Command, InvalidArgumentError, Option } from "commander";
import pick from "lodash/pick.js";
import {
  type CreateSweepFigures,
  ownFigures,
  type SweepReport,
  sweepFailures,
  sweepReport,
} from "../../analysis/sweep-report.js";
import {
  isMovable,
  MOVIE_FORMATS,
  type NamedFigure,
  REPORT_FORMATS,
  type ReportFormat,
  writeReport,
} from "../../analysis/write-report.js";
import type { BackendChoice } from "../../backend/current-backend.js";
import { InvalidOptionError, messageOf } from "../../base/errors.js";
import { defined } from "../../base/json.js";
import {
  CHANGED_CHOICES,
  checkSweep,
  runSweep,
  type SweepOptions,
  type SweepRun,
  type SweepStudy,
} from "../../training/run-sweep.js";
import type { SettingValue, SweepSettings, SweepValues } from "../../training/sweep-module.js";
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
import { loadSweepFigures } from "../load-module.js";
import { openQueue, startBackend } from "../open-evaluator.js";
import { alignedTable, createOutput, type Output, shortened } from "../output.js";
import { type PictureCommandOptions, styleOf, styleOptions } from "../pictures.js";
import { loadComparedModule, openSweepComparison, type SweepComparison } from "../sweep-comparison.js";

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
  const { workers, changed, set, by, format: formats, best = COMPARED, loss } = options;
  if (options.compare !== true) refuseStray(options, ["best", "loss"], "--compare", "none");
  checkWhere(defined({ ...pick(options, ["redis", "spool", "store", "queue"]), workers }));
  const folder = outputFolder(options.out, ".");
  const asked = { ...defined({ workers, changed, set, by }), directory: folder };
  // The module, its exports and the folder are checked before a backend is started.
  const { plan } = await checkSweep(file, asked);
  const createFigures = await loadSweepFigures(file);
  const settings = plan.settings.map((one) => one.settings);
  const module = options.compare === true ? await loadComparedModule(file, settings) : null;
  if (module === null && createFigures === null) refuseMovies(formats);
  await startBackend(options.backend, output);
  const how = { best, by, loss, directory: folder, signal };
  const comparison =
    module === null ? null : await openSweepComparison(file, module, settings[0] as SweepSettings, how);
  const bar = output.progress("settings");
  const onProgress = (done: number, total: number, run: SweepRun): void => {
    bar.update(done, total);
    if (!process.stderr.isTTY) output.note(`${done}/${total} ${run.status}: ${run.name}`);
  };
  const runner = isOverQueue(options) ? await openQueue({ ...options, signal }) : undefined;
  const given = { ...asked, ...defined({ runner, checkRuns: comparison?.check }), signal, onProgress };
  const study = await runSweep(file, given).finally(() => {
    bar.stop();
    runner?.dispose();
  });
  output.warn(sweepFailures(study));
  const report = await sweepReport(study, { by });
  // What failed is named already, also where no report could be made.
  output.warn(report.warnings.filter(({ code }) => code !== "sweep-failed"));
  const page = await pageOf(file, study, report, { comparison, createFigures, signal }, output);
  await finish(study, report, page, options, output);
}

/** What stands on the page of a sweep. */
interface SweepPage {
  readonly figures: readonly NamedFigure[];
  /** Sentences above the figures. */
  readonly notes: readonly string[];
  /** Why runs could not be compared. */
  readonly failure: Error | undefined;
}

/** Adds the comparison, and the figures that the module makes itself, to those of the report. */
async function pageOf(
  file: string,
  study: SweepStudy,
  report: SweepReport,
  more: {
    readonly comparison: SweepComparison | null;
    readonly createFigures: CreateSweepFigures | null;
    readonly signal: AbortSignal;
  },
  output: Output,
): Promise<SweepPage> {
  const { comparison, createFigures, signal } = more;
  const figures = [...report.figures];
  const notes: string[] = [];
  let failure: Error | undefined;
  try {
    const compared = await comparison?.figures(report.ranked, output);
    figures.push(...(compared?.figures ?? []));
    notes.push(...(compared?.leftOut ?? []));
  } catch (error) {
    signal.throwIfAborted();
    failure = error instanceof Error ? error : new Error(String(error));
    notes.push(`The landscapes could not be compared: ${failure.message}`);
  }
  if (createFigures !== null) {
    output.note(`figures of ${file}`);
    const taken = figures.map(({ name }) => name);
    const own = await ownFigures(createFigures, study, { directory: study.directory, signal }, taken);
    output.warn(own.warnings);
    notes.push(...own.warnings.map(({ message }) => message));
    figures.push(...own.figures);
  }
  return { figures, notes, failure };
}

/** Nothing moves in a sweep's own figures. */
function refuseMovies(formats: readonly ReportFormat[] | undefined): void {
  const movie = MOVIE_FORMATS.find((format) => formats?.includes(format));
  if (movie === undefined) return;
  throw new InvalidOptionError("--format", "--compare or createFigures(), for a movie of a path", movie);
}

/**
 * Writes the page and says what became of the sweep.
 *
 * @throws the failure of the page, when the rest is written: what is compared is no part of what was trained. So are
 * movies, where nothing moves and nothing else was asked for.
 */
async function finish(
  { directory, runs }: SweepStudy,
  report: SweepReport,
  { figures, notes, failure }: SweepPage,
  options: SweepCommandOptions,
  output: Output,
): Promise<void> {
  const { formats, leftOut } = formatsFor(figures, options.format);
  output.warn(leftOut.map((message) => ({ code: "no-movie", message })));
  const introduction = [...notes, ...leftOut].join(". ") || undefined;
  const write = () =>
    writeReport(directory, figures, {
      ...styleOf(options),
      ...defined({ formats, introduction }),
      title: options.title ?? "Sweep",
      page: "sweep.html",
    });
  const hasFormat = formats === undefined || formats.length > 0;
  const files = await (hasFormat ? write() : Promise.resolve([])).catch((error: unknown) => {
    if (failure === undefined) throw error;
    const message = `the page could not be written: ${messageOf(error)}`;
    output.warn([{ code: "sweep-page", message }]);
    throw failure;
  });
  const failed = runs.filter(({ status }) => status === "failed");
  const result = { directory, score: report.score, files, runs: [...report.ranked, ...failed] };
  const expected = "another format beside, or a figure with a path on a plane or in 3-D";
  const problem =
    failure ?? (hasFormat ? undefined : new InvalidOptionError("--format", expected, "neither"));
  output.result(result, problem);
  for (const line of tableLines(report.figures)) output.print(line);
  if (failed.length > 0)
    output.print(`failed: ${failed.length} of ${runs.length}; the same command tries again`);
  for (const file of files) output.print(file);
  if (problem !== undefined) throw problem;
}

/** The formats asked for, without movies where nothing moves although something might have, if others are left. */
function formatsFor(
  figures: readonly NamedFigure[],
  asked: readonly ReportFormat[] | undefined,
): { readonly formats: readonly ReportFormat[] | undefined; readonly leftOut: readonly string[] } {
  const movies = MOVIE_FORMATS.filter((format) => asked?.includes(format));
  const formats = asked?.filter((format) => !MOVIE_FORMATS.some((movie) => movie === format)) ?? [];
  const isPossible = movies.length === 0 || figures.some(({ figure }) => isMovable(figure));
  if (isPossible) return { formats: asked, leftOut: [] };
  const sentence = `There is no ${movies.join(" and no ")}: no figure has a path on a plane or in 3-D`;
  return { formats, leftOut: [sentence] };
}

/** The table of settings as lines of text. */
function tableLines(figures: readonly NamedFigure[]): readonly string[] {
  const table = figures[0]?.figure.panels.find((panel) => panel.kind === "table");
  if (table === undefined) return [];
  const heads = [table.rowTitle, ...table.columns.map(({ title }) => title)];
  const rows = table.groups.flatMap((group) =>
    group.rows.map(({ name, cells }) => [name, ...cells.map(({ text }) => text)]),
  );
  return shortened(alignedTable([heads, ...rows]), 40);
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
