import { type Command, Option } from "commander";
import { CURVATURE_AXES, type CurvatureAxis, curvatureDirections } from "../../analysis/analyze-curvature.js";
import { analyzeLine, type LineSpec, lineName } from "../../analysis/analyze-line.js";
import { type AlignedPoint, alignPoint } from "../../analysis/connect.js";
import { isModelPoint, type ModelPoint, modelOf, openSubject } from "../../analysis/model-point.js";
import type { NamedFigure } from "../../analysis/write-report.js";
import { EvaluationError } from "../../base/errors.js";
import { defined } from "../../base/json.js";
import { condenseWarnings } from "../../base/warning.js";
import { ALIGN_METHODS, type AlignMethod } from "../../between/align-models.js";
import { partOfRun } from "../../store/run/run.js";
import { type LineSlice, seedBand } from "../../surface/lines/level-set-width.js";
import {
  alignMethodOf,
  type NormalizationCommandOptions,
  normalizationOptions,
  outputFolder,
  parseLineGrid,
  parseSeeds,
  refuseStray,
  renamedOption,
  type StepCommandOptions,
  stepOptions,
  triesOption,
} from "../command-options.js";
import { type SliceCommandOptions, sliceOptions } from "../evaluation-options.js";
import {
  budgetOf,
  type InterruptionCommandOptions,
  interruptible,
  interruptionOptions,
} from "../interruption.js";
import {
  checkMetric,
  derivativesOf,
  type Evaluation,
  evaluationOf,
  type SliceTools,
} from "../open-evaluator.js";
import { CURVATURE_TITLES, createOutput, lossRange, type Output, stepProgress } from "../output.js";
import { lineFigureOptions, type PictureCommandOptions, pictureOptions, writePictures } from "../pictures.js";

/** Options of `interpolate` and `line`. */
export interface InterpolateCommandOptions
  extends Pick<SliceCommandOptions, "batchNorm" | "force">,
    PictureCommandOptions,
    StepCommandOptions,
    InterruptionCommandOptions {
  readonly grid?: string;
  readonly metric?: string;
  readonly error?: boolean;
  readonly resume?: boolean;
  /** Of `interpolate`: how the units of the second model are matched to those of the first one. */
  readonly align?: AlignMethod | true;
  readonly tries?: number;
}

/** Options of `line`. */
export interface LineCommandOptions extends InterpolateCommandOptions, NormalizationCommandOptions {
  readonly seeds?: readonly number[];
  /** A direction that the model's curvature gives, instead of random ones. */
  readonly along?: CurvatureAxis;
}

/** `interpolate A B --data MODULE`: loss and metric on the line between two models or snapshots. */
export async function interpolate(
  a: string,
  b: string,
  options: InterpolateCommandOptions,
  evaluation: Evaluation,
  output: Output,
): Promise<void> {
  await drawLines("interpolate", [a, b], { kind: "models" }, options, evaluation, output);
}

/** `line RUN --data MODULE`: loss and metric along random directions, with a band over seeds. */
export async function line(
  reference: string,
  options: LineCommandOptions,
  evaluation: Evaluation,
  output: Output,
): Promise<void> {
  const { seeds, normalize, ignore, oneDimensional, along } = options;
  if (along !== undefined) {
    const has = `--along ${along}`;
    refuseStray(options, ["seeds", "normalize", "ignore", "oneDimensional"], "random directions", has);
    return drawLines("line", [reference], along, options, evaluation, output);
  }
  const spec = { kind: "random", ...defined({ seeds, normalize, ignore, oneDimensional }) } as const;
  await drawLines("line", [reference], spec, options, evaluation, output);
}

const TITLES = { interpolate: "line between models", line: "random lines" };

/** Opens what evaluates the lines, computes or reads them, and draws them. */
async function drawLines(
  command: "interpolate" | "line",
  references: readonly string[],
  asked: LineSpec | CurvatureAxis,
  options: InterpolateCommandOptions,
  evaluation: Evaluation,
  output: Output,
): Promise<void> {
  const { from, until, grid, batchNorm, force, resume } = options;
  alignMethodOf(options);
  const models: ModelPoint[] = [];
  for (const reference of references) {
    const subject = await openSubject(reference);
    models.push(await modelOf(isModelPoint(subject) ? subject : partOfRun(subject, { from, until })));
  }
  const { run } = models[0] as ModelPoint;
  const folder = outputFolder(options.out, run.directory);
  const isAxis = typeof asked === "string";
  const names = [isAxis ? `along-${asked}` : lineName(asked, models)];
  const places = { train: { folder, names, set: 0 }, test: { folder, names, set: 1 } };
  await interruptible(output, async (signal) => {
    const tools = await evaluation.open(run, output, { places, signal });
    const bar = output.progress(`${TITLES[command]}, points`);
    try {
      checkMetric(options.metric, tools);
      const aligned = await alignedSecond(models, options, tools, signal);
      if (aligned !== null) {
        models[1] = aligned.point;
        output.warn(aligned.warnings);
        output.print(aligned.sentence);
      }
      const spec = isAxis
        ? await lineAlongAxis(asked, models[0] as ModelPoint, options, tools, folder, output, signal)
        : asked;
      const { slice, figure } = await analyzeLine(models, spec, {
        sets: tools.sets,
        grid,
        batchNorm,
        force,
        resume,
        budget: budgetOf(options),
        directory: folder,
        signal,
        onProgress: (_, done, total) => bar.update(done, total),
        figure: lineFigureOptions(options, tools),
      });
      bar.stop();
      await report(command, slice, figure, folder, options, tools, output);
    } finally {
      bar.stop();
      tools.dispose();
    }
  });
}

/** Computes, or reads, the direction that a model's curvature gives. */
async function lineAlongAxis(
  axis: CurvatureAxis,
  point: ModelPoint,
  { force }: InterpolateCommandOptions,
  tools: SliceTools,
  directory: string,
  output: Output,
  signal: AbortSignal,
): Promise<LineSpec> {
  const { model, data, loss } = derivativesOf(tools, point.run);
  const { onProgress, stop } = stepProgress(output, CURVATURE_TITLES);
  try {
    const how = { evaluation: loss, directory, force, signal, onProgress };
    return {
      kind: "along",
      name: axis,
      directions: await curvatureDirections(point, model, data, [axis], how),
    };
  } finally {
    stop();
  }
}

/** The second model aligned to the first one, where that is asked for. */
async function alignedSecond(
  [a, b]: readonly ModelPoint[],
  options: InterpolateCommandOptions,
  { model, data }: SliceTools,
  signal: AbortSignal,
): Promise<AlignedPoint | null> {
  const method = alignMethodOf(options);
  if (method === undefined || a === undefined || b === undefined) return null;
  if (model === null) throw new EvaluationError(a.run.directory, "a run of a model", "one of variables");
  return alignPoint(a, b, model, data, { method, tries: options.tries, signal });
}

async function report(
  name: string,
  slice: LineSlice,
  figure: NamedFigure["figure"],
  folder: string,
  options: InterpolateCommandOptions,
  tools: SliceTools,
  output: Output,
): Promise<void> {
  output.warn(condenseWarnings(slice.warnings));
  const files = await writePictures(name, folder, [{ name, figure }], options, output);
  const [first] = slice.curves;
  output.result({
    kind: slice.kind,
    alpha: slice.alpha,
    curves: slice.curves.map(({ set, seed, surface: { loss, metrics, center, nonFinite, partial } }) => ({
      set,
      seed,
      loss,
      metrics,
      center,
      nonFinite,
      ...(partial === undefined ? {} : { evaluated: partial.evaluated, partial: partial.budget }),
    })),
    marks: slice.marks,
    batchNorm: slice.batchNorm,
    engine: first?.surface.engine,
    files,
  });
  for (const { name: set } of tools.sets) {
    const { median } = seedBand(slice, set);
    const finite = median.filter(Number.isFinite);
    if (finite.length > 0) output.print(`${set}: ${lossRange(finite)} at ${slice.alpha.length} points`);
  }
  const partial = slice.curves.map(({ surface }) => surface.partial).find((one) => one !== undefined);
  if (partial !== undefined) {
    output.print(`not all points are evaluated (stopped after ${partial.budget}); the same command goes on`);
  }
}

/** Options of the commands that draw a line. */
function lineOptions(command: Command): Command {
  const grid = new Option("--grid <grid>", 'literal coordinates "x0:x1:n", such as -0.5:1.5:41');
  renamedOption(command, grid.argParser(parseLineGrid), "range");
  const line = stepOptions(command)
    .option("--metric <name>", 'metric on the second axis, or "none" (default: the first)')
    .option("--error", "show error instead of accuracy")
    .option("--force", "compute again, also where stored results are up to date");
  return pictureOptions(interruptionOptions(sliceOptions(line)));
}

/** Declares the arguments and options of `interpolate`. */
export function declareInterpolate(command: Command): void {
  command
    .argument("<a>", "run directory, or RUN@STEP for a snapshot of it")
    .argument("<b>", "run directory, or RUN@STEP")
    .addOption(
      new Option("--align [how]", "match the units of B to those of A first (default: weights)").choices(
        ALIGN_METHODS,
      ),
    );
  lineOptions(triesOption(command)).action((a, b, options) =>
    interpolate(a, b, options, evaluationOf(options), createOutput(options)),
  );
}

/** Declares the arguments and options of `line`. */
export function declareLine(command: Command): void {
  command
    .argument("<run>", "run directory, or RUN@STEP for a snapshot of it")
    .addOption(
      new Option("--along <direction>", "a direction of the curvature instead of random ones").choices(
        CURVATURE_AXES,
      ),
    )
    .option("--seeds <seeds>", "one direction for each: 0,1,2 or 0..9 (default: 0)", parseSeeds);
  normalizationOptions(lineOptions(command)).action((run, options) =>
    line(run, options, evaluationOf(options), createOutput(options)),
  );
}
