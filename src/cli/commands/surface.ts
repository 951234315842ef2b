import { join, resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  CURVATURE_AXES,
  type CurvatureAxis,
  curvatureDirections,
  type PlaneHessian,
  planeHessian,
} from "../../analysis/analyze-curvature.js";
import { analyzePlane, checkPlaneOptions, type PlaneAnalysis } from "../../analysis/analyze-plane.js";
import type { CurvatureStep } from "../../analysis/curvature-parts.js";
import { isModelPoint, openSubject, type Subject } from "../../analysis/model-point.js";
import {
  checkPlane,
  isBetween,
  PLANE_KINDS,
  type PlaneKind,
  type PlaneSpec,
} from "../../analysis/plane-spec.js";
import { FormatError, InvalidOptionError } from "../../base/errors.js";
import { defined, toRows } from "../../base/json.js";
import { condenseWarnings } from "../../base/warning.js";
import { STYLE_OPTION_NAMES } from "../../figure/files/picture-style.js";
import { namesInFolder } from "../../store/arrow/regular-file.js";
import { readDirections } from "../../store/kinds/directions-file.js";
import { partOfRun, type Run } from "../../store/run/run.js";
import type { SurfaceShard } from "../../surface/evaluate-points.js";
import type { Surface } from "../../surface/surface.js";
import {
  type ApproximateCommandOptions,
  approximateOf,
  approximateOptions,
  gridOptions,
  type NormalizationCommandOptions,
  normalizationOptions,
  outputFolder,
  parseCount,
  pathOptions,
  planeOptions,
  refuseStray,
  renamedOption,
  stepOptions,
} from "../command-options.js";
import { type SliceCommandOptions, sliceOptions } from "../evaluation-options.js";
import {
  budgetOf,
  type InterruptionCommandOptions,
  interruptible,
  interruptionOptions,
} from "../interruption.js";
import { derivativesOf, type Evaluation, evaluationOf, type SliceTools } from "../open-evaluator.js";
import {
  analysisProgress,
  approximationFacts,
  approximationLines,
  CURVATURE_TITLES,
  createOutput,
  type Output,
  partialFacts,
  type StepProgress,
  stepProgress,
  surfaceSummary,
} from "../output.js";
import {
  accuracyFormOf,
  type PictureCommandOptions,
  pictureOptions,
  type StyleCommandOptions,
  writePictures,
} from "../pictures.js";
import type { PlaneCommandOptions } from "./pca.js";

/** Options of `surface`. */
export interface SurfaceCommandOptions
  extends PlaneCommandOptions,
    Pick<SliceCommandOptions, "test" | "batchNorm" | "engine" | "batchSize">,
    PictureCommandOptions,
    NormalizationCommandOptions,
    InterruptionCommandOptions,
    ApproximateCommandOptions {
  readonly plane?: PlaneKind;
  readonly resume?: boolean;
  readonly seed?: number;
  readonly size?: readonly [number, number];
  readonly margin?: number;
  readonly pathLosses?: number | "all";
  readonly grid?: string;
  readonly directions?: string;
  readonly second?: CurvatureAxis;
  /** Whether the Hessian within the plane is drawn. */
  readonly ellipse?: boolean;
  readonly metric?: string;
  readonly error?: boolean;
  readonly shard?: SurfaceShard;
}

/** `surface RUN… --data MODULE`: a loss surface, by default around a run's trajectory on its PCA plane. */
export async function surface(
  references: readonly string[],
  options: SurfaceCommandOptions,
  evaluation: Evaluation,
  output: Output,
): Promise<void> {
  return interruptible(output, (signal) => surfaceUntil(references, options, evaluation, output, signal));
}

async function surfaceUntil(
  references: readonly string[],
  options: SurfaceCommandOptions,
  evaluation: Evaluation,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const { plane = "pca", size, margin, grid, pathLosses, metric, from, until } = options;
  const approximate = approximateOf(options);
  const isDrawn = checkCommand(references, options);
  // The directions of a Hessian plane want the model: they are computed when that is open.
  const given = plane === "hessian" ? null : await specOf(plane, options);
  if (given !== null) checkPlane(given);
  checkPlaneOptions({ size, margin, grid, pathLosses, approximate, budget: budgetOf(options) });
  const subjects: Subject[] = [];
  for (const reference of references) subjects.push(await openSubject(reference));
  const run = runOf(subjects[0] as Subject);
  const whole = outputFolder(options.out, run.directory);
  const folder = options.shard === undefined ? whole : shardFolder(whole, options.shard);
  const places = (set: string) => ({
    folder,
    names: [`${plane}-${set}`, ...(set === "train" ? [plane] : [])],
  });
  const tools = await evaluation.open(run, output, {
    places: { train: places("train"), test: places("test") },
    signal,
  });
  const { onProgress, stop } = analysisProgress(output);
  const steps = stepProgress(output, CURVATURE_TITLES);
  try {
    const spec = given ?? (await hessianPlane(subjects[0] as Subject, options, tools, folder, steps, signal));
    const analysis = await analyzePlane(subjects, spec, {
      sets: tools.sets,
      size,
      margin,
      grid,
      pathLosses,
      from,
      until,
      batchNorm: options.batchNorm,
      approximate,
      hessian: options.ellipse === true ? ellipseOf(run, tools, folder, options, signal) : undefined,
      budget: budgetOf(options),
      directory: folder,
      shard: options.shard,
      elsewhere: options.shard === undefined ? await shardsIn(whole) : [whole],
      force: options.force,
      resume: options.resume,
      signal,
      onProgress,
      figure: {
        title: options.title,
        metric,
        accuracyAs: accuracyFormOf(options),
        names: { data: tools.dataName },
      },
    });
    stop();
    output.warn(condenseWarnings(analysis.warnings));
    if (options.shard !== undefined) {
      output.result({ shard: options.shard, folder });
      output.print(`stored in ${folder}; the same command without --shard joins all parts`);
      return;
    }
    await report(analysis, isDrawn ? folder : null, options, output);
    if (!isDrawn) output.print(`draw it with: tfjs-landscape plot ${references[0]}`);
  } finally {
    stop();
    tools.dispose();
  }
}

function ellipseOf(
  run: Run,
  tools: SliceTools,
  directory: string,
  { force }: SurfaceCommandOptions,
  signal: AbortSignal,
): PlaneHessian {
  const { model, data, loss } = derivativesOf(tools, run);
  return planeHessian(run, model, data, { evaluation: loss, directory, force, signal });
}

/** Computes, or reads, the directions of a Hessian plane. */
async function hessianPlane(
  subject: Subject,
  options: SurfaceCommandOptions,
  tools: SliceTools,
  directory: string,
  steps: StepProgress<CurvatureStep>,
  signal: AbortSignal,
): Promise<PlaneSpec> {
  const { from, until, force, second = "eigenvector" } = options;
  const part = isModelPoint(subject) ? subject : partOfRun(subject, { from, until });
  const axes = ["eigenvector", second] as const;
  const { model, data, loss } = derivativesOf(tools, runOf(subject));
  try {
    const how = { evaluation: loss, directory, force, signal, onProgress: steps.onProgress };
    return { kind: "hessian", directions: await curvatureDirections(part, model, data, axes, how) };
  } finally {
    steps.stop();
  }
}

function runOf(subject: Subject): Run {
  return isModelPoint(subject) ? subject.run : subject;
}

/** Refuses options that would be without effect; says whether the command draws pictures itself. */
function checkCommand(references: readonly string[], options: SurfaceCommandOptions): boolean {
  const { plane = "pca", test, metric, error } = options;
  const has = `--plane ${plane}`;
  if (error === true && metric === undefined) {
    throw new InvalidOptionError("--error", "--metric NAME, of an accuracy", "none");
  }
  if (options.shard !== undefined && (options.engine ?? "auto") === "auto") {
    throw new InvalidOptionError("--shard", "--engine NAME, so that all parts have the same bits", "none");
  }
  if (options.shard !== undefined && options.batchSize === undefined) {
    throw new InvalidOptionError("--shard", "--batch-size N, so that all parts have the same bits", "none");
  }
  if (plane !== "pca") refuseStray(options, ["centering", "components", "weights"], "--plane pca", has);
  if (isBetween(plane)) refuseStray(options, ["ellipse"], "a plane around one model", has);
  if (plane !== "hessian") refuseStray(options, ["second"], "--plane hessian", has);
  if (plane !== "custom") refuseStray(options, ["directions"], "--plane custom", has);
  else if (options.directions === undefined) {
    throw new InvalidOptionError("--plane custom", "--directions FILE", "none");
  }
  const isRandom = plane === "random" || plane.startsWith("ineffective-");
  if (!isRandom) {
    refuseStray(options, ["normalize", "ignore", "oneDimensional"], "--plane random or another", has);
  }
  if (!isRandom && plane !== "pca" && plane !== "moments")
    refuseStray(options, ["seed"], "--plane random or another", has);
  const hasPath = plane === "pca" || plane.startsWith("ineffective-");
  if (!hasPath || isBetween(plane)) {
    refuseStray(options, ["margin", "pathLosses"], "a plane with a path", has);
  }
  if (plane === "pca" && references.length > 1 && options.out === undefined) {
    throw new InvalidOptionError(
      "runs",
      "one run for --plane pca, or --out DIR for several",
      String(references.length),
    );
  }
  const isMap = test === true || metric !== undefined || error === true || options.batchNorm !== undefined;
  if (plane !== "pca" || isMap || references.length > 1) return true;
  const hint = `draw the surface with: tfjs-landscape plot ${references[0]}`;
  const ofPictures = Object.keys({ ...STYLE_OPTION_NAMES, styleFile: true }) as (keyof StyleCommandOptions)[];
  refuseStray(options, ["out", "format", "title", ...ofPictures], "--plane random or another", has, hint);
  return false;
}

/** Where a part of the points is stored, for a call that joins them. */
function shardFolder(folder: string, { index, count }: SurfaceShard): string {
  return join(folder, "shards", `${index}-of-${count}`);
}

async function shardsIn(folder: string): Promise<string[]> {
  const names = await namesInFolder(join(folder, "shards"));
  return names.filter((name) => /^\d+-of-\d+$/.test(name)).map((name) => join(folder, "shards", name));
}

/** Parses "2/8". */
function parseShard(text: string): SurfaceShard {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text.trim()) ?? [];
  const shard = { index: Number(index), count: Number(count) };
  if (shard.index >= 1 && shard.index <= shard.count && shard.count <= 10_000) return shard;
  throw new InvalidArgumentError(`--shard: expected I/N with I from 1 to N, such as 2/8, got "${text}".`);
}

async function specOf(
  plane: Exclude<PlaneKind, "hessian">,
  options: SurfaceCommandOptions,
): Promise<PlaneSpec> {
  const { centering, components, weights, seed, normalize, ignore, oneDimensional } = options;
  switch (plane) {
    case "pca":
      return { kind: plane, centering, components, weights, seed };
    case "random":
    case "ineffective-random":
    case "ineffective-initial":
      return { kind: plane, seed, ...defined({ normalize, ignore, oneDimensional }) };
    case "moments":
      return { kind: plane, seed };
    case "custom": {
      const file = options.directions as string;
      const directions = await readDirections(resolve(file));
      if (directions === null) throw new FormatError(file, "a file of directions", "no such file");
      return { kind: plane, directions };
    }
    default:
      return { kind: plane };
  }
}

async function report(
  { plane, surfaces, figure }: PlaneAnalysis,
  folder: string | null,
  options: SurfaceCommandOptions,
  output: Output,
): Promise<void> {
  const [first] = surfaces;
  if (first === undefined || figure === null) return;
  if (folder === null) output.result(facts(first.surface));
  else {
    const files = await writePictures(plane, folder, [{ name: plane, figure }], options, output);
    const sets = Object.fromEntries(surfaces.map(({ set, surface: one }) => [set, facts(one)]));
    output.result({ plane, ...sets[first.set], sets, files });
  }
  for (const { set, surface: one } of surfaces) {
    for (const line of [...surfaceSummary(one), ...approximationLines(one)]) {
      output.print(folder === null ? line : `${set}: ${line}`);
    }
  }
  if (plane === "pca") for (const sentence of figure.fidelity) output.print(sentence);
}

function facts(found: Surface) {
  const { alpha, beta, loss, metrics, center, engine, nonFinite, partial } = found;
  const rows = (values: Float64Array): number[][] => toRows(values, beta.length);
  const named = Object.entries(metrics).map(([name, values]) => [name, rows(values)]);
  const values = { alpha, beta, loss: rows(loss), metrics: Object.fromEntries(named) };
  const rest = partial === undefined ? {} : partialFacts(found, partial);
  return { ...values, center, engine, nonFinite, ...rest, ...approximationFacts(found) };
}

/** Declares the arguments and options of `surface`. */
export function declareSurface(command: Command): void {
  planeOptions(command)
    .argument("<runs...>", "run directories; RUN@A..B is a part of a run, RUN@STEP a snapshot")
    .addOption(new Option("--plane <plane>", "where the surface lies").choices(PLANE_KINDS).default("pca"));
  pathOptions(gridOptions(command));
  renamedOption(
    command,
    new Option("--grid <grid>", 'literal coordinates "x0:x1:nx,y0:y1:ny" instead of those around the path'),
    "range",
  );
  stepOptions(command)
    .option("--seed <n>", "seed of random directions (default: 0)", parseCount("--seed", 0))
    .addOption(
      new Option(
        "--second <axis>",
        "second axis of --plane hessian, beside the top eigenvector (default: eigenvector)",
      ).choices(CURVATURE_AXES),
    )
    .option("--ellipse", "draw the Hessian within the plane as an ellipse at its centre")
    .option("--directions <file>", "Arrow file of directions for --plane custom")
    .option(
      "--shard <i/n>",
      "evaluate one of n parts of the points; the command without it joins them",
      parseShard,
    )
    .option("--metric <name>", "metric to draw instead of the loss")
    .option("--error", "show error instead of accuracy, with --metric");
  const slice = normalizationOptions(sliceOptions(command));
  pictureOptions(approximateOptions(interruptionOptions(slice))).action((runs, options) =>
    surface(runs, options, evaluationOf(options), createOutput(options)),
  );
}
