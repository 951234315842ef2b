import { join } from "node:path";
import pick from "lodash/pick.js";
import uniq from "lodash/uniq.js";
import { InvalidOptionError } from "../base/errors.js";
import { defined } from "../base/json.js";
import { refuseRenamed } from "../base/option-names.js";
import { type JsonValue, type Provenance, sha256 } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Directions } from "../directions/directions.js";
import { mixtureMap } from "../directions/mixture.js";
import { type NormalizeOptions, resolveNormalizeOptions } from "../directions/normalize.js";
import { randomDirections } from "../directions/random.js";
import type { SlicePoints } from "../directions/slice-map.js";
import type { Figure } from "../figure/figure.js";
import { createLineFigure } from "../figure/make/create-line-figures.js";
import type { BatchNormPolicyName } from "../loss/slice-loss.js";
import { readLineSlice, writeLineSlice } from "../store/kinds/line-file.js";
import { curvePointTiles } from "../store/kinds/surface-journal.js";
import { engineRequestOf, keyedName } from "../store/kinds/surface-key.js";
import { memoResumably } from "../store/results/memo.js";
import { asNewest } from "../store/results/result-order.js";
import type { StepOptions } from "../store/run/run.js";
import { type AxisGrid, parseGrid } from "../surface/grid.js";
import {
  DEFAULT_INTERPOLATION,
  DEFAULT_RANDOM_GRID,
  interpolateLine,
  type LineOptions,
  lineAlong,
  randomLines,
} from "../surface/lines/evaluate-lines.js";
import type { EvaluationSet, LineSlice } from "../surface/lines/level-set-width.js";
import { betweenWarnings } from "./batch-norm.js";
import { alignedModels, type ModelPoint, namesOfModels, type Subject } from "./model-point.js";
import type { ChartFigureOptions } from "./options.js";
import {
  checkEvaluation,
  type EvaluationOptions,
  type ProgressOptions,
  type ResultOptions,
} from "./options.js";
import { changedLoss, isStillTrue } from "./stored-values.js";
import { weightWarnings } from "./trained-weights.js";

/**
 * A line, or several:
 * - "models": between two models;
 * - "random": along random directions from a model, one for each seed;
 * - "along": along a given direction through a model.
 */
export type LineSpec =
  | { readonly kind: "models" }
  | ({
      readonly kind: "random";
      /** One direction for each. Default [0]. */
      readonly seeds?: readonly number[] | undefined;
    } & NormalizeOptions)
  | {
      readonly kind: "along";
      /** Their first vector counts. */
      readonly directions: Directions;
      /** One word that files are named by: "gradient". Default "direction". */
      readonly name?: string | undefined;
    };

/** Options of {@link analyzeLine}. */
export interface AnalyzeLineOptions
  extends Omit<EvaluationOptions, "approximate">,
    ResultOptions,
    ProgressOptions<"line">,
    StepOptions {
  /** Coordinates, "x0:x1:n". Default −0.5:1.5:41 between models, −1:1:51 along random directions. */
  readonly grid?: string | undefined;
  readonly figure?: ChartFigureOptions | undefined;
}

/** Lines and their figure. */
export interface LineAnalysis {
  readonly slice: LineSlice;
  readonly figure: Figure;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Evaluates loss and metrics on a line on each evaluation set, or reads them if they are stored, and draws them.
 * Results are stored as `lines/….arrow`; other settings replace nothing. A line that was interrupted goes on later
 * with the same bits.
 *
 * @param subjects - two models (or runs) for "models", one for "random".
 * @throws {@link InvalidOptionError} for another number of subjects, or an option that cannot be used;
 * {@link LayoutError} if the models differ in their parameters.
 * @example await analyzeLine([sgd, adam], { kind: "models" }, { sets: [{ name: "train", evaluator }] });
 */
export async function analyzeLine(
  subjects: readonly Subject[],
  line: LineSpec,
  options: AnalyzeLineOptions = {},
): Promise<LineAnalysis> {
  refuseRenamed(options, "line");
  checkEvaluation(pick(options, ["sets", "batchNorm", "budget"]));
  const wanted = line.kind === "models" ? 2 : 1;
  if (subjects.length !== wanted) {
    const expected = `${wanted} ${wanted === 1 ? "model" : "models"} for line "${line.kind}"`;
    throw new InvalidOptionError("models", expected, String(subjects.length));
  }
  const models = await alignedModels(subjects, options);
  const slice = await evaluateLine(models, line, options);
  const { title, metric, accuracyAs, names } = options.figure ?? {};
  const figure = createLineFigure(slice, {
    ...defined({ title, metric, accuracyAs, dataName: names?.data }),
  });
  const [set] = options.sets ?? [];
  const runs = models.map(({ run }) => run);
  const weights = set === undefined ? [] : weightWarnings(runs, set.evaluator.facts);
  return { slice, figure, warnings: [...weights, ...slice.warnings] };
}

/** Reads lines if they are stored, otherwise evaluates them and writes them. */
async function evaluateLine(
  models: readonly ModelPoint[],
  line: LineSpec,
  options: AnalyzeLineOptions,
): Promise<LineSlice> {
  const { sets = [], directory = (models[0] as ModelPoint).run.directory } = options;
  const settled = settle(models, line, options);
  const provenance = sliceProvenance(
    settled.kind,
    settled.given,
    settled.seed,
    models,
    sets,
    settled.batchNorm,
  );
  const file = join(directory, "lines", keyedName([settled.name], provenance));
  const changed: LandscapeWarning[] = [];
  const read = async (from: string, expected: Provenance): Promise<LineSlice | null> => {
    const slice = await readLineSlice(from, expected);
    if (slice === null || isPartial(slice)) return slice;
    if (await isCurrent(slice, settled.first(), sets, settled.batchNorm, options.signal)) return slice;
    changed.push(changedLoss(from));
    return null;
  };
  const policyWarningsOf = async ({ curves }: LineSlice): Promise<LandscapeWarning[]> => {
    const [set, curve] = [sets[0], curves[0]];
    if (line.kind !== "models" || set === undefined || curve === undefined) return [];
    const { layout } = (models[0] as ModelPoint).run;
    const { surface } = curve;
    return betweenWarnings(
      settled.first(),
      surface,
      layout,
      settled.batchNorm,
      set.evaluator,
      options.signal,
    );
  };
  const slice = await memoResumably(
    {
      what: "line",
      file,
      // Where version 1 stored it.
      elsewhere: [join(directory, "lines", `${settled.name}.arrow`)],
      provenance,
      read,
      write: async (place, value, made) => writeLineSlice(place, value, await asNewest(place, made)),
      engines: sets.map(({ evaluator }) => evaluator.facts.engine),
      metrics: uniq(sets.flatMap(({ evaluator }) => evaluator.facts.metricNames)),
      tiles: curvePointTiles,
      isPartial,
      ...pick(options, ["force", "resume"]),
    },
    async (resumed) => {
      const made = await settled.compute({ ...pick(options, ["budget", "signal"]), ...resumed });
      return { ...made, warnings: [...made.warnings, ...(await policyWarningsOf(made))] };
    },
  );
  return changed.length === 0 ? slice : { ...slice, warnings: [...slice.warnings, ...changed] };
}

type Compute = (
  options: Pick<LineOptions, "known" | "onPoint"> & Pick<AnalyzeLineOptions, "budget" | "signal">,
) => Promise<LineSlice>;

/** What lines are computed with, and what they are known by. */
interface SettledLine {
  readonly kind: string;
  readonly name: string;
  readonly given: { readonly [key: string]: JsonValue };
  readonly seed: number | null;
  readonly batchNorm: BatchNormPolicyName;
  /** Where the points of the first line lie. */
  readonly first: () => SlicePoints;
  readonly compute: Compute;
}

/** What the files of a line are called, before the digits that tell its settings. */
export function lineName(spec: LineSpec, models: readonly ModelPoint[]): string {
  const digests = models.map(({ digest }) => digest.slice(0, 8));
  if (spec.kind === "along") return ["along", spec.name ?? "direction", ...digests].join("-");
  return [spec.kind === "models" ? "interpolate" : "random", ...digests].join("-");
}

function settle(models: readonly ModelPoint[], line: LineSpec, options: AnalyzeLineOptions): SettledLine {
  const [a, b] = models as readonly [ModelPoint, ModelPoint?];
  const { sets = [], onProgress } = options;
  const report = (done: number, total: number, eta: number) => onProgress?.("line", done, total, eta);
  if (line.kind === "models") {
    const grid = lineGrid(options.grid) ?? DEFAULT_INTERPOLATION;
    const names = namesOfModels(models) as [string, string];
    const { batchNorm = "interpolate" } = options;
    const thetas = [a.theta, (b as ModelPoint).theta] as const;
    return {
      kind: "line-between-models",
      name: lineName(line, models),
      given: { range: storedAxis(grid), batchNorm, names },
      seed: null,
      batchNorm,
      first: () => mixtureMap("line", thetas, names),
      compute: (resumed) =>
        interpolateLine(sets, thetas, defined({ ...resumed, grid, batchNorm, names, onProgress: report })),
    };
  }
  const grid = lineGrid(options.grid) ?? DEFAULT_RANDOM_GRID;
  const { batchNorm = "keep" } = options;
  if (line.kind === "along") {
    const { directions } = line;
    const { center, vectors, labels } = directions;
    const settings = { batchNorm, name: a.name };
    return {
      kind: "line-along",
      name: lineName(line, models),
      given: {
        ...settings,
        range: storedAxis(grid),
        label: labels[0] ?? "",
        direction: sha256(center, vectors[0] as Float32Array),
      },
      seed: null,
      batchNorm,
      first: () => ({ ...directions, vectors: vectors.slice(0, 1) }),
      compute: (resumed) =>
        lineAlong(sets, directions, defined({ ...resumed, ...settings, grid, onProgress: report })),
    };
  }
  const { seeds = [0] } = line;
  const normalization = resolveNormalizeOptions(line);
  const settings = { ...normalization, seeds, batchNorm, name: a.name };
  return {
    kind: "random-lines",
    name: lineName(line, models),
    given: { ...settings, range: storedAxis(grid) },
    seed: seeds[0] ?? null,
    batchNorm,
    first: () => randomDirections(a.run.layout, a.theta, { ...normalization, seed: seeds[0] ?? 0, count: 1 }),
    compute: (resumed) =>
      randomLines(
        sets,
        a.run.layout,
        a.theta,
        defined({ ...resumed, ...settings, grid, onProgress: report }),
      ),
  };
}

/** Parses "x0:x1:n". */
export function lineGrid(grid: string | undefined): AxisGrid | undefined {
  if (grid === undefined) return undefined;
  const { alpha, beta } = parseGrid(grid);
  if (beta === null) return alpha;
  throw new InvalidOptionError("grid", "one axis, such as -0.5:1.5:41", JSON.stringify(grid));
}

/** The coordinates of a line as stored results name them. */
export function storedAxis({ from, to, size }: AxisGrid) {
  return { from, to, points: size };
}

/** Whether the first curve of each set is what its evaluator still computes. */
async function isCurrent(
  { curves }: LineSlice,
  points: SlicePoints,
  sets: readonly EvaluationSet[],
  batchNorm: BatchNormPolicyName,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (const { name, evaluator } of sets) {
    const surface = curves.find(({ set }) => set === name)?.surface;
    if (surface === undefined) continue;
    const { alpha, loss, metrics, center } = surface;
    const values = Array.from(alpha, (at, i) => {
      const named = Object.entries(metrics).map(([metric, column]) => [metric, column[i] as number] as const);
      return { alpha: at, beta: 0, value: { loss: loss[i] as number, metrics: Object.fromEntries(named) } };
    });
    const stored = [{ alpha: 0, beta: 0, value: center }, ...values.filter((value) => value.alpha !== 0)];
    if (!(await isStillTrue(evaluator, points, batchNorm, stored, signal))) return false;
  }
  return true;
}

function isPartial({ curves }: LineSlice): boolean {
  return curves.some(({ surface }) => surface.partial !== undefined);
}

/** Everything that the values of lines, and of what is read from a few points, depend on. */
export function sliceProvenance(
  kind: string,
  options: { readonly [key: string]: JsonValue },
  seed: number | null,
  points: readonly ModelPoint[],
  sets: readonly EvaluationSet[],
  batchNorm?: BatchNormPolicyName,
): Provenance {
  const calibration = (batchNorm === "recalibrate" ? sets[0]?.evaluator.facts.calibration : null) ?? null;
  return {
    kind,
    version: 1,
    options: {
      ...options,
      sets: sets.map(({ name, evaluator: { facts } }) => ({
        name,
        loss: facts.lossMode,
        metrics: facts.metricNames,
        samples: facts.samples,
        ...defined({ weights: facts.weights }),
        engine: { ...engineRequestOf(facts) },
      })),
      calibrationSamples: calibration?.samples ?? null,
    },
    seed,
    inputs: {
      ...Object.fromEntries(points.map(({ digest }, i) => [`model${i}`, digest])),
      ...Object.fromEntries(sets.map(({ name, evaluator }) => [`data:${name}`, evaluator.facts.dataDigest])),
      ...Object.fromEntries(
        sets.map(({ name, evaluator }) => [`network:${name}`, evaluator.facts.modelDigest]),
      ),
      ...(calibration === null ? {} : { calibration: calibration.dataDigest }),
    },
    chosen: { engines: sets.map(({ evaluator }) => ({ ...evaluator.facts.engine })) },
  };
}
