import { resolve } from "node:path";
import { analyzePlane } from "../../analysis/analyze-runs.js";
import { type ModelPoint, openModelPoint } from "../../analysis/model-point.js";
import type { SlicePlane } from "../../analysis/plane-points.js";
import { evaluatePlane } from "../../analysis/plane-stage.js";
import { surfaceFile } from "../../analysis/slice-options.js";
import { createLinearAlgebra } from "../../backend/linear-algebra/create-linear-algebra.js";
import { FormatError, InvalidOptionError } from "../../base/errors.js";
import { toRows } from "../../base/json.js";
import type { Normalization } from "../../directions/normalize.js";
import type { ParameterRole } from "../../model/layout.js";
import { readDirections } from "../../store/kinds/directions-file.js";
import { approximateFile } from "../../store/kinds/surface-file.js";
import type { Surface } from "../../surface/surface.js";
import {
  type ApproximateCommandOptions,
  accuracyFormOf,
  approximateOf,
  defined,
  outputFolder,
  refuseStray,
} from "../command-options.js";
import { budgetOf, type InterruptionCommandOptions } from "../open-evaluator.js";
import type { Output } from "../output.js";
import { approximationFacts, approximationLines, partialFacts, surfaceSummary } from "../output.js";
import {
  openSliceTools,
  type PictureCommandOptions,
  type SliceCommandOptions,
  writePictures,
} from "../slice-tools.js";
import type { PlaneCommandOptions } from "./pca.js";

/** Options of random directions. */
export interface NormalizationCommandOptions {
  readonly normalize?: Normalization;
  readonly ignore?: readonly ParameterRole[];
  readonly oneDimensional?: "vector" | "reference";
}

/** Options of `surface` with a plane other than that of principal components. */
export interface SurfacePlaneOptions
  extends SliceCommandOptions,
    PlaneCommandOptions,
    PictureCommandOptions,
    NormalizationCommandOptions,
    InterruptionCommandOptions,
    ApproximateCommandOptions {
  readonly plane: SlicePlane;
  readonly resume?: boolean;
  readonly seed?: number;
  readonly points?: readonly [number, number];
  readonly margin?: number;
  readonly range?: string;
  readonly directions?: string;
  readonly metric?: string;
  readonly error?: boolean;
}

/** `surface RUN… --plane PLANE --data MODULE`: a slice through models, stored and drawn. */
export async function surfacePlane(
  references: readonly string[],
  options: SurfacePlaneOptions,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  refuseStray(options, ["margin"], "--plane pca without --test and --batch-norm", `--plane ${options.plane}`);
  if (options.plane !== "pca")
    refuseStray(options, ["center", "components", "weights"], "--plane pca", `--plane ${options.plane}`);
  const approximate = approximateOf(options);
  if (options.error === true && options.metric === undefined) {
    throw new InvalidOptionError("--error", "--metric NAME, of an accuracy", "none");
  }
  const models: ModelPoint[] = [];
  for (const reference of references) models.push(await openModelPoint(reference));
  const [first] = models;
  if (first === undefined) throw new InvalidOptionError("runs", "at least one run", "none");
  const given = await readGiven(options);
  const folder = outputFolder(options.out, first.run.directory);
  const placeOf = (set: string) => {
    const exact = surfaceFile(folder, options.plane, set);
    return { files: [approximate === undefined ? exact : approximateFile(exact)] };
  };
  const places = { train: placeOf("train"), test: placeOf("test") };
  const tools = await openSliceTools(first.run, options, output, places, signal);
  const bar = output.progress("loss surface, points");
  try {
    const { plane, seed, normalize, ignore, oneDimensional, points, range, batchNorm, force, title, resume } =
      options;
    const { dataName } = tools;
    const { directions, path } =
      plane === "pca" ? await principalPlane(models, options) : { directions: given, path: undefined };
    const chosen = {
      seed,
      normalize,
      ignore,
      oneDimensional,
      points,
      range,
      batchNorm,
      force,
      title,
      resume,
    };
    const result = await evaluatePlane(
      plane,
      models,
      tools.sets,
      defined({
        ...chosen,
        approximate,
        directions,
        path,
        metric: options.metric,
        accuracyAs: accuracyFormOf(options),
        dataName,
        directory: folder,
        budget: budgetOf(options),
        signal,
        onProgress: (done: number, total: number) => bar.update(done, total),
      }),
    );
    bar.stop();
    output.warn(result.warnings);
    const files = await writePictures(
      plane,
      folder,
      [{ name: plane, figure: result.figure }],
      options,
      output,
    );
    const sets = Object.fromEntries(result.surfaces.map(({ set, surface }) => [set, facts(surface)]));
    output.result({ plane, ...sets[tools.sets[0]?.name ?? ""], sets, files });
    for (const { set, surface } of result.surfaces) {
      for (const line of [...surfaceSummary(surface), ...approximationLines(surface)])
        output.print(`${set}: ${line}`);
    }
  } finally {
    bar.stop();
    tools.dispose();
  }
}

/** The PCA plane of the one run, and its path. */
async function principalPlane([model, ...others]: readonly ModelPoint[], options: SurfacePlaneOptions) {
  if (model === undefined || others.length > 0 || model.index !== model.run.snapshots.length - 1) {
    throw new InvalidOptionError("runs", "one run for --plane pca", "several, or a snapshot");
  }
  const { center, components, weights, force } = options;
  const { directions, trajectories } = await analyzePlane(
    [model.run],
    createLinearAlgebra(),
    defined({ center, components, weights, force }),
  );
  return { directions, path: trajectories[0] };
}

async function readGiven({ plane, directions: file }: SurfacePlaneOptions) {
  if (plane !== "custom") {
    if (file === undefined) return undefined;
    throw new InvalidOptionError("--directions", "--plane custom", `--plane ${plane}`);
  }
  if (file === undefined) throw new InvalidOptionError("--plane custom", "--directions FILE", "none");
  const directions = await readDirections(resolve(file));
  if (directions === null) throw new FormatError(file, "a file of directions", "no such file");
  return directions;
}

function facts(surface: Surface) {
  const { alpha, beta, loss, metrics, center, engine, nonFinite, partial } = surface;
  const rows = (values: Float64Array): number[][] => toRows(values, beta.length);
  const named = Object.entries(metrics).map(([name, values]) => [name, rows(values)]);
  const values = { alpha, beta, loss: rows(loss), metrics: Object.fromEntries(named) };
  const rest = partial === undefined ? {} : partialFacts(surface, partial);
  return { ...values, center, engine, nonFinite, ...rest, ...approximationFacts(surface) };
}
