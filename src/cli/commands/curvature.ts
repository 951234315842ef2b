import { type Command, Option } from "commander";
import omit from "lodash/omit.js";
import {
  type ConvexityOptions,
  convexityOnPlane,
  type StoredConvexity,
} from "../../analysis/analyze-convexity.js";
import { analyzeCurvature, curvatureDirections, planeHessian } from "../../analysis/analyze-curvature.js";
import { analyzePlane, checkPlaneOptions } from "../../analysis/analyze-plane.js";
import { analyzeStability, resolveStabilitySettings } from "../../analysis/analyze-stability.js";
import { type AnalyzeCurvatureOptions, resolveCurvatureSettings } from "../../analysis/curvature-parts.js";
import { isModelPoint, modelOf, openSubject, type Subject } from "../../analysis/model-point.js";
import type { PlaneSpec } from "../../analysis/plane-spec.js";
import { readFigures } from "../../analysis/read-figures.js";
import type { NamedFigure } from "../../analysis/write-report.js";
import type { BackendChoice } from "../../backend/current-backend.js";
import { InvalidOptionError, RunStateError } from "../../base/errors.js";
import { defined } from "../../base/json.js";
import type { Directions } from "../../directions/directions.js";
import type { Figure } from "../../figure/figure.js";
import { withConvexity } from "../../figure/make/create-convexity-figure.js";
import type { ParameterRole } from "../../model/layout.js";
import { partOfRun, type Run } from "../../store/run/run.js";
import {
  outputFolder,
  parseCount,
  parsePositive,
  parseRoles,
  parseSize,
  refuseStray,
  type StepCommandOptions,
  stepOptions,
} from "../command-options.js";
import { mapFacts, mapLine, stabilityLines, summaryFacts, summaryLines } from "../curvature-output.js";
import {
  checkWhere,
  dataOptions,
  type EvaluationCommandOptions,
  isOverQueue,
  type LossCommandOptions,
  type QueueCommandOptions,
  workerOptions,
} from "../evaluation-options.js";
import { interruptible } from "../interruption.js";
import { checkSampleCount, type ModelAndData } from "../load-module.js";
import {
  derivativesOf,
  type Evaluation,
  evaluationOf,
  openQueue,
  type SliceTools,
} from "../open-evaluator.js";
import { CURVATURE_TITLES, createOutput, type Output, stepProgress } from "../output.js";
import { type PictureCommandOptions, pictureOptions, writePictures } from "../pictures.js";

/** Options of a convexity map. */
export interface MapCommandOptions
  extends QueueCommandOptions,
    Pick<EvaluationCommandOptions, "workers" | "threads"> {
  /** Whether eigenvalues are computed at every point of a grid as well. */
  readonly map?: boolean;
  readonly plane?: "random" | "hessian" | "pca";
  readonly size?: readonly [number, number];
  readonly grid?: string;
  readonly mapProducts?: number;
}

/**
 * Options of `curvature`: what is computed at one model, and on a grid around it. Something that is computed elsewhere
 * (along the trajectory) adds its switch here, and its step to {@link curvature}.
 */
export interface CurvatureCommandOptions
  extends LossCommandOptions,
    MapCommandOptions,
    PictureCommandOptions,
    StepCommandOptions {
  readonly top?: number;
  readonly trace?: boolean;
  readonly density?: boolean;
  readonly perLayer?: boolean;
  readonly gaussNewton?: boolean;
  readonly ignore?: readonly ParameterRole[];
  readonly products?: number;
  readonly steps?: number;
  readonly probes?: number;
  readonly tolerance?: number;
  readonly seed?: number;
  readonly batchSize?: number;
  readonly backend?: BackendChoice;
  readonly force?: boolean;
  readonly trajectory?: boolean;
  readonly snapshots?: number;
  readonly minibatch?: number;
  readonly differences?: boolean;
}

/** Options of the map alone: the loss of a plane is computed in this process, it is little beside its curvature. */
const ELSEWHERE = ["workers", "threads", "redis", "spool", "store", "queue"] as const;
/** Options that have no effect without a map. */
const MAP_ONLY = ["plane", "size", "grid", "mapProducts", ...ELSEWHERE] as const;

/** `curvature RUN --data MODULE`: exact curvature of the loss at a model. */
export async function curvature(
  reference: string,
  options: CurvatureCommandOptions,
  evaluation: Evaluation,
  output: Output,
): Promise<void> {
  if (options.trajectory === true) {
    await trajectory(reference, options, evaluation, output);
    return;
  }
  for (const name of ["snapshots", "minibatch"] as const) {
    if (options[name] === undefined) continue;
    throw new InvalidOptionError(`--${name}`, "to stand beside --trajectory", String(options[name]));
  }
  const settings = settingsOf(options);
  resolveCurvatureSettings(settings);
  if (options.density !== true) refuseStray(options, ["steps", "probes"], "--density", "none");
  if (options.trace !== true && options.perLayer !== true) {
    refuseStray(options, ["products"], "--trace or --per-layer", "neither");
  }
  const { from, until, map = false, size, grid, differences = false } = options;
  if (differences && (map || options.gaussNewton === true)) {
    throw new InvalidOptionError("--differences", "neither --map nor --gauss-newton", "both");
  }
  if (!map) refuseStray(options, MAP_ONLY, "--map", "none");
  checkPlaneOptions({ size, grid });
  checkWhere(options);
  const subject = await openSubject(reference);
  const point = await modelOf(isModelPoint(subject) ? subject : partOfRun(subject, { from, until }));
  const { run } = point;
  const folder = outputFolder(options.out, run.directory);
  await interruptible(output, async (signal) => {
    const tools = map ? await evaluation.open(run, output, { signal }) : null;
    const opened = tools === null ? await evaluation.load(run, output) : derivativesOf(tools, run);
    const { model, data, dataName } = opened;
    const steps = stepProgress(output, CURVATURE_TITLES);
    const work = {
      evaluation: {
        ...opened.loss,
        ...defined({ batchSize: options.batchSize }),
        ...(differences ? { products: "differences" as const } : {}),
      },
      directory: folder,
      force: options.force,
      signal,
      onProgress: steps.onProgress,
      figure: { title: options.title, names: { data: dataName } },
    };
    try {
      const { summary, directions, figure, warnings } = await analyzeCurvature(point, model, data, {
        ...settings,
        ...work,
      });
      const figures: NamedFigure[] = [{ name: "curvature", figure }];
      const found = tools === null ? null : await mapped(subject, options, tools, opened, work, figures);
      steps.stop();
      output.warn([...warnings, ...(found?.warnings ?? [])]);
      const files = await writePictures("curvature", folder, figures, options, output);
      output.result({
        ...summaryFacts(summary),
        vectors: directions?.vectors.length ?? 0,
        ...(found === null ? {} : { map: mapFacts(found.map) }),
        files,
      });
      for (const line of summaryLines(summary)) output.print(line);
      if (found !== null) output.print(mapLine(found.map));
    } finally {
      steps.stop();
      tools?.dispose();
    }
  });
}

/** Options of a single model, which have no meaning along a run. */
const OF_ONE_MODEL = [
  "top",
  "density",
  "perLayer",
  "gaussNewton",
  "ignore",
  "steps",
  "probes",
  "differences",
  "map",
  ...MAP_ONLY,
] as const;

/** Products for the trace of each snapshot, unless told otherwise. */
const TRACE_PRODUCTS = 20;

/** `curvature RUN --trajectory`: how sharp the loss is along the run, against the optimizer's own edge of stability. */
async function trajectory(
  reference: string,
  options: CurvatureCommandOptions,
  evaluation: Evaluation,
  output: Output,
): Promise<void> {
  for (const name of OF_ONE_MODEL) {
    if (options[name] === undefined) continue;
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new InvalidOptionError(flag, "not to stand beside --trajectory", "both");
  }
  if (options.trace !== true) refuseStray(options, ["products"], "--trace", "none");
  const { snapshots, minibatch, tolerance, seed, products = TRACE_PRODUCTS, from, until } = options;
  const settings = {
    ...defined({ snapshots, minibatch, tolerance, seed }),
    traceProducts: options.trace === true ? products : 0,
  };
  resolveStabilitySettings(settings);
  const subject = await openSubject(reference);
  if (isModelPoint(subject)) {
    throw new InvalidOptionError("--trajectory", "a run, whose snapshots are gone through", reference);
  }
  const run = partOfRun(subject, { from, until });
  const folder = outputFolder(options.out, run.directory);
  await interruptible(output, async (signal) => {
    const { model, data, loss, dataName } = await evaluation.load(run, output);
    checkSampleCount("--minibatch", minibatch, data);
    const steps = stepProgress(output, { stability: "snapshots" });
    try {
      const { stability, figure, warnings } = await analyzeStability(run, model, data, {
        ...settings,
        evaluation: { ...loss, ...defined({ batchSize: options.batchSize, sampleLimit: options.samples }) },
        directory: folder,
        force: options.force,
        signal,
        onProgress: steps.onProgress,
        figure: { title: options.title, names: { data: dataName } },
        trajectory: await trajectoryFigure(run),
      });
      steps.stop();
      output.warn(warnings);
      const files = await writePictures(
        "curvature",
        folder,
        [{ name: "stability", figure }],
        options,
        output,
      );
      output.result({ ...stability, fidelity: figure.fidelity, files });
      for (const line of stabilityLines(stability)) output.print(line);
      for (const line of figure.fidelity) output.print(line);
    } finally {
      steps.stop();
    }
  });
}

/** The picture of the run's trajectory, if one is stored. */
async function trajectoryFigure(run: Run): Promise<Figure | undefined> {
  try {
    return (await readFigures(run)).figures.find(({ name }) => name === "plot")?.figure;
  } catch (error) {
    if (error instanceof RunStateError) return undefined;
    throw error;
  }
}

/** The loss on a plane, and the eigenvalues at every point of the same grid; adds their figure. */
async function mapped(
  subject: Subject,
  options: CurvatureCommandOptions,
  { sets }: SliceTools,
  { model, data, dataName, isOfModule }: ModelAndData,
  work: Pick<ConvexityOptions, "evaluation" | "directory" | "force" | "signal" | "onProgress"> &
    Pick<AnalyzeCurvatureOptions, "onProgress" | "figure">,
  figures: NamedFigure[],
): Promise<StoredConvexity> {
  const { plane: kind = "random", size, grid, seed, from, until, workers, threads, mapProducts } = options;
  const part = isModelPoint(subject) ? subject : partOfRun(subject, { from, until });
  const plane: PlaneSpec =
    kind === "hessian"
      ? {
          kind,
          directions: await curvatureDirections(part, model, data, ["eigenvector", "eigenvector"], work),
        }
      : { kind, seed };
  const { evaluation, directory, force, signal, onProgress } = work;
  const { run } = isModelPoint(part) ? part : { run: part };
  const analysis = await analyzePlane([part], plane, {
    hessian: planeHessian(run, model, data, { evaluation, directory, force, signal }),
    ...{ sets, size, grid, directory, force, signal },
    batchNorm: "keep",
    figure: work.figure,
  });
  const [surface] = analysis.surfaces;
  const runner = isOverQueue(options) ? await openQueue({ ...options, signal }) : undefined;
  const found = await convexityOnPlane(
    run,
    analysis.directions as Directions,
    (surface as NonNullable<typeof surface>).surface,
    model,
    data,
    {
      ...{ evaluation, directory, force, signal, onProgress, workers, runner, threads, seed, dataName },
      products: mapProducts,
      matrix: options.gaussNewton === true ? "gauss-newton" : "hessian",
      // Workers elsewhere have the module only if they were started with it.
      setup: runner === undefined || isOfModule ? options.data : undefined,
    },
  ).finally(() => runner?.dispose());
  figures.push({
    name: `convexity-${kind}`,
    figure: withConvexity(analysis.figure as Figure, found.map, found.facts),
  });
  return { ...found, warnings: [...analysis.warnings, ...found.warnings] };
}

function settingsOf(options: CurvatureCommandOptions) {
  const { top, trace, density, perLayer, ignore, products, steps, probes, tolerance, seed } = options;
  return {
    ...defined({ top, trace, density, perLayer, ignore, products, steps, probes, tolerance, seed }),
    matrix: options.gaussNewton === true ? ("gauss-newton" as const) : ("hessian" as const),
  };
}

/** Declares the arguments and options of `curvature`. */
export function declareCurvature(command: Command): void {
  command
    .argument("<run>", "run directory (its last snapshot), or RUN@STEP for a snapshot of it")
    .option("--top <n>", "eigenpairs of largest magnitude; 0: none (default: 5)", parseCount("--top", 0))
    .option("--trace", "the trace, with its standard error")
    .option("--density", "the spectral density")
    .option("--per-layer", "largest eigenvalue and trace of each layer's own block")
    .option("--gauss-newton", "the Gauss-Newton matrix instead of the Hessian (wants --loss logits)")
    .option(
      "--differences",
      "differences of gradients, checked, where a smooth network has no exact second derivatives",
    )
    .addOption(
      new Option("--ignore <roles>", "roles of weights that do not count (default: none)").argParser(
        parseRoles,
      ),
    )
    .option("--samples <n>", "only the first samples (default: all)", parseCount("--samples"))
    .option("--seed <n>", "seed of random vectors (default: 0)", parseCount("--seed", 0))
    .option("--products <n>", "products at most for each trace (default: 100)", parseCount("--products", 4))
    .option(
      "--steps <n>",
      "Lanczos steps for each vector of the density (default: 96)",
      parseCount("--steps", 2),
    )
    .option("--probes <n>", "random vectors of the density (default: 4)", parseCount("--probes"))
    .option(
      "--tolerance <share>",
      "residual that is small enough, as a share of the largest |λ| (default: 1e-4)",
      parsePositive("--tolerance"),
    )
    .option("--regularization", "add the model's regularization penalties to the loss")
    .option(
      "--trajectory",
      "along the run: λ₁, batch and critical sharpness against the optimizer's own edge of stability",
    )
    .option("--snapshots <n>", "snapshots along the run at most (default: 20)", parseCount("--snapshots"))
    .option(
      "--minibatch <n>",
      "samples of a mini-batch, for batch sharpness (default: as trained)",
      parseCount("--minibatch"),
    )
    .option("--map", "smallest and largest eigenvalue at every point of a grid on a plane, beside its loss")
    .addOption(
      new Option("--plane <plane>", "plane of the map (default: random)").choices([
        "random",
        "hessian",
        "pca",
      ]),
    )
    .addOption(new Option("--size <n>", "grid points of the map (default: 21)").argParser(parseSize))
    .option("--grid <grid>", 'coordinates of the map, "x0:x1:nx,y0:y1:ny"')
    .option(
      "--map-products <n>",
      "products at most at each point of the map (default: 60)",
      parseCount("--map-products", 4),
    )
    .option("--force", "compute again, also where stored results are up to date");
  pictureOptions(workerOptions(dataOptions(stepOptions(command)))).action((run, options) =>
    curvature(
      run,
      options,
      evaluationOf({ ...omit(options, ELSEWHERE), data: options.data }),
      createOutput(options),
    ),
  );
}
