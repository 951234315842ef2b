import { resolve } from "node:path";
import { condenseWarnings } from "../../condense-warnings.js";
import { interpolateModels, sliceRandomLines } from "../../pipeline/line-stage.js";
import { openModelPoint } from "../../pipeline/model-point.js";
import { createLineFigure } from "../../report/create-line-figure.js";
import type { LineSlice } from "../../slices/line-slice.js";
import { seedBand } from "../../slices/seed-band.js";
import type { AxisRange } from "../../surface/axis.js";
import { accuracyFormOf } from "../accuracy-form.js";
import { defined } from "../defined.js";
import type { Output } from "../output.js";
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
export interface InterpolateCommandOptions extends SliceCommandOptions, PictureCommandOptions {
  readonly range?: AxisRange;
  readonly metric?: string;
  readonly error?: boolean;
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
  const tools = await openSliceTools(points[0].run, options, output);
  const folder = options.out === undefined ? points[0].run.directory : resolve(options.out);
  await withProgress("line between models", tools, output, async (onProgress) => {
    checkMetric(options.metric, tools);
    const slice = await interpolateModels(points, tools.sets, {
      ...common(options, tools, folder),
      onProgress,
    });
    await report("interpolate", slice, folder, options, tools, output);
  });
}

/** `line RUN --data MODULE`: loss and metric along random directions, with a band over seeds. */
export async function line(reference: string, options: LineCommandOptions, output: Output): Promise<void> {
  const point = await openModelPoint(reference);
  const tools = await openSliceTools(point.run, options, output);
  const folder = options.out === undefined ? point.run.directory : resolve(options.out);
  const { seeds, normalize, ignore, oneDimensional } = options;
  await withProgress("random lines", tools, output, async (onProgress) => {
    checkMetric(options.metric, tools);
    const slice = await sliceRandomLines(point, tools.sets, {
      ...common(options, tools, folder),
      ...defined({ seeds, normalize, ignore, oneDimensional }),
      onProgress,
    });
    await report("line", slice, folder, options, tools, output);
  });
}

function common({ range, batchNorm, force }: InterpolateCommandOptions, tools: SliceTools, folder: string) {
  return defined({ range, batchNorm, force, recalibrator: tools.recalibrator, directory: folder });
}

async function withProgress(
  title: string,
  tools: SliceTools,
  output: Output,
  work: (onProgress: (done: number, total: number) => void) => Promise<void>,
): Promise<void> {
  const bar = output.progress(title);
  try {
    await work((done, total) => bar.update(done, total));
  } finally {
    bar.stop();
    tools.dispose();
  }
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
    curves: slice.curves.map(({ set, seed, surface: { loss, metrics, center, nonFinite } }) => ({
      set,
      seed,
      loss,
      metrics,
      center,
      nonFinite,
    })),
    marks: slice.marks,
    batchNorm: slice.batchNorm,
    engine: first?.surface.engine,
    files,
  });
  for (const { name: set } of tools.sets) {
    const { median } = seedBand(slice, set);
    const finite = median.filter(Number.isFinite);
    const [least, most] = [Math.min(...finite), Math.max(...finite)].map((value) => value.toPrecision(4));
    output.print(`${set}: loss from ${least} to ${most} at ${slice.alpha.length} points`);
  }
}
