import type { Command } from "commander";
import {
  interpolateModels,
  interpolationName,
  lineFile,
  randomLinesName,
  sliceRandomLines,
} from "../../analysis/line-stage.js";
import { openModelPoint } from "../../analysis/model-point.js";
import { condenseWarnings } from "../../base/warning.js";
import { createLineFigure } from "../../figure/make/create-line-figure.js";
import type { Run } from "../../store/run/run.js";
import type { AxisRange } from "../../surface/grid.js";
import type { LineSlice } from "../../surface/lines/level-set-width.js";
import { seedBand } from "../../surface/lines/level-set-width.js";
import {
  accuracyFormOf,
  defined,
  lineOptions,
  normalizationOptions,
  outputFolder,
  parseSeeds,
} from "../command-options.js";
import { budgetOf, type InterruptionCommandOptions, interruptible } from "../open-evaluator.js";
import type { Output } from "../output.js";
import { createOutput, lossRange } from "../output.js";
import {
  checkMetric,
  openSliceTools,
  type PictureCommandOptions,
  type SliceCommandOptions,
  type SliceTools,
  writePictures,
} from "../slice-tools.js";
import type { NormalizationCommandOptions } from "./surface-plane.js";

/** Options of `interpolate` and `line`. */
export interface InterpolateCommandOptions
  extends SliceCommandOptions,
    PictureCommandOptions,
    InterruptionCommandOptions {
  readonly range?: AxisRange;
  readonly metric?: string;
  readonly error?: boolean;
  readonly resume?: boolean;
}

/** Options of `line`. */
export interface LineCommandOptions extends InterpolateCommandOptions, NormalizationCommandOptions {
  readonly seeds?: readonly number[];
}

/** `interpolate A B --data MODULE`: loss and metric on the line between two models or snapshots. */
export async function interpolate(
  a: string,
  b: string,
  options: InterpolateCommandOptions,
  output: Output,
): Promise<void> {
  const points = [await openModelPoint(a), await openModelPoint(b)] as const;
  const parts = { command: "interpolate", title: "line between models", name: interpolationName(points) };
  await drawLines({ ...parts, run: points[0].run }, options, output, (sets, common) =>
    interpolateModels(points, sets, common),
  );
}

/** `line RUN --data MODULE`: loss and metric along random directions, with a band over seeds. */
export async function line(reference: string, options: LineCommandOptions, output: Output): Promise<void> {
  const point = await openModelPoint(reference);
  const { seeds, normalize, ignore, oneDimensional } = options;
  const parts = { command: "line", title: "random lines", name: randomLinesName(point) };
  await drawLines({ ...parts, run: point.run }, options, output, (sets, common) =>
    sliceRandomLines(point, sets, { ...common, ...defined({ seeds, normalize, ignore, oneDimensional }) }),
  );
}

/** Which lines are drawn. */
interface LineParts {
  readonly command: string;
  /** Of the progress bar. */
  readonly title: string;
  /** Of the stored file. */
  readonly name: string;
  readonly run: Run;
}

type CommonOptions = NonNullable<Parameters<typeof interpolateModels>[2]>;

/** Opens what evaluates the lines, computes or reads them, and draws them. */
async function drawLines(
  { command, title, name, run }: LineParts,
  options: InterpolateCommandOptions,
  output: Output,
  compute: (sets: SliceTools["sets"], common: CommonOptions) => Promise<LineSlice>,
): Promise<void> {
  const folder = outputFolder(options.out, run.directory);
  const files = [lineFile(folder, name)];
  const places = { train: { files, set: 0 }, test: { files, set: 1 } };
  await interruptible(output, async (signal) => {
    const tools = await openSliceTools(run, options, output, places, signal);
    const bar = output.progress(`${title}, points`);
    try {
      checkMetric(options.metric, tools);
      const { range, batchNorm, force, resume } = options;
      const slice = await compute(tools.sets, {
        ...defined({ range, batchNorm, force, resume }),
        ...defined({ budget: budgetOf(options), directory: folder, signal }),
        onProgress: (done, total) => bar.update(done, total),
      });
      bar.stop();
      await report(command, slice, folder, options, tools, output);
    } finally {
      bar.stop();
      tools.dispose();
    }
  });
}

async function report(
  name: string,
  slice: LineSlice,
  folder: string,
  options: InterpolateCommandOptions,
  tools: SliceTools,
  output: Output,
): Promise<void> {
  output.warn(condenseWarnings(slice.warnings));
  const accuracyAs = accuracyFormOf(options);
  const metric = options.metric === "none" ? null : options.metric;
  const { title } = options;
  const figure = createLineFigure(slice, defined({ metric, accuracyAs, title, dataName: tools.dataName }));
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

/** Declares the arguments and options of `interpolate`. */
export function declareInterpolate(command: Command): void {
  command
    .argument("<a>", "run directory, or RUN@STEP for a snapshot of it")
    .argument("<b>", "run directory, or RUN@STEP");
  lineOptions(command).action((a, b, options) => interpolate(a, b, options, createOutput(options.json)));
}

/** Declares the arguments and options of `line`. */
export function declareLine(command: Command): void {
  command
    .argument("<run>", "run directory, or RUN@STEP for a snapshot of it")
    .option("--seeds <seeds>", "one direction for each: 0,1,2 or 0..9 (default: 0)", parseSeeds);
  normalizationOptions(lineOptions(command)).action((run, options) =>
    line(run, options, createOutput(options.json)),
  );
}
