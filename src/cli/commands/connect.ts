import { type Command, Option } from "commander";
import { analyzeConnection } from "../../analysis/connect.js";
import { isModelPoint, type ModelPoint, modelOf, openSubject } from "../../analysis/model-point.js";
import { EvaluationError } from "../../base/errors.js";
import { condenseWarnings } from "../../base/warning.js";
import { ALIGN_METHODS, type AlignMethod } from "../../between/align-models.js";
import { type Barrier, barriersOf } from "../../between/barrier.js";
import type { Connection } from "../../between/connection.js";
import type { PathLosses } from "../../between/path-losses.js";
import { partOfRun } from "../../store/run/run.js";
import {
  outputFolder,
  parseCount,
  pictureOptions,
  type StepCommandOptions,
  sliceOptions,
  stepOptions,
} from "../command-options.js";
import {
  checkMetric,
  interruptible,
  lineFigureOptions,
  openSliceTools,
  type PictureCommandOptions,
  type SliceCommandOptions,
  writePictures,
} from "../open-evaluator.js";
import { alignedTable, createOutput, type Output } from "../output.js";

/** Options of `connect`. */
export interface ConnectCommandOptions
  extends SliceCommandOptions,
    PictureCommandOptions,
    StepCommandOptions {
  readonly align?: AlignMethod | "none";
  readonly tries?: number;
  readonly seed?: number;
  readonly points?: number;
  readonly metric?: string;
  readonly error?: boolean;
  readonly accuracy?: boolean;
}

/** `connect A B --data MODULE`: barriers between two models, before and after their units are matched. */
export async function connect(
  a: string,
  b: string,
  options: ConnectCommandOptions,
  output: Output,
): Promise<void> {
  const { from, until, align, tries, seed, points, force } = options;
  const models: ModelPoint[] = [];
  for (const reference of [a, b]) {
    const subject = await openSubject(reference);
    models.push(await modelOf(isModelPoint(subject) ? subject : partOfRun(subject, { from, until })));
  }
  const { run } = models[0] as ModelPoint;
  const directory = outputFolder(options.out, run.directory);
  await interruptible(output, async (signal) => {
    const tools = await openSliceTools(run, options, output, undefined, signal);
    const bar = output.progress("paths between models, points");
    try {
      checkMetric(options.metric, tools);
      const { model, data } = tools;
      if (model === null) throw new EvaluationError(run.directory, "a run of a model", "one of variables");
      const { connection, figure } = await analyzeConnection(models, model, data, {
        sets: tools.sets,
        align: align === "none" ? null : align,
        tries,
        seed,
        points,
        force,
        directory,
        signal,
        onProgress: (_, done, total) => bar.update(done, total),
        figure: lineFigureOptions(options, tools),
      });
      bar.stop();
      output.warn(condenseWarnings(connection.warnings));
      const files = await writePictures("connect", directory, [{ name: "connect", figure }], options, output);
      output.result({ ...facts(connection, options), files });
      for (const line of summary(connection)) output.print(line);
    } finally {
      bar.stop();
      tools.dispose();
    }
  });
}

/** What `--json` says: the line and the aligned line under the policy asked for, and all paths. */
function facts(
  { names, alignment, paths }: Connection,
  { batchNorm = "interpolate" }: ConnectCommandOptions,
) {
  const chosen = (name: string) =>
    paths.find((path) => path.name === name && (path.policy === batchNorm || path.policy === "none"));
  const [line, aligned] = [chosen("line"), chosen("aligned line")].map((path) =>
    path === undefined ? undefined : pathFacts(path),
  );
  return {
    names,
    line,
    ...(aligned === undefined ? {} : { aligned }),
    ...(alignment === null
      ? {}
      : {
          permuted: alignment.moved,
          units: alignment.units,
          distance: alignment.distance,
          align: alignment.method,
        }),
    paths: paths.map((path) => ({
      name: path.name,
      policy: path.policy,
      t: path.t,
      arcLength: path.arcLength,
      values: path.values,
      barriers: barriersOf(path),
    })),
  };
}

/** Barrier of the loss on the training set, and on the test set where there is one. */
function pathFacts(path: PathLosses) {
  const [train, test] = barriersOf(path);
  return {
    policy: path.policy,
    ...brief((train as NonNullable<typeof train>).loss),
    ...(test === undefined ? {} : { test: brief(test.loss) }),
  };
}

const brief = ({ maximum, aboveLine, aboveMean, ends }: Barrier) => ({
  maximum,
  barrier: aboveLine,
  aboveMean,
  ends,
});

function summary({ names, alignment, paths }: Connection): string[] {
  const number = (value: number) => value.toPrecision(4);
  const rows = paths.flatMap((path) =>
    barriersOf(path).map(({ set, loss }) => [
      `${path.name}${path.policy === "none" ? "" : ` (${path.policy})`}, ${set}`,
      number(loss.ends[0]),
      number(loss.ends[1]),
      number(loss.maximum),
      number(loss.aboveLine),
      number(loss.aboveMean),
    ]),
  );
  const table = alignedTable([["path", "start", "end", "largest", "barrier", "above mean"], ...rows]);
  if (alignment === null) return table;
  const { method, moved, units, distance } = alignment;
  const apart = `${number(distance.before)} to ${number(distance.after)}`;
  return [
    ...table,
    `units of ${names[1]} matched by ${method}: ${moved} of ${units} moved, distance ${apart}`,
  ];
}

/** Declares the arguments and options of `connect`. */
export function declareConnect(command: Command): void {
  command
    .argument("<a>", "run directory, or RUN@STEP for a snapshot of it")
    .argument("<b>", "run directory, or RUN@STEP")
    .addOption(
      new Option("--align <how>", "match the units of B to those of A (default: weights)").choices([
        ...ALIGN_METHODS,
        "none",
      ]),
    )
    .option(
      "--tries <n>",
      "starts of matching by weights, the best counts (default: 5)",
      parseCount("--tries"),
    )
    .option("--seed <n>", "seed of matching by weights (default: 0)", parseCount("--seed", 0))
    .option("--points <n>", "points of each path (default: 25)", parseCount("--points", 3))
    .option("--metric <name>", 'metric in panels of its own, or "none" (default: the first)')
    .option("--accuracy", "show accuracy instead of error")
    .option("--force", "compute again, also where stored results are up to date");
  pictureOptions(sliceOptions(stepOptions(command))).action((a, b, options) =>
    connect(a, b, options, createOutput(options)),
  );
}
