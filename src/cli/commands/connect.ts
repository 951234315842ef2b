import { type Command, Option } from "commander";
import { analyzeConnection, checkConnection } from "../../analysis/connect.js";
import { analyzeSolutionTree, type SolutionTree } from "../../analysis/connect-tree.js";
import type { CurveRequest } from "../../analysis/curve-stage.js";
import { isModelPoint, type ModelPoint, modelOf, openSubject } from "../../analysis/model-point.js";
import { EvaluationError, InvalidOptionError } from "../../base/errors.js";
import { defined } from "../../base/json.js";
import { condenseWarnings } from "../../base/warning.js";
import { ALIGN_METHODS, type AlignMethod } from "../../between/align-models.js";
import { NEB_CYCLES } from "../../between/auto-neb.js";
import { type Barrier, barriersOf } from "../../between/barrier.js";
import type { Connection } from "../../between/connection.js";
import { CURVE_KINDS, type CurveKind } from "../../between/curve.js";
import { CURVE_OPTIMIZERS, type CurveOptimizer } from "../../between/descent.js";
import type { PathLosses } from "../../between/path-losses.js";
import { pairCount } from "../../between/solution-tree.js";
import { MOST_BENDS } from "../../between/train-curve.js";
import { partOfRun } from "../../store/run/run.js";
import {
  checkTries,
  outputFolder,
  parseCount,
  parsePositive,
  type StepCommandOptions,
  stepOptions,
  triesOption,
} from "../command-options.js";
import { type SliceCommandOptions, sliceOptions } from "../evaluation-options.js";
import { interruptible } from "../interruption.js";
import { checkMetric, type Evaluation, evaluationOf } from "../open-evaluator.js";
import { alignedTable, createOutput, type Output } from "../output.js";
import {
  type AccuracyCommandOptions,
  lineFigureOptions,
  type PictureCommandOptions,
  pictureOptions,
  writePictures,
} from "../pictures.js";

/** Options of `connect`. */
export interface ConnectCommandOptions
  extends Pick<SliceCommandOptions, "force" | "loss" | "batchNorm">,
    PictureCommandOptions,
    AccuracyCommandOptions,
    StepCommandOptions {
  readonly align?: AlignMethod | "none";
  readonly tries?: number;
  readonly seed?: number;
  readonly points?: number;
  readonly curve?: CurveKind;
  readonly bends?: number;
  readonly curveEpochs?: number;
  readonly curveOptimizer?: CurveOptimizer;
  readonly curveRate?: number;
  readonly curveBatch?: number;
  readonly curvePoints?: number;
  readonly nebScale?: number;
  readonly mapSize?: number;
  readonly pairs?: number;
  readonly metric?: string;
}

/** `connect A B [C …] --data MODULE`: barriers between models, aligned lines and curves; a tree over more than two. */
export async function connect(
  references: readonly string[],
  options: ConnectCommandOptions,
  evaluation: Evaluation,
  output: Output,
): Promise<void> {
  const { from, until, align, tries, seed, points, curvePoints, mapSize, force } = options;
  const curve = curveRequest(options);
  checkTreeOptions(references.length, options);
  checkTries(tries, align ?? "weights");
  const method = align === "none" ? null : align;
  checkConnection({ align: method, tries, seed, points, curve, curvePoints, mapSize });
  const models: ModelPoint[] = [];
  for (const reference of references) {
    const subject = await openSubject(reference);
    models.push(await modelOf(isModelPoint(subject) ? subject : partOfRun(subject, { from, until })));
  }
  const { run } = models[0] as ModelPoint;
  const directory = outputFolder(options.out, run.directory);
  await interruptible(output, async (signal) => {
    const tools = await evaluation.open(run, output, { signal });
    const bars = createBars(output);
    try {
      checkMetric(options.metric, tools);
      const { model, data, otherLoss } = tools;
      if (model === null) throw new EvaluationError(run.directory, "a run of a model", "one of variables");
      if (curve !== undefined && otherLoss !== null) {
        throw new InvalidOptionError(
          "--curve",
          "the model's compiled loss, which curves are trained on",
          otherLoss,
        );
      }
      const figure = lineFigureOptions(options, tools);
      const common = {
        sets: tools.sets,
        align: method,
        ...{ tries, seed, points, curve, curvePoints, force, directory, signal },
      } as const;
      if (models.length > 2) {
        const { pairs } = options;
        const onProgress = bars.follow;
        const tree = await analyzeSolutionTree(models, model, data, { ...common, pairs, figure, onProgress });
        bars.stop();
        output.warn(tree.warnings);
        const figures = [{ name: "connect", figure: tree.figure }];
        const files = await writePictures("connect", directory, figures, options, output);
        output.result({ ...treeFacts(tree), files });
        for (const line of treeSummary(tree)) output.print(line);
        return;
      }
      const found = await analyzeConnection(models, model, data, {
        ...common,
        mapSize,
        figure,
        onProgress: bars.follow,
      });
      bars.stop();
      const { connection } = found;
      output.warn(condenseWarnings(found.warnings));
      const figures = [
        { name: "connect", figure: found.figure },
        ...(found.map === null ? [] : [{ name: "connect-curve", figure: found.map }]),
      ];
      const files = await writePictures("connect", directory, figures, options, output);
      output.result({ ...facts(connection, options), files });
      for (const line of summary(connection)) output.print(line);
    } finally {
      bars.stop();
      tools.dispose();
    }
  });
}

const STEPS = {
  curve: "curve, epochs",
  connection: "paths between models, points",
  map: "map of the curve, points",
  pairs: "pairs of solutions",
} as const;

/** A bar for each step, one after another. */
function createBars(output: Output) {
  let now: { readonly step: keyof typeof STEPS; readonly bar: ReturnType<Output["progress"]> } | null = null;
  const stop = (): void => {
    now?.bar.stop();
    now = null;
  };
  return {
    follow(step: keyof typeof STEPS, done: number, total: number) {
      if (now?.step !== step) {
        stop();
        now = { step, bar: output.progress(STEPS[step]) };
      }
      now.bar.update(done, total);
    },
    stop,
  };
}

/** The curve that is asked for; undefined for none. */
function curveRequest(options: ConnectCommandOptions): CurveRequest | undefined {
  const {
    curve: kind,
    bends,
    curveEpochs,
    curveOptimizer: optimizer,
    curveRate,
    curveBatch,
    nebScale,
  } = options;
  const refuse = (name: string, value: unknown, where: string) => {
    if (value !== undefined) throw new InvalidOptionError(name, where, String(value));
  };
  const trained = { "--bends": bends, "--curve-epochs": curveEpochs };
  const all = { "--curve-optimizer": optimizer, "--curve-rate": curveRate, "--curve-batch": curveBatch };
  const drawn = { "--curve-points": options.curvePoints, "--map-size": options.mapSize };
  if (kind === undefined) {
    for (const [name, value] of Object.entries({ ...trained, ...all, ...drawn, "--neb-scale": nebScale })) {
      refuse(name, value, "--curve beside it");
    }
    return undefined;
  }
  if (kind === "neb") {
    for (const [name, value] of Object.entries(trained)) refuse(name, value, "none with --curve neb");
    const rateScale = curveRate === undefined ? undefined : curveRate / NEB_CYCLES[0].learningRate;
    return { kind, optimizer, rateScale, stepScale: nebScale, batchSize: curveBatch };
  }
  refuse("--neb-scale", nebScale, "--curve neb beside it");
  if (kind === "bezier" && bends !== 1) refuse("--bends", bends, "1 for a quadratic Bezier curve");
  if (bends !== undefined && bends > MOST_BENDS) refuse("--bends", bends, `at most ${MOST_BENDS}`);
  return { kind, bends, epochs: curveEpochs, optimizer, learningRate: curveRate, batchSize: curveBatch };
}

function checkTreeOptions(
  models: number,
  { pairs, mapSize, metric, loss, curve }: ConnectCommandOptions,
): void {
  if (curve !== undefined && loss === "logits")
    throw new InvalidOptionError(
      "--curve",
      "the compiled loss, which curves are trained on",
      "--loss logits",
    );
  if (models === 2 && pairs !== undefined)
    throw new InvalidOptionError("--pairs", "more than 2 models", String(models));
  if (models === 2) return;
  if (pairs !== undefined) pairCount(models, pairs);
  for (const [name, value] of Object.entries({ "--map-size": mapSize, "--metric": metric })) {
    if (value !== undefined) throw new InvalidOptionError(name, "2 models", String(models));
  }
}

/** What `--json` says of a tree. */
function treeFacts({ names, pairs }: SolutionTree) {
  return {
    names,
    pairs: pairs.map(({ connection, path, height, isInTree }) => ({
      models: connection.names,
      path: path.name,
      policy: path.policy,
      maximum: height,
      isInTree,
    })),
  };
}

function treeSummary({ pairs }: SolutionTree): string[] {
  const rows = pairs.map(({ connection, path, height, isInTree }) => [
    connection.names.join(" to "),
    path.name,
    height.toPrecision(4),
    isInTree ? "yes" : "no",
  ]);
  return alignedTable([["pair", "lowest path", "largest loss", "in the tree"], ...rows]);
}

/** What `--json` says: the line and the aligned line under the policy asked for, and all paths. */
function facts(
  { names, alignment, paths, curve }: Connection,
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
    ...defined({ aligned }),
    ...(alignment === null
      ? {}
      : {
          permuted: alignment.moved,
          units: alignment.units,
          distance: alignment.distance,
          align: alignment.method,
        }),
    ...(curve === null ? {} : { curve }),
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

function summary({ names, alignment, paths, curve }: Connection): string[] {
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
  if (curve !== null) {
    const { kind, bends, epochs, iterations, seconds } = curve;
    table.push(
      `curve: ${kind}, bends or pivots ${bends}, ${epochs} epochs or cycles, ${iterations} steps in ${seconds.toFixed(0)} s`,
    );
  }
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
  triesOption(command)
    .argument("<a>", "run directory, or RUN@STEP for a snapshot of it")
    .argument("<b>", "run directory, or RUN@STEP")
    .argument("[more...]", "more of them: a tree over all")
    .addOption(
      new Option("--align <how>", "match the units of B to those of A (default: weights)").choices([
        ...ALIGN_METHODS,
        "none",
      ]),
    )
    .option("--seed <n>", "seed of matching by weights (default: 0)", parseCount("--seed", 0))
    .option("--points <n>", "points of each path (default: 25)", parseCount("--points", 3))
    .addOption(
      new Option("--curve <kind>", "train a curve of low loss from A to B (default: none)").choices(
        CURVE_KINDS,
      ),
    )
    .option("--bends <n>", "bends of a polychain, at most 100 (default: 1)", parseCount("--bends"))
    .option("--curve-epochs <n>", "epochs that bends are trained (default: 30)", parseCount("--curve-epochs"))
    .addOption(
      new Option(
        "--curve-optimizer <name>",
        "what moves bends (default: adam) or pivots (default: momentum)",
      ).choices(CURVE_OPTIMIZERS),
    )
    .option(
      "--curve-rate <rate>",
      "learning rate at first (default: 0.003; of a band 0.1)",
      parsePositive("--curve-rate"),
    )
    .option(
      "--curve-batch <n>",
      "samples per gradient of a curve (default: 128)",
      parseCount("--curve-batch"),
    )
    .option("--curve-points <n>", "points of the curve (default: 61)", parseCount("--curve-points", 3))
    .option("--neb-scale <factor>", "factor of a band's steps (default: 1)", parsePositive("--neb-scale"))
    .option(
      "--map-size <n>",
      "points a side of the map that holds the curve, 0 for none (default: 21)",
      parseCount("--map-size", 0),
    )
    .option("--pairs <n>", "pairs that a tree looks at (default: twice its edges)", parseCount("--pairs"))
    .option("--metric <name>", 'metric in panels of its own, or "none" (default: the first)')
    .option("--accuracy", "show accuracy instead of error")
    .option("--force", "compute again, also where stored results are up to date");
  pictureOptions(sliceOptions(stepOptions(command))).action((a, b, more, options) =>
    connect([a, b, ...more], options, evaluationOf(options), createOutput(options)),
  );
}
